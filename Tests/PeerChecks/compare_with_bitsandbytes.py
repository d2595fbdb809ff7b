#!/usr/bin/env python3
"""Compares what `quantize convert` writes with what transformers and bitsandbytes make of the same model.

For each source (a safetensors folder, a GGUF file) and each format (NF4, double-quantized NF4, FP4, LLM.int8):
the folder loads in transformers as it is; its 4-bit and 8-bit codes equal those of quantizing there; and so
do the scales and the logits. FP4 follows the thresholds of bitsandbytes' kernel for GPUs; the one for CPUs, which is
the one to compare with here, resolves ties otherwise and gives zeros the other sign; the share of values that differ
is bounded on both sides. Double quantization is compared twice: with the exact quantizer for scales that
bitsandbytes has for all devices, which must give the same in every bit; and with the one it prefers on a CPU,
a look-up in 65,536 entries that puts a few scales on a neighbouring code.
Used by Scripts/check-peers; closes with "N passed, N failed".
"""
import argparse
import contextlib
import gc
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import bitsandbytes  # noqa: F401  (registers its operators)
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.manual_seed(0)

TEXT = (
    "The quick brown fox jumps over the lazy dog. In 1984, 3.14159 was not yet 42!\n\n"
    "def f(x):\n    return x ** 2  # naïve café, 東京, здравствуй, 🙂\n"
    "And it came to pass, that when the people saw these things they were astonished."
)
NF4 = dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
FORMATS = {
    "nf4": (["--type", "nf4"], NF4),
    "nf4-dq": (["--type", "nf4", "--double-quant"], dict(NF4, bnb_4bit_use_double_quant=True)),
    "fp4": (["--type", "fp4"], dict(NF4, bnb_4bit_quant_type="fp4")),
    "int8": (["--type", "int8"], dict(load_in_8bit=True)),
}
# With the look-up, this share of the scales' codes differs: measured 0.23 % on SmolLM2.
LOOKUP_SHARE = (0, 0.005)
# Of FP4's values: measured 0.06 % on SmolLM2.
FP4_SHARE = (0, 0.0015)

passed = failed = 0


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAIL  ") + name + (": " + detail if detail else ""), flush=True)


def run(*words):
    subprocess.run([str(w) for w in words], check=True)


def checkpoint_from_gguf(path, folder):
    """The bf16 Hugging Face folder of a llama GGUF file, by the `gguf` package alone."""
    from gguf import GGUFReader, dequantize

    blocks = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    tops = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    reader = GGUFReader(path)

    def field(key):
        return reader.fields["llama." + key].contents()

    heads = {"attn_q": field("attention.head_count"), "attn_k": field("attention.head_count_kv")}
    tensors = {}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        values = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type)).astype(np.float32)
        if parts[0] != "blk":
            name = tops[parts[0]] + ".weight"
        else:
            name = "model.layers.%s.%s.%s" % (parts[1], blocks[parts[2]], parts[3])
            if parts[2] in heads:
                rows, columns = values.shape
                count = heads[parts[2]]
                values = values.reshape(count, rows // count // 2, 2, columns)
                values = np.ascontiguousarray(values.swapaxes(1, 2).reshape(rows, columns))
        tensors[name] = torch.from_numpy(values).to(torch.bfloat16)
    os.makedirs(folder, exist_ok=True)
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": field("embedding_length"), "intermediate_size": field("feed_forward_length"),
        "num_hidden_layers": field("block_count"), "num_attention_heads": heads["attn_q"],
        "num_key_value_heads": heads["attn_k"], "rms_norm_eps": 1e-05,
        "rope_theta": float(field("rope.freq_base")), "max_position_embeddings": field("context_length"),
        "vocab_size": len(reader.fields["tokenizer.ggml.tokens"].data),
        "tie_word_embeddings": "lm_head.weight" not in tensors, "torch_dtype": "bfloat16",
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
    }
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    tokenizer = AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
    tokenizer.save_pretrained(folder)
    return tokenizer


