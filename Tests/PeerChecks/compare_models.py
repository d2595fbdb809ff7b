#!/usr/bin/env python3
"""Compare running models with transformers and bitsandbytes: texts, perplexities, tokenizers.

    compare_models.py --quantize .build/release/quantize --scratch DIR --model CHECKPOINT [--text FILE]

Greedy texts of ten prompts in float32 have to be the same, token for token; perplexities of the
unquantized model in float32 have to agree within 0.1 %, those of NF4, NF4 with nested scales, FP4 and
int8, read from the same checkpoint, within 0.3 %.
"""
import argparse, json, logging, math, os, subprocess, sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

logging.disable(logging.WARNING)
PROMPTS = [
    "Once upon a time", "The capital of France is", "def fibonacci(n):", "In 1969, the first",
    "Water boils at", "Dear Sir or Madam,", "The three laws of motion are", "1, 1, 2, 3, 5, 8,",
    "My favourite recipe begins with", "Grüße aus München!",
]
FORMATS = {
    "nf4": ["--type", "nf4"], "nf4-dq": ["--type", "nf4", "--double-quant"], "fp4": ["--type", "fp4"],
    "int8": ["--type", "int8"],
}


def run(arguments, *words):
    done = subprocess.run([arguments.quantize, *words, "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def perplexity(model, ids, window):
    losses = []
    with torch.no_grad():
        for start in range(0, len(ids), window):
            own = torch.tensor(ids[start:start + window])
            if len(own) < 2:
                break
            logits = model(own[None], use_cache=False).logits[0].float()
            losses.append(torch.nn.functional.cross_entropy(logits[:-1], own[1:], reduction="none").double())
    return math.exp(float(torch.cat(losses).mean()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--tokens", type=int, default=20480)
    parser.add_argument("--int8-tokens", type=int, default=4096)
    parser.add_argument("--new-tokens", type=int, default=100)
    arguments = parser.parse_args()
    counts = {True: 0, False: 0}

    def report(good, what):
        counts[good] += 1
        print("ok  " if good else "FAIL", what, flush=True)

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            out = model.generate(**ids, max_new_tokens=arguments.new_tokens, do_sample=False)[0]
        expected = out[ids["input_ids"].shape[1]:].tolist()
        found = run(arguments, "generate", arguments.model, "-p", prompt, "--mode", "float32",
                    "--max-tokens", str(arguments.new_tokens))["tokens"]
        same = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
        report(found == expected, f"greedy text of {prompt!r}: {same} of {len(expected)} tokens")

    text = open(arguments.text, encoding="utf-8").read()
    ids = tokenizer(text).input_ids[:arguments.tokens]
    window = min(1024, model.config.max_position_embeddings)
    cut = ["--window", str(window), "--stride", str(window)]

    def compare(name, path, peer, bound, mode, count):
        own = run(arguments, "eval", path, arguments.text, *cut, "--tokens", str(count), "--mode", mode)
        assert own["tokens"] == len(ids[:count]), (own["tokens"], len(ids))
        ours, theirs = own["models"][0]["perplexity"], perplexity(peer, ids[:count], window)
        off = ours / theirs - 1
        report(abs(off) < bound, f"perplexity {name}, {mode}: {ours:.4f}, peer {theirs:.4f}, {100 * off:+.3f} %")

    compare("unquantized", arguments.model, model, 1e-3, "float32", arguments.tokens)
    del model
    for name, options in FORMATS.items():
        path = os.path.join(arguments.scratch, "model-" + name)
        if not os.path.exists(path):
            run(arguments, "convert", arguments.model, path, *options)
        # Its own settings: 4-bit weights computed with in bfloat16.
        peer = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)
        if name != "int8":
            compare(name, path, peer, 3e-3, "bfloat16", arguments.tokens)
            continue
        # It rounds activations to 8 bits as well, row by row, which costs more than the weights do; the same
        # codes without that are its dequantized model. A thousand tokens take it a minute.
        count = min(arguments.tokens, arguments.int8_tokens)
        print(f"     int8 with 8-bit activations, by the peer: {perplexity(peer, ids[:count], window):.4f}")
        print(f"     int8 with 8-bit activations, here: "
              f"{run(arguments, 'eval', path, arguments.text, *cut, '--tokens', str(count), '--mode', 'int8')['models'][0]['perplexity']:.4f}")
        compare(name, path, peer.dequantize().float(), 3e-3, "float32", count)
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(1 if counts[False] else 0)


main()
