#!/usr/bin/env python3
"""Make the golden data of chat templates: conversations as Jinja2 writes them in transformers' environment.

    python3 -m venv .venv && .venv/bin/pip install transformers==5.23.0 jinja2
    .venv/bin/python make_template_golden.py ../Golden/chat_templates.json

The templates are written for this test, in the shape of published ones: the same statements, filters and ways
to handle system prompts, tools and reasoning. Each meets several conversations; where the template refuses one,
the golden data says so. `expressions` are single expressions with what Python makes of them.
"""
import json, sys
from transformers.utils.chat_template_utils import _compile_jinja_template

TEMPLATES = {
"chatml": """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
"smollm": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
"llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
"llama3": """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}""",
"llama31_tools": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message comes out first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("No first user message") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {{- "Answer with a call in JSON.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>"}}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One call at a time") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
"mistral": """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ ' [INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token}}{% elif message['role'] in ['system', 'tool'] %}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}""",
"mistral_tools": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {{- ", " if not loop.last else "]" + eos_token }}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}
            {%- set content = message.content.content %}
        {%- else %}
            {%- set content = message.content %}
        {%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id|default("none", true) + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
""",
"gemma": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}""",
"gemma3": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
""",
"qwen25": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a model.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n<tool_call>\\n{\\"name\\": <name>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a model.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
"qwen3": """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
"phi3": """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}""",
"zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
"vicuna": """{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + ' ' }}{% set rest = messages[1:] %}{% else %}{{ 'A chat. ' }}{% set rest = messages %}{% endif %}{% for m in rest %}{{ 'USER: ' ~ m.content ~ ' ' if m.role == 'user' else 'ASSISTANT: ' ~ m.content ~ eos_token }}{% endfor %}{{ 'ASSISTANT:' if add_generation_prompt }}""",
"alpaca": """{% for message in messages -%}
  {% if message.role == "user" -%}
### Instruction:
{{ message.content|trim }}

  {%- elif message.role == "assistant" -%}
### Response:
{{ message.content|trim }}

  {%- endif %}

{% endfor -%}
{% if add_generation_prompt %}### Response:
{% endif %}""",
"deepseek": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<|User|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|Assistant|>' + content + '<|end|>'}}{%- endif %}{%- endfor -%}{% if ns.is_tool %}{{'<|tool|>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}{{'<|Assistant|>'}}{% endif %}""",
"command_r": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% if system_message != false %}{{ '<|START|><|SYSTEM|>' + system_message + '<|END|>' }}{% endif %}{% for message in loop_messages %}{% set content = message['content'] %}{% if message['role'] == 'user' %}{{ '<|START|><|USER|>' + content.strip() + '<|END|>' }}{% elif message['role'] == 'assistant' %}{{ '<|START|><|BOT|>'  + content.strip() + '<|END|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|START|><|BOT|>' }}{% endif %}""",
"hermes_macro": """{%- macro json_to_python_type(json_spec) %}
    {%- set basic_type_map = {
    "string": "str",
    "number": "float",
    "integer": "int",
    "boolean": "bool"
} %}
    {%- if basic_type_map[json_spec.type] is defined %}
        {{- basic_type_map[json_spec.type] }}
    {%- elif json_spec.type == "array" %}
        {{- "list[" +  json_to_python_type(json_spec|items|list|last|last) + "]" if json_spec.items is not mapping else "list" }}
    {%- elif json_spec.type is iterable and json_spec.type is not string %}
        {{- "Union[" }}
        {%- for t in json_spec.type %}
            {{- json_to_python_type({"type": t}) }}
            {%- if not loop.last %}
                {{- "," }}
            {%- endif %}
        {%- endfor %}
        {{- "]" }}
    {%- else %}
        {{- "Any" }}
    {%- endif %}
{%- endmacro %}
{%- if tools is iterable and tools | length > 0 %}
{{- "<|im_start|>system\\n<tools> " }}
    {%- for tool in tools %}
        {%- if tool.function is defined %}
            {%- set tool = tool.function %}
        {%- endif %}
        {{- '{"type": "function", "function": ' }}
        {{- '{"name": "' + tool.name + '", ' }}
        {{- '"description": "' + tool.name + '(' }}
        {%- for param_name, param_fields in tool.parameters.properties|items %}
            {{- param_name + ": " + json_to_python_type(param_fields) }}
            {%- if not loop.last %}
                {{- ", " }}
            {%- endif %}
        {%- endfor %}
        {{- ") - " + tool.description + "\\n" }}
        {{- '", "parameters": ' + (tool.parameters|tojson) + "}" }}
    {%- endfor %}
{{- " </tools><|im_end|>\\n" }}
{%- endif %}
{%- for message in messages %}
{{- "<|im_start|>" ~ message.role ~ "\\n" ~ (message.content or "") ~ "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|im_start|>assistant\\n" }}{% endif %}""",
"granite": """{%- if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% set loop_messages = messages[1:] %}{% else %}{% set system_message = "Today is " ~ date_string|default("unknown") %}{% set loop_messages = messages %}{% endif %}{{ '<|start|>system<|end|>' + system_message + '\n' }}
{%- if tools %}{{ '<|start|>tools<|end|>' }}{{ tools | tojson(indent=2) }}{{ '\n' }}{% endif -%}
{%- for message in loop_messages %}{% if message['role'] == 'user' %}{{ '<|start|>user<|end|>' + message['content'] + '\n' }}{%- elif message['role'] == 'assistant' %}{% generation %}{{ '<|start|>assistant<|end|>' + (message['content'] or '') + '\n' }}{% endgeneration %}{% endif %}{%- if loop.last and add_generation_prompt %}{{ '<|start|>assistant<|end|>' }}{%- endif %}{%- endfor %}""",
"openchat": """{{ bos_token }}{% for message in messages %}{% if message.role in ['user', 'assistant'] %}{% set content = 'GPT4 Correct ' + message.role.title() + ': ' + message.content + '<|end_of_turn|>' %}{% elif message.role == 'system' %}{% set content = message.content + '<|end_of_turn|>' %}{% else %}{{ raise_exception('Only user, assistant and system') }}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}""",
"falcon": """{% for message in messages %}{% if not loop.first %}{{ '\n' }}{% endif %}{% if message['role'] == 'system' %}{{ 'System: ' }}{% elif message['role'] == 'user' %}{{ 'User: ' }}{% else %}{{ 'Falcon: ' }}{% endif %}{{ message['content'].replace('\r\n', '\n').replace('\n\n', '\n') }}{% endfor %}{% if add_generation_prompt %}{{ '\n' + 'Falcon:' }}{% endif %}""",
"nemotron": """{%- set ns = namespace(system='', n=0) -%}
{%- for m in messages if m.role == 'system' -%}{%- set ns.system = ns.system ~ m.content -%}{%- else -%}{%- set ns.system = 'none' -%}{%- endfor -%}
{{- '<extra_0>System\n' ~ ns.system ~ '\n' -}}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- continue -%}{%- endif -%}
{%- set ns.n = ns.n + 1 -%}
{%- if ns.n > 8 -%}{%- break -%}{%- endif -%}
{{- '<extra_1>%d ' if false else '<extra_1>' -}}{{- m.role|capitalize -}}{{- '\n' ~ (m.content|default('', true)) ~ '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<extra_1>Assistant\n' -}}{%- endif -%}""",
"strings": """{%- set text = messages[-1].content or '' -%}
{{- text|upper ~ '|' ~ text|length ~ '|' ~ text[::-1] ~ '|' ~ text[1:4] ~ '|' ~ text.split() ~ '|' ~ text.split('e', 1) -}}
{{- '|' ~ ('a', 'b')|join('-') ~ '|' ~ [3, 1, 2]|sort|join(',') ~ '|' ~ messages|map(attribute='role')|unique|list -}}
{{- '|' ~ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|tojson -}}
{{- '|' ~ {'b': 1, 'a': [true, none, 1.5]}|tojson ~ '|' ~ {'b': 1, 'a': [True, None, 1.5, 'q\\'s']} -}}
{% raw %}{{ not run }}{% endraw %}
{% set captured %}<{{ text|trim }}>{% endset %}{{ captured }}
{{ text|indent(2) }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 2 ** 5 }} {{ 7 / 2 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ 'x' * 3 }} {{ 10 is divisibleby 5 }}
{%- for k, v in {'z': 1, 'y': 2}.items() %} {{ loop.index }}{{ k }}={{ v }}{{ loop.previtem if loop.previtem is defined else '' }}{% endfor %}
{{ messages|length if messages is not string else 0 }} {{ undefined_name }} {{ undefined_name is defined }} {{ text is string and text is not mapping }}""",
}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Tells the weather \"now\" für Köln",
          "parameters": {"type": "object", "properties": {
              "city": {"type": "string", "description": "The city"}, "days": {"type": "integer"},
              "either": {"type": ["string", "number"]}, "flag": {"type": "boolean", "default": True}},
              "required": ["city"]}}},
         {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {
             "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}}]
USER = {"role": "user", "content": " Hello there!\nHow are you? "}
ASSISTANT = {"role": "assistant", "content": "I'm fine, \"thanks\" – 😀."}
SYSTEM = {"role": "system", "content": "You are terse."}
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "abc123def", "type": "function", "function": {"name": "get_weather",
                                                         "arguments": {"city": "Köln", "days": 2, "x": 1.0}}}]}
