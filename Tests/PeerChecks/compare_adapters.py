#!/usr/bin/env python3
"""Compares what `quantize fuse` makes of adapters with PEFT running the same adapters.

1. Every adapter folder of the golden data, which PEFT saved: the fused model has to give the logits of PEFT's
   unmerged model, also where layers share weights, or embedding and head are tied and the adapter tells them apart.
   Convolutions of small vision models likewise; those in groups have to be refused.
2. A real model and the embedded one, with LoRA, DoRA, rsLoRA and patterns made here: fused onto the 16-bit
   original it equals PEFT's merge_and_unload but for single roundings; fused onto the dequantized weights it gives
   the logits of the adapter on bitsandbytes' 4-bit layers.
3. What `quantize loftq` makes of both models, and of a base that bitsandbytes quantized: PEFT opens base and adapter
   and computes what the fused model does, nearer to the original than the quantized model alone.
Used by Scripts/check-peers; closes with "N passed, N failed".
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys

import bitsandbytes
import peft
import torch
from transformers import (AutoConfig, AutoModel, AutoModelForCausalLM, BitsAndBytesConfig, ConvNextConfig, ConvNextModel,
                          ResNetConfig, ResNetModel)
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.manual_seed(0)
passed = failed = 0
HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "TestSupport", "Golden", "peft", "model")


def check(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAIL  ") + name + (": " + detail if detail else ""), flush=True)


def quantize(*arguments):
    done = subprocess.run([TOOL, *arguments, "--quiet"], capture_output=True, text=True)
    return done.returncode, done.stderr


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager", device_map="cpu").eval()


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits.double()


def distance(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def typical(found, expected):
    """The middle one of the relative distances at each position: at single positions rounding grows a hundredfold."""
    return ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).median().item()


def golden_folders(scratch):
    cases = json.load(open(os.path.join(GOLDEN, "adapters.json")))["cases"]
    for case in cases:
        if not case["base"].startswith("bases/"):
            continue  # its quantized base is elsewhere
        base, folder = os.path.join(GOLDEN, case["base"]), os.path.join(GOLDEN, case["dir"])
        fused = os.path.join(scratch, "golden-" + case["id"])
        status, message = quantize("fuse", base, folder, fused)
        if status:
            check(case["id"], False, message.strip())
            continue
        model = load(base)
        ids = torch.arange(16).reshape(2, 8) * 3 % model.config.vocab_size
        expected = logits(peft.PeftModel.from_pretrained(model, folder).eval(), ids)
        off = distance(logits(load(fused), ids), expected)
        check(f"golden {case['id']}", off <= 2e-5, f"logits off by {off:.1e} of the largest")


def convolutions(scratch):
    """Adapters on the convolutions of small models with random weights, also DoRA."""
    torch.manual_seed(3)
    resnet = ResNetModel(ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"))
    convnext = ConvNextModel(ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2))
    pixels = torch.randn(2, 3, 64, 64)
    for name, model, targets, rank in (("resnet", resnet, ["convolution"], 4), ("convnext", convnext, ["patch_embeddings", "pwconv1"], 4),
                                       ("convnext in groups", convnext, ["dwconv"], 32)):
        for dora in (False, True):
            kind = name + (" DoRA" if dora else "")
            base, adapter, fused = (os.path.join(scratch, kind.replace(" ", "-") + end) for end in ("-base", "-adapter", "-fused"))
            model.eval().save_pretrained(base)
            config = peft.LoraConfig(r=rank, lora_alpha=8, target_modules=targets, use_dora=dora)
            adapted = peft.get_peft_model(AutoModel.from_pretrained(base), config).eval()
            for key, parameter in adapted.named_parameters():
                if "lora_B" in key:
                    parameter.data.normal_(std=0.05)
                elif "magnitude" in key:
                    parameter.data.mul_(1 + 0.1 * torch.randn(parameter.shape))
            adapted.save_pretrained(adapter)
            status, message = quantize("fuse", base, adapter, fused)
            if "groups" in name:
                check(f"{kind}: refused", status == 69 and "in groups" in message, message.strip().split("\n")[-1][:100])
                continue
            if status:
                check(f"{kind}: fused", False, message.strip())
                continue
            with torch.no_grad():
                expected, found = adapted(pixels)[0], AutoModel.from_pretrained(fused).eval()(pixels)[0]
            off = distance(found, expected)
            check(f"{kind}: fused", off <= 1e-5, f"outputs off by {off:.1e} of the largest")


def configurations():
    linear = "all-linear"
    yield "lora", peft.LoraConfig(r=16, lora_alpha=32, target_modules=linear, task_type="CAUSAL_LM")
    yield "dora", peft.LoraConfig(r=8, lora_alpha=8, target_modules=linear, use_dora=True, task_type="CAUSAL_LM")
    yield "rslora-patterns", peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], use_rslora=True, task_type="CAUSAL_LM",
        rank_pattern={"down_proj": 12}, alpha_pattern={r"layers\.0\.self_attn\.q_proj": 20})


def adapt(base, config, folder, seed):
    """Saves an adapter whose factors are as large as training makes them."""
    model = peft.get_peft_model(load(base), config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.01, generator=generator)
        elif "magnitude" in name:
            parameter.data.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)


def real_model(name, original, scratch, ids):
    nf4, plain = os.path.join(scratch, name + "-nf4"), os.path.join(scratch, name + "-plain")
    for arguments in (["convert", original, nf4, "--double-quant", "--dtype", "f32"], ["dequantize", nf4, plain, "--dtype", "f32"]):
        status, message = quantize(*arguments)
        if status:
            return check(f"{name} {arguments[0]}", False, message)
    for number, (kind, config) in enumerate(configurations()):
        adapter = os.path.join(scratch, f"{name}-{kind}")
        adapt(original, config, adapter, number)

        fused = os.path.join(scratch, f"{name}-{kind}-original")
        status, message = quantize("fuse", original, adapter, fused, "--onto", "original")
        check(f"{name} {kind} is fused onto the original", status == 0, message.strip())
        if status == 0:
            dtype = AutoConfig.from_pretrained(original).dtype
            merged = peft.PeftModel.from_pretrained(load(original, dtype), adapter).merge_and_unload().state_dict()
            ours = load(fused, dtype).state_dict()
            differ = total = worst = 0
            for key, value in ours.items():
                a, b = value.float(), merged[key].float()
                step = torch.maximum(a.abs(), b.abs()) * (2**-7 if dtype == torch.bfloat16 else 2**-22)
                differ, total = differ + (a != b).sum().item(), total + a.numel()
                worst = max(worst, ((a - b).abs() / step.clamp_min(1e-30)).max().item())
            check(f"{name} {kind} equals merge_and_unload", worst <= 1,
                  f"{differ} of {total} weights differ, by at most {worst:.2f} roundings")
        shutil.rmtree(fused, ignore_errors=True)

        fused = os.path.join(scratch, f"{name}-{kind}-dequantized")
        status, message = quantize("fuse", nf4, adapter, fused, "--onto", "dequantized", "--dtype", "f32")
        check(f"{name} {kind} is fused onto the dequantized base", status == 0, message.strip())
        if status:
            continue
        found = logits(load(fused), ids)
        peer = peft.PeftModel.from_pretrained(load(plain), adapter).eval()
        expected, exact = logits(peer, ids), logits(peer.double(), ids)
        # How much rounding grows on its way through the model depends on the adapter; PEFT's own tells.
        rounding, off = typical(expected, exact), typical(found, exact)
        worst, worst_rounding = distance(found, exact), distance(expected, exact)
        check(f"{name} {kind} on decoded weights", off <= 2 * rounding and worst <= 10 * worst_rounding,
              f"logits off by {off:.1e} from float64's, PEFT's by {rounding:.1e}; "
              f"at most by {worst:.1e} and {worst_rounding:.1e} of the largest")
        quantized = load(nf4)
        for module in quantized.modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                module.compute_dtype, module.compute_type_is_set = torch.float32, True
        # Without dropout training mode computes the same, and leaves the codes in their order.
        unmerged = peft.PeftModel.from_pretrained(quantized, adapter).train()
        expected = logits(unmerged, ids)
        off = typical(found, expected)
        check(f"{name} {kind} on bitsandbytes' layers", off <= 3 * rounding,
              f"logits off by {off:.1e}, at most by {distance(found, expected):.1e} of the largest")
        shutil.rmtree(fused, ignore_errors=True)


def combined_and_converted(original, scratch, ids):
    """What `adapter combine` and `adapter convert` write loads in PEFT and computes what PEFT's own does."""
    first, second = os.path.join(scratch, "tiny-lora"), os.path.join(scratch, "tiny-rslora-patterns")
    model = peft.PeftModel.from_pretrained(load(original), first, adapter_name="first")
    model.load_adapter(second, "second")
    for kind, flags in (("cat", {}), ("svd", {"svd_rank": 12}), ("ties_svd", {"svd_rank": 12, "density": 0.5})):
        folder = os.path.join(scratch, "combined-" + kind)
        arguments = ["--rank", "12"] * ("svd_rank" in flags) + ["--density", "0.5"] * ("density" in flags)
        status, message = quantize("adapter", "combine", first + "=0.7", second + "=-0.4", folder, "--type", kind, *arguments)
        check(f"combine {kind}", status == 0, message.strip())
        if status:
            continue
        model.add_weighted_adapter(["first", "second"], [0.7, -0.4], kind, combination_type=kind, **flags)
        model.set_adapter(kind)
        expected = logits(model.eval(), ids)
        off = distance(logits(peft.PeftModel.from_pretrained(load(original), folder).eval(), ids), expected)
        check(f"combine {kind} in PEFT", off <= 5e-5, f"logits off by {off:.1e} of the largest")

    for init in ("pissa", "olora"):
        trained, initial = os.path.join(scratch, init + "-trained"), os.path.join(scratch, init + "-initial")
        model = peft.get_peft_model(load(original), peft.LoraConfig(
            r=8, lora_alpha=16, target_modules=["q_proj", "up_proj"], init_lora_weights=init, task_type="CAUSAL_LM"))
        model.save_pretrained(initial)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data.add_(torch.randn_like(parameter) * parameter.data.abs().mean() * 0.2)
        expected = logits(model.eval(), ids)
        model.save_pretrained(trained)
        for title, flags in (("initial", ["--initial", initial]), ("base", ["--base", original])):
            folder = os.path.join(scratch, f"{init}-from-{title}")
            status, message = quantize("adapter", "convert", trained, folder, *flags)
            check(f"convert {init} with its {title}", status == 0, message.strip())
            if status == 0:
                off = distance(logits(peft.PeftModel.from_pretrained(load(original), folder).eval(), ids), expected)
                # Decompositions of two libraries, in float32 there.
                check(f"convert {init} with its {title} in PEFT", off <= 1e-4, f"logits off by {off:.1e} of the largest")