@contextlib.contextmanager
def exact_scales():
    """Makes bitsandbytes quantize scales by its rule for all devices instead of its look-up for CPUs.

    That rule gives a tie to the lower code, and the kernels for GPUs to the even one, which is followed here.
    """
    operator = torch.ops.bitsandbytes.quantize_blockwise.default
    for_all = torch._C.DispatchKey.CompositeExplicitAutograd

    def quantize(values, table, block_size):
        codes, absmax = operator._op_dk(for_all, values, table, block_size)
        scales = absmax.repeat_interleave(block_size)[:values.numel()]
        scaled = (values.reshape(-1).float() * (1.0 / scales.clamp(min=1e-38))).clamp(-1, 1)
        midpoints = torch.cat([(table[:-1] + table[1:]) / 2, torch.tensor([torch.inf])])
        flat = codes.reshape(-1).int()
        is_odd_tie = (scaled == midpoints[flat]) & (flat % 2 == 1)
        return (flat + is_odd_tie.int()).to(torch.uint8).reshape(codes.shape), absmax

    library = torch.library.Library("bitsandbytes", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.impl("quantize_blockwise", quantize, "CPU", allow_override=True)
    try:
        yield
    finally:
        library._destroy()


def load(folder, config=None):
    more = {"quantization_config": config} if config else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cpu", **more)
    return model.train()  # the training path computes with dequantized weights and leaves them as they are


def tensors_of(folder):
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            tensors.update(load_file(os.path.join(folder, name)))
    return tensors


def quantized_there(folder, settings, tokens):
    """The state and the logits of quantizing a folder in the peer."""
    model = load(folder, BitsAndBytesConfig(**settings))
    state = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        logits = model(tokens).logits
    del model
    gc.collect()
    return state, logits


def compare(title, ours_folder, reference_folder, settings, tokens):
    is_nested = settings.get("bnb_4bit_use_double_quant", False)
    with exact_scales() if is_nested else contextlib.nullcontext():
        wanted, wanted_logits = quantized_there(reference_folder, settings, tokens)

    ours = tensors_of(ours_folder)
    missing = [k for k in wanted if k not in ours and not k.startswith("lm_head") and "weight_format" not in k]
    check(title + ": every tensor of the peer is there", not missing, ", ".join(missing[:3]))
    extra = [k for k in ours if k not in wanted]
    check(title + ": and no other", not extra, ", ".join(extra[:3]))
    values = [k for k in wanted if k in ours and "quant_state" not in k]
    codes = [k for k in values if ours[k].dtype in (torch.uint8, torch.int8) and k.endswith(".weight")]
    is_fp4 = settings.get("bnb_4bit_quant_type") == "fp4"
    if is_fp4:
        compare_fp4_codes(title, ours, wanted, codes)
        values = [k for k in values if k not in codes]
    differing = [
        k for k in values
        if ours[k].dtype != wanted[k].dtype or not torch.equal(ours[k].reshape(-1), wanted[k].reshape(-1))
    ]
    what = "scales" if is_fp4 else "codes and scales"
    check(title + ": %s are identical" % what, codes and values and not differing,
          "%d of %d tensors differ" % (len(differing), len(values)) + "".join(", " + k for k in differing[:3]))
    if settings.get("load_in_4bit"):
        blobs = [k for k in wanted if "quant_state" in k and k in ours]
        differing = [k for k in blobs if bytes(ours[k].tolist()) != bytes(wanted[k].tolist())]
        check(title + ": quant states are identical", blobs and not differing,
              "%d of %d differ" % (len(differing), len(blobs)) + "".join(", " + k for k in differing[:3]))

    model = load(ours_folder)
    with torch.no_grad():
        logits = model(tokens).logits
    difference = float((logits.float() - wanted_logits.float()).abs().max())
    largest = float(wanted_logits.float().abs().max())
    check(title + ": logits are equal", difference == 0 or is_fp4, "differ by %.3g of %.3g" % (difference, largest))
    del model
    gc.collect()
    if is_nested:
        compare_with_lookup(title, ours, reference_folder, settings, tokens)


def compare_fp4_codes(title, ours, wanted, codes):
    values, zeros, total = 0, 0, 0
    for key in codes:
        a, b = ours[key].reshape(-1), wanted[key].reshape(-1)
        for shift in (0, 4):
            x, y = a >> shift & 15, b >> shift & 15
            # 8 is the second zero, with the sign bit.
            is_zero = ((x == 0) | (x == 8)) & ((y == 0) | (y == 8))
            zeros += int(((x != y) & is_zero).sum())
            values += int(((x != y) & ~is_zero).sum())
        total += 2 * a.numel()
    low, high = FP4_SHARE
    check(title + ": few values differ from those of the kernel for CPUs", total and low < values / total < high,
          "%d of %d, %.3f %%; the sign of zero in %.3f %%"
          % (values, total, 100 * values / max(total, 1), 100 * zeros / max(total, 1)))


def compare_with_lookup(title, ours, reference_folder, settings, tokens):
    state, _ = quantized_there(reference_folder, settings, tokens)
    codes = [k for k in state if k.endswith(".weight") and k in ours and k + ".absmax" in ours]
    differing = [k for k in codes if not torch.equal(ours[k].reshape(-1), state[k].reshape(-1))]
    check(title + ": codes are identical beside scales of the look-up", codes and not differing, ", ".join(differing[:3]))
    pairs = [(ours[k + ".absmax"].int(), state[k + ".absmax"].int()) for k in codes]
    count = sum(int((a != b).sum()) for a, b in pairs)
    total = sum(a.numel() for a, _ in pairs)
    low, high = LOOKUP_SHARE
    check(title + ": few scales are off by the look-up", total and low < count / total < high,
          "%d of %d, %.3f %%" % (count, total, 100 * count / max(total, 1)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--tiny", required=True)
    parser.add_argument("--gguf")
    a = parser.parse_args()

    cases = [("tiny model", a.tiny, a.tiny)]
    tokenizers = {"tiny model": AutoTokenizer.from_pretrained(a.tiny)}
    if a.gguf:
        folder = os.path.join(a.scratch, "smollm2")
        tokenizers["SmolLM2 safetensors"] = tokenizers["SmolLM2 GGUF"] = checkpoint_from_gguf(a.gguf, folder)
        cases += [("SmolLM2 safetensors", folder, folder), ("SmolLM2 GGUF", a.gguf, folder)]
    for title, source, reference in cases:
        tokens = torch.tensor([tokenizers[title].encode(TEXT)])
        for name, (flags, settings) in FORMATS.items():
            result = os.path.join(a.scratch, "result")
            run(a.quantize, "convert", source, result, *flags, "--quiet", "--force")
            compare("%s, %s" % (title, name), result, reference, settings, tokens)
            if name == "nf4":
                loaded = AutoTokenizer.from_pretrained(result)
                check(title + ": its tokenizer gives the same tokens", loaded.encode(TEXT) == tokens[0].tolist())
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
