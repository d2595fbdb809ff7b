#!/usr/bin/env python3
"""Compares models whose architecture `quantize` does not know with quantizing them in transformers.

Each model is made here, small and with random weights, in the names under which such models are published:
classifiers, GPT-2's transposed layers, a mixture of experts, a vision-language model with the names of before
transformers 4.52, an embedding model without the prefix of its decoder, a model with its own adapter beside it.
What `quantize convert` makes of it has to load without a report and give, bit for bit, the logits of quantizing
the same modules there. Used by Scripts/check-peers; closes with "N passed, N failed".
"""
import argparse
import json
import os
import subprocess
import sys

import bitsandbytes  # noqa: F401  (registers its operators)
import torch
import transformers
from safetensors.torch import save_file
from transformers import BitsAndBytesConfig
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
passed = failed = 0

LLAMA = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             vocab_size=128, max_position_embeddings=128, pad_token_id=0)


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAIL  ") + name + (": " + detail if detail else ""), flush=True)


class Case:
    """A model in memory, and how it is published."""

    def __init__(self, name, kind, config, flags=(), rename=lambda key: key, inputs=None):
        self.name, self.kind, self.config, self.flags = name, kind, config, list(flags)
        self.rename, self.inputs = rename, inputs or {"input_ids": torch.arange(3, 23)[None]}

    def write(self, folder):
        torch.manual_seed(7)
        model = self.kind(self.config).to(torch.bfloat16)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.08)
        tied = set(model.all_tied_weights_keys)
        state = {self.rename(k): v.contiguous() for k, v in model.state_dict().items() if k not in tied}
        os.makedirs(folder)
        save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        self.config.architectures = [self.kind.__name__]
        self.config.dtype = "bfloat16"
        self.config.save_pretrained(folder)

    def load(self, folder, **more):
        model, report = self.kind.from_pretrained(
            folder, dtype=torch.bfloat16, device_map="cpu", output_loading_info=True, **more)
        wrong = [k for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if report.get(k)]
        return model.train(), {k: list(report[k])[:3] for k in wrong}

    @torch.no_grad()
    def logits(self, model):
        torch.manual_seed(1)
        return model(**self.inputs).logits.float()


def drop(prefix):
    return lambda key: key.removeprefix(prefix)


def before_4_52(key):
    for new, old in (("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
                     ("model.vision_tower.", "vision_tower.vision_model."),
                     ("model.multi_modal_projector.", "multi_modal_projector.")):
        if key.startswith(new):
            return old + key[len(new):]
    return key


def cases():
    t = transformers
    any_model = ["--any-architecture"]
    yield Case("reward model", t.LlamaForSequenceClassification, t.LlamaConfig(**LLAMA, num_labels=1), any_model)
    gpt2 = dict(n_embd=64, n_layer=2, n_head=2, n_positions=64, vocab_size=128, pad_token_id=0, num_labels=2,
                resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    yield Case("GPT-2 classifier", t.GPT2ForSequenceClassification, t.GPT2Config(**gpt2), any_model)
    yield Case("GPT-2 classifier, some layers", t.GPT2ForSequenceClassification, t.GPT2Config(**gpt2),
               any_model + ["--only", r"attn\.c_proj"])
    moe = dict(LLAMA, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, head_dim=32)
    yield Case("mixture of experts", t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(**moe), any_model)
    vision = t.CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                                image_size=16, patch_size=8, projection_dim=64)
    llava = t.LlavaConfig(text_config=t.LlamaConfig(**LLAMA), vision_config=vision, image_token_index=127,
                          image_token_id=127, tie_word_embeddings=False)
    image = {"input_ids": torch.tensor([[5] + [127] * 4 + [6, 7, 8]]),
             "pixel_values": torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16).to(torch.bfloat16)}
    for flags in [], ["--skip", "vision_tower"]:
        yield Case(" ".join(["vision-language model"] + flags), t.LlavaForConditionalGeneration, llava,
                   any_model + flags, before_4_52, image)
    qwen3 = t.Qwen3Config(**LLAMA, head_dim=32, tie_word_embeddings=True)
    yield Case("embedding model", t.Qwen3ForCausalLM, qwen3, rename=drop("model."))
    electra = t.ElectraConfig(embedding_size=64, hidden_size=128, num_hidden_layers=2, num_attention_heads=2,
                              intermediate_size=256, vocab_size=128, max_position_embeddings=64,
                              hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    for flags in [], ["--skip", "query|embeddings_project"]:
        yield Case(" ".join(["ELECTRA"] + flags), t.ElectraForSequenceClassification, electra, any_model + flags)
    bert = t.BertConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                        vocab_size=128, max_position_embeddings=64, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0)
    yield Case("BERT with a tied head", t.BertForMaskedLM, bert, any_model)
    t5 = t.T5Config(d_model=64, d_kv=32, d_ff=128, num_layers=2, num_heads=2, vocab_size=128, dropout_rate=0.0,
                    decoder_start_token_id=0, pad_token_id=0)
    tokens = torch.arange(3, 23)[None]
    yield Case("T5", t.T5ForConditionalGeneration, t5, any_model,
               inputs={"input_ids": tokens, "decoder_input_ids": tokens})


