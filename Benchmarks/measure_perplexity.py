#!/usr/bin/env python3
"""Prints what each format leaves of a model's perplexity, through transformers: the figures of docs/accuracy.md.

    swift build -c release --product quantize
    PEERS=.build/peers/bin/python        # made by Scripts/check-peers
    $PEERS Benchmarks/measure_perplexity.py .build/release/quantize MODEL TEXT [--tokens 20480]

MODEL is a folder that transformers opens, TEXT any text file. The first tokens of it are read in windows of 512,
of which the first is not scored. transformers computes with the dequantized weights in bfloat16.
"""
import argparse
import math
import os
import subprocess
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
WINDOW = 512
ROWS = [
    ("not quantized", None),
    ("NF4", ["--type", "nf4"]),
    ("NF4, double-quantized", ["--type", "nf4", "--double-quant"]),
    ("NF4, scale search", ["--type", "nf4", "--scale", "search"]),
    ("FP4", ["--type", "fp4"]),
    ("FP4, scale search", ["--type", "fp4", "--scale", "search"]),
    ("int8, by rows", ["--type", "int8"]),
]


@torch.no_grad()
def loss(folder, tokens):
    """The mean negative log-likelihood of a token, and the number of tokens scored."""
    # In training mode bitsandbytes dequantizes and multiplies, on every processor alike.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cpu").train()
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, WINDOW):
        window = torch.tensor([tokens[start:start + WINDOW]])
        logits = model(window).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum"))
        count += window.shape[1] - 1
    return total / count, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--tokens", type=int, default=20480)
    a = parser.parse_args()
    with open(a.text, encoding="utf-8") as file:
        tokens = AutoTokenizer.from_pretrained(a.model)(file.read()).input_ids[:a.tokens]
    print("| format | perplexity of %s tokens | loss |" % format(len(tokens), ","))
    print("|---|---:|---:|")
    for name, options in ROWS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = a.model
            if options:
                folder = os.path.join(scratch, "out")
                command = [a.quantize, "convert", a.model, folder, "--quiet", *options]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            value, _ = loss(folder, tokens)
            print("| %s | %.2f | %.4f |" % (name, math.exp(value), value), flush=True)


if __name__ == "__main__":
    main()