def quantized_by_peer(folder):
    """Opens a 4-bit model that computes in float32."""
    model = load(folder)
    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.compute_dtype, module.compute_type_is_set = torch.float32, True
    # Without dropout training mode computes the same, and leaves the codes in their order.
    return model.train()


def digests(folder):
    return {name: hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest() for name in os.listdir(folder)}


def compare_pair(title, base, adapter, original, ids, scratch):
    """PEFT on bitsandbytes' layers against the fused model, and both against the original and the base alone."""
    fused, plain = os.path.join(scratch, "pair-fused"), os.path.join(scratch, "pair-plain")
    for folder in (fused, plain):
        shutil.rmtree(folder, ignore_errors=True)
    for arguments in (["fuse", base, adapter, fused, "--dtype", "f32"], ["dequantize", base, plain, "--dtype", "f32"]):
        status, message = quantize(*arguments)
        if status:
            return check(f"{title} {arguments[0]}", False, message)
    found = logits(load(fused), ids)
    dense = peft.PeftModel.from_pretrained(load(plain), adapter).eval()
    expected = logits(dense, ids)
    rounding = typical(expected, logits(dense.double(), ids))
    unmerged = peft.PeftModel.from_pretrained(quantized_by_peer(base), adapter, is_trainable=True).train()
    off = typical(found, logits(unmerged, ids))
    check(f"{title} on bitsandbytes' layers", off <= 3 * rounding, f"logits off by {off:.1e}, PEFT's rounding is {rounding:.1e}")
    trainable = sum(p.requires_grad for name, p in unmerged.named_parameters() if "lora_" in name)
    check(f"{title} can be trained", trainable > 0, f"{trainable} factors")
    wanted = logits(load(original), ids)
    with_adapter, alone = typical(found, wanted), typical(logits(load(plain), ids), wanted)
    check(f"{title} is nearer to the original", with_adapter < alone, f"{with_adapter:.3f} from its logits, {alone:.3f} alone")