CONVERSATIONS = {
    "user": dict(messages=[USER]),
    "system": dict(messages=[SYSTEM, USER, ASSISTANT, {"role": "user", "content": "Bye"}]),
    "no_prompt": dict(messages=[USER, ASSISTANT], add_generation_prompt=False),
    "tools": dict(messages=[SYSTEM, USER, CALL, {"role": "tool", "content": "18 °C", "tool_call_id": "abc123def",
                                                 "name": "get_weather"}], tools=TOOLS),
    "thinking": dict(messages=[USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes."},
                               {"role": "user", "content": "Sure?"}], enable_thinking=False, date_string="1 May 2026"),
    "two_in_a_row": dict(messages=[USER, USER]),
    "parts": dict(messages=[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What? "}]}]),
}
EXPRESSIONS = [
    "1 + 2 * 3 - 4 // 3", "'a' in 'cat' and not 'x' in 'cat'", "[1, 2, 3][-1]", "'abc'[5] is defined", "none == none", "1 == 1.0",
    "1 < 2 < 3", "1 < 3 < 2", "'B' < 'a'", "'%s' if false else 'x'", "(1, 'a')", "[1, [2, {'k': 'v'}]]", "1e16", "1e-05", "123456789.125",
    "1.0", "100000000000000000000.0", "1/3", "0.00001234", "-0.0", "2.5e-7", "' a b '.strip()", "'xxaxx'.strip('x')", "'a,b,,c'.split(',')",
    "' a  b '.split()", "'aXbXc'.rsplit('X', 1)", "'hello world'.title()", "'they\\'re here'|title", "'HELLO'|capitalize", "'ß'.upper()",
    "'a-b'.replace('-', '+')", "'aaa'.replace('a', 'b', 2)", "'abc'.find('c')", "'abcabc'.count('bc')", "'a\\nb\\n'.splitlines()",
    "'-'.join(['a', 'b'])", "{'a': 1}.get('b', 2)", "{'a': 1}.get('b')", "{'a': 1, 'b': 2}.keys()|list", "{'b': 1, 'a': 2}|dictsort",
    "[1, 2, 3]|sum", "[3, 1]|max", "['b', 'A']|sort", "[1, 2, 3, 4]|select('even')|list", "[1, 2]|reject('odd')|list", "range(2, 8, 3)|list",
    "'abc'|reverse", "[1, 2]|first", "[]|last is defined", "x|default('d')", "''|default('d', true)", "'4' + 2|string", "'12'|int + 1",
    "3.7|int", "'1.5'|float", "2.5|round", "3|string is string", "none is none", "true is boolean", "1 is number", "{} is mapping",
    "[] is sequence", "'a' is iterable", "x is undefined", "5 is odd", "4 is even", "3 is in [1, 2, 3]", "5 is gt 3", "not true or true",
    "true and 'yes'", "'' or 'no'", "[0, 1][true]", "'é'|length", "'👩‍👩‍👧'|length", "'naïve'[2]", "'a\\tb\\\\'|tojson", "'</x>&'|tojson",
    "{'a': {'b': [1, 2]}}|tojson(indent=2)", "[]|tojson(indent=2)", "'x\\'y'", "['x\\'y', 'p\"q']", "-3 // 2", "-3 % 2", "7.5 // 2", "2 ** 10",
    "'ab' ~ 1 ~ none ~ true", "[1, 2][:1] + [9]", "'abcdef'[::2]", "'abcdef'[-3:-1]", "'abc'[::-1]", "{'a': 1}.items()|list",
    "namespace(a=1).a", "dict(a=1)", "1 if none else 2", "'a' if true", "'yes' if 'x' is defined else 'no'", "[1, '1', 1.5]|map('string')|list",
    "'Title Case'|lower|title|replace(' ', '_')", "['a', 'b']|join", "'abc' is upper", "'a' * 0", "10 | abs", "'%' ~ '{' ~ '}'",
]
FAULTS = [
    "{{ x.y.z }}", "{{ 1 / 0 }}", "{{ 'a' + 1 }}", "{% for x in 5 %}{% endfor %}", "{{ raise_exception('no') }}", "{% if %}", "{{ 'a }}",
    "{{ (1 }}", "{% for x in y %}", "{% endif %}", "{{ 1 | nosuchfilter }}", "{{ 1 is nosuchtest }}", "{{ 'a'.nosuchmethod() }}", "{# no end",
    "{% include 'x' %}", "{% nosuch %}", "{{ [1].append(2) }}", "{% set x.y = 1 %}", "{{ 1 + }}", "{{ a b }}", "{{ undefined_function() }}",
    "{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}",
]


def main(out):
    data = {"templates": [], "expressions": [], "faults": FAULTS}
    for name, template in TEMPLATES.items():
        compiled = _compile_jinja_template(template)
        cases = []
        for case, variables in CONVERSATIONS.items():
            full = dict(bos_token="<s>", eos_token="</s>", add_generation_prompt=True)
            full.update(variables)
            try:
                cases.append({"conversation": case, "text": compiled.render(**full)})
            except Exception as error:
                cases.append({"conversation": case, "text": None, "error": f"{type(error).__name__}: {error}"})
        data["templates"].append({"name": name, "template": template, "cases": cases})
        print(name, sum(case["text"] is not None for case in cases), "of", len(cases))
    for expression in EXPRESSIONS:
        text = _compile_jinja_template("{{ " + expression + " }}").render()
        data["expressions"].append({"expression": expression, "text": text})
    for fault in FAULTS:
        try:
            print("FAULT IS NONE:", fault, repr(_compile_jinja_template(fault).render()))
        except Exception as error:
            pass
    data["conversations"] = {name: {**dict(bos_token="<s>", eos_token="</s>", add_generation_prompt=True), **own}
                             for name, own in CONVERSATIONS.items()}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.write("\n")


main(sys.argv[1])
