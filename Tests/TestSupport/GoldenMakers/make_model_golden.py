#!/usr/bin/env python3
"""Make the golden data of whole models: tiny random ones of every architecture, and their logits.

    python3 -m venv .venv && .venv/bin/pip install torch==2.13.0+cpu transformers==5.23.0
    .venv/bin/python make_model_golden.py ../Golden/models

Writes a folder for each model, as transformers saves it in float32, and `logits.safetensors` with
`NAME.input_ids`, int64 `[tokens]`, and `NAME.logits`, float32 `[tokens, vocabulary]`: what transformers
computes in float32 with eager attention. Norms and biases are random, too, so that none is an identity.
The sequence is longer than windows, original contexts, and the blocks of attention. The output depends
on nothing but the seed and the versions above.
"""
import os, sys
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

SEED = 20260107
TOKENS = 150
SIZES = dict(vocab_size=96, hidden_size=48, intermediate_size=80, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256)


def rope(kind="default", **others):
    return dict(rope_parameters=dict(rope_theta=10000.0, rope_type=kind, **others))


MODELS = {
    "llama": LlamaConfig(**SIZES, **rope()),
    "llama_biases_tied": LlamaConfig(**{**SIZES, "head_dim": 20, "num_key_value_heads": 4}, **rope(),
                                     attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    "llama_linear": LlamaConfig(**SIZES, **rope("linear", factor=4.0)),
    "llama3": LlamaConfig(**{**SIZES, "head_dim": 16}, **rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)),
    "llama_yarn": LlamaConfig(**{**SIZES, "head_dim": 16}, **rope(
        "yarn", factor=4.0, original_max_position_embeddings=64)),
    "mistral": MistralConfig(**{**SIZES, "num_key_value_heads": 1}, **rope(), sliding_window=21),
    "mistral_full": MistralConfig(**SIZES, **rope(), sliding_window=None),
    "qwen2": Qwen2Config(**SIZES, **rope(), use_sliding_window=True, sliding_window=17,
                         max_window_layers=1),
    "qwen2_yarn": Qwen2Config(**SIZES, **rope(
        "yarn", factor=2.0, beta_fast=16.0, beta_slow=2.0, mscale=0.8, mscale_all_dim=1.2,
        original_max_position_embeddings=48), tie_word_embeddings=True),
    "qwen3": Qwen3Config(**{**SIZES, "head_dim": 24}, **rope()),
    "qwen3_biases": Qwen3Config(**{**SIZES, "head_dim": 16}, **rope(), attention_bias=True,
                                tie_word_embeddings=True),
}


def main(folder):
    tensors = {}
    for name, config in MODELS.items():
        torch.manual_seed(SEED)
        config._attn_implementation = "eager"
        config.dtype = "float32"
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if key.endswith("norm.weight"):
                    parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
                elif key.endswith("bias"):
                    parameter.copy_(0.3 * torch.randn_like(parameter))
                else:
                    parameter.copy_(0.15 * torch.randn_like(parameter))
            ids = torch.randint(0, config.vocab_size, (TOKENS,))
            logits = model(ids[None]).logits[0]
        model.save_pretrained(os.path.join(folder, name))
        os.remove(os.path.join(folder, name, "generation_config.json"))
        tensors[name + ".input_ids"] = ids
        tensors[name + ".logits"] = logits.contiguous()
        print(name, float(logits.abs().max()))
    save_file(tensors, os.path.join(folder, "logits.safetensors"))


main(sys.argv[1])