def begun_from_weights(name, original, scratch, ids):
    """`loftq` makes bases and adapters that PEFT opens."""
    base = os.path.join(scratch, name + "-loftq")
    # Recorded as float32, or bitsandbytes rounds to bfloat16 what it decodes.
    options = ["--rank", "16", "--alpha", "32", "--iterations", "3", "--double-quant", "--dtype", "f32"]
    status, message = quantize("loftq", original, base, *options)
    check(f"{name} loftq", status == 0, message.strip())
    if status == 0:
        compare_pair(f"{name} loftq", base, os.path.join(base, "loftq_init"), original, ids, scratch)

    for method in ("pissa", "olora"):
        base = os.path.join(scratch, f"{name}-{method}")
        status, message = quantize("loftq", original, base, "--method", method, "--rank", "8", "--alpha", "16", "--dtype", "f32")
        check(f"{name} {method}", status == 0, message.strip())
        if status == 0:
            adapter = os.path.join(base, method + "_init")
            model = load(original)
            found, exact = logits(model, ids), logits(model.double(), ids)
            rounding = typical(found, exact)
            off = typical(logits(peft.PeftModel.from_pretrained(load(base), adapter).eval(), ids), exact)
            # The two parts of a weight, rounded one by one.
            check(f"{name} {method} is the original again", off <= 4 * rounding,
                  f"logits off by {off:.1e} from float64's, the original's by {rounding:.1e}")

    base, adapter = os.path.join(scratch, name + "-bitsandbytes"), os.path.join(scratch, name + "-replaced")
    AutoModelForCausalLM.from_pretrained(original, dtype=torch.float32, device_map="cpu", quantization_config=BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32)).save_pretrained(base)
    before = digests(base)
    status, message = quantize("loftq", original, adapter, "--replace", base, "--rank", "16")
    check(f"{name} loftq --replace on a model of bitsandbytes", status == 0, message.strip())
    if status:
        return
    check(f"{name} --replace leaves the base alone", digests(base) == before, f"{len(before)} files")
    compare_pair(f"{name} --replace", base, adapter, original, ids, scratch)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--tiny", required=True)
    parser.add_argument("--gguf")
    arguments = parser.parse_args()
    global TOOL
    TOOL = os.path.abspath(arguments.quantize)
    golden_folders(arguments.scratch)
    convolutions(arguments.scratch)
    ids = torch.randint(5, 400, (2, 24), generator=torch.Generator().manual_seed(1))
    real_model("tiny", arguments.tiny, arguments.scratch, ids)
    combined_and_converted(arguments.tiny, arguments.scratch, ids)
    begun_from_weights("tiny", arguments.tiny, arguments.scratch, ids)
    if arguments.gguf:
        original = os.path.join(arguments.scratch, "smollm2-floats")
        status, message = quantize("dequantize", arguments.gguf, original)
        check("SmolLM2 as floats", status == 0, message.strip())
        real_model("SmolLM2", original, arguments.scratch, ids)
        begun_from_weights("SmolLM2", original, arguments.scratch, ids)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
