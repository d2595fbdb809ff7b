#!/usr/bin/env python3
"""Prints what a new adapter wins back of what NF4 loses, untrained: the figures of docs/adapters.md.

    swift build -c release --product quantize
    PEERS=.build/peers/bin/python        # made by Scripts/check-peers
    $PEERS Benchmarks/measure_loftq.py .build/release/quantize MODEL TEXT [--tokens 20480]

MODEL is a folder that transformers opens, TEXT any text file that the model was not trained on. `quantize loftq`
writes base and adapter, `quantize fuse` the sum of both in the model's type, and transformers computes with that in
bfloat16: the mean loss of a token in windows of 512, of which the first is not scored. "won back" is the share of
the loss that NF4 adds. Squared errors of the weights stand beside it, because they tell something else.
"""
import argparse
import json
import math
import os
import subprocess
import tempfile
import time

from transformers import AutoTokenizer

from measure_perplexity import loss

ROWS = [
    (rank, name, ["--rank", str(rank), *options])
    for rank in (16, 64)
    for name, options in [
        ("LoftQ, 1 iteration", []),
        ("LoftQ, 5 iterations", ["--iterations", "5"]),
        ("QPiSSA", ["--method", "qpissa"]),
    ]
]


def run(quantize, *arguments):
    """Runs the tool and returns what it says as JSON."""
    command = [quantize, *arguments, "--quiet", "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def error(layers):
    """The relative error of all layers together, without and with the adapter."""
    weights = sum(layer["weight_norm"] ** 2 for layer in layers)
    parts = [sum(layer[key] ** 2 for layer in layers) for key in ("plain_error", "error")]
    return [math.sqrt(part / weights) for part in parts]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--tokens", type=int, default=20480)
    a = parser.parse_args()
    with open(a.text, encoding="utf-8") as file:
        tokens = AutoTokenizer.from_pretrained(a.model)(file.read()).input_ids[:a.tokens]
    print("| base and adapter | rank | perplexity | won back | squared error won back | layers rejected or worse | seconds |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    float_loss, _ = loss(a.model, tokens)
    print("| not quantized | | %.2f | | | | |" % math.exp(float_loss), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = lambda name: os.path.join(scratch, name)
        run(a.quantize, "convert", a.model, path("plain"))
        run(a.quantize, "dequantize", path("plain"), path("plain-floats"))
        plain_loss, _ = loss(path("plain-floats"), tokens)
        print("| NF4 | | %.2f | | | | |" % math.exp(plain_loss), flush=True)
        for index, (rank, name, options) in enumerate(ROWS):
            base, fused = path("base-%d" % index), path("fused-%d" % index)
            start = time.monotonic()
            made = run(a.quantize, "loftq", a.model, base, *options)
            seconds = time.monotonic() - start
            folder = "pissa_init" if "qpissa" in options else "loftq_init"
            run(a.quantize, "fuse", base, os.path.join(base, folder), fused)
            value, _ = loss(fused, tokens)
            plain, left = error(made["layers"])
            print("| %s | %d | %.2f | %.0f %% | %.0f %% | %d | %.0f |" % (
                name, rank, math.exp(value), 100 * (plain_loss - value) / (plain_loss - float_loss),
                100 * (1 - (left / plain) ** 2), sum(layer["verdict"] != "accept" or layer["gain"] < 0 for layer in made["layers"]), seconds,
            ), flush=True)


if __name__ == "__main__":
    main()