def compare(case, number, tool, scratch):
    source, result = (os.path.join(scratch, f"{part}-{number}") for part in ("source", "result"))
    case.write(source)
    run = subprocess.run([tool, "convert", source, result, *case.flags], capture_output=True, text=True)
    if run.returncode != 0:
        return check(case.name + ": converts", False, run.stderr.strip())
    with open(os.path.join(result, "config.json")) as file:
        skipped = json.load(file)["quantization_config"]["llm_int8_skip_modules"]
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
                                  llm_int8_skip_modules=skipped)
    wanted, _ = case.load(source, quantization_config=settings)
    count = sum(type(m).__name__ == "Linear4bit" for m in wanted.modules())
    check(case.name + ": something is quantized", count > 0, f"{count} layers")
    try:
        ours, report = case.load(result)
        check(case.name + ": loads without a report", not report, json.dumps(report) if report else "")
        difference = float((case.logits(ours) - case.logits(wanted)).abs().max())
        check(case.name + ": logits are equal", difference == 0, f"differ by {difference:.3g}" if difference else "")
    except Exception as error:  # whatever the peer says of a file that it cannot use
        check(case.name + ": can be used", False, f"{type(error).__name__}: {error}".splitlines()[0])
    for command in (["verify", result, "--against", source, "--fail-above", "0.2"],
                    ["dequantize", result, result + "-floats"], ["verify", result + "-floats", "--against", result]):
        done = subprocess.run([tool, *command, "--quiet"], capture_output=True, text=True)
        check(f"{case.name}: {command[0]}", done.returncode == 0, done.stderr.strip())
    floats, report = case.load(result + "-floats")
    check(case.name + ": the floats load", not report, json.dumps(report) if report else "")


def compare_with_adapter(tool, scratch):
    """A model whose folder also holds a LoRA adapter, which transformers attaches when it loads."""
    from peft import LoraConfig, get_peft_model

    case = Case("model with its adapter", transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA))
    source, result = (os.path.join(scratch, part) for part in ("adapter-source", "adapter-result"))
    case.write(source)
    model = case.kind.from_pretrained(source, dtype=torch.bfloat16)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(source)
    for name in os.listdir(source):
        if name == "README.md":
            os.remove(os.path.join(source, name))
    subprocess.run([tool, "convert", source, result, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    loaded = case.kind.from_pretrained(result, dtype=torch.bfloat16, device_map="cpu")
    count = sum("lora_A" in name for name, _ in loaded.named_parameters())
    check(case.name + ": both load", count == 2, f"{count} adapter matrices")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--scratch", required=True)
    a = parser.parse_args()
    for number, case in enumerate(cases()):
        compare(case, number, a.quantize, a.scratch)
    compare_with_adapter(a.quantize, a.scratch)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
