#!/usr/bin/env python3
"""Prints the error of every format on one model as a Markdown table: the figures of docs/accuracy.md.

    swift build -c release --product quantize
    python3 Benchmarks/measure_accuracy.py .build/release/quantize MODEL

MODEL is whatever `quantize convert` takes. Only the standard library is used.
"""
import argparse
import json
import os
import subprocess
import tempfile

ROWS = [("NF4", ["--type", "nf4"], size) for size in (32, 64, 128, 256, 512, 1024, 2048, 4096)]
ROWS += [("NF4, double-quantized", ["--type", "nf4", "--double-quant"], size) for size in (64, 128)]
ROWS += [("NF4, scale search", ["--type", "nf4", "--scale", "search"], size) for size in (64, 128, 256)]
ROWS += [("NF4, scale search, double-quantized", ["--type", "nf4", "--scale", "search", "--double-quant"], 64)]
ROWS += [("FP4", ["--type", "fp4"], size) for size in (32, 64, 128, 256)]
ROWS += [("FP4, scale search", ["--type", "fp4", "--scale", "search"], 64)]
ROWS += [("int8, by rows", ["--type", "int8"], None)]
ROWS += [("int8, by blocks", ["--type", "int8-blockwise"], size) for size in (64, 256, 4096)]


def totals(tool, model, options):
    with tempfile.TemporaryDirectory() as scratch:
        command = [tool, "convert", model, os.path.join(scratch, "out"), "--json", "--quiet", *options]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["totals"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("model")
    a = parser.parse_args()
    print("| format | block | bits per weight | relative RMSE | largest error |")
    print("|---|---:|---:|---:|---:|")
    for name, options, size in ROWS:
        t = totals(a.quantize, a.model, options + (["--block-size", str(size)] if size else []))
        print("| %s | %s | %.3f | %.5f | %.4f |" % (
            name, size or "row", t["bits_per_quantized_weight"], t["relative_rmse"], t["max_error"]), flush=True)


if __name__ == "__main__":
    main()
