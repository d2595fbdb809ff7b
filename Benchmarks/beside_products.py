#!/usr/bin/env python3
"""Times products with quantized weights of 4096 x 4096 beside other libraries: docs/performance.md.

    swift build -c release --product quantize
    .build/peers/bin/pip install openvino onnxruntime onnx    # into what Scripts/check-peers makes; left out if missing
    export OMP_PROC_BIND=true OMP_PLACES=cores
    .build/peers/bin/python Benchmarks/beside_products.py .build/release/quantize [--table products|gradients|int8]

bitsandbytes' layers are in evaluation mode, so that they pack their weight for the processor, and compute in the type
of their activations. For one row, all take their weight from another place of memory each time. Every figure is the
median of three rounds in which the programs alternate; GFLOP/s count each product and each sum of the unquantized
matrix product.
"""
import argparse
import importlib.util
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

CORES = os.sched_getaffinity(0)  # before OpenMP binds this thread to one of them
import bitsandbytes  # noqa: E402
import torch  # noqa: E402

SIZE = 4096
ROWS = [1, 8, 32, 128, 512]
SECONDS = 0.3  # for each measurement
COPIES = 16  # of a weight, more than caches hold
OTHERS = [name for name in ("openvino", "onnxruntime") if importlib.util.find_spec(name)]


def run(command):
    own_cores = lambda: os.sched_setaffinity(0, CORES)  # noqa: E731
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=own_cores).stdout)


def bench(quantize, operation, weight, mode):
    """Returns seconds by the number of rows."""
    result = run([quantize, "bench", "--json", "--no-progress", "--filter", f"{operation}/{weight}/"])
    return {int(row["format"].split("/")[1]): row["median_seconds"] for row in result["results"]
            if row["selected"] and row["element"] == mode}


def other(name):
    """Returns seconds by the number of rows, measured in another process."""
    script = pathlib.Path(__file__).with_name("product_peers.py")
    return {int(rows): seconds for rows, seconds in run([sys.executable, script, name, *map(str, ROWS)]).items()}


def timed(call):
    for _ in range(COPIES):  # bitsandbytes packs a weight when it is first used
        call()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def by_rows(layers, dtype, call):
    """Returns seconds by the number of rows of `call(layer, x)`; for one row the layers take turns."""
    seconds = {}
    for rows in ROWS:
        x = torch.randn(rows, SIZE).to(dtype)
        own = itertools.cycle(layers if rows == 1 else layers[:1])
        seconds[rows] = timed(lambda: call(next(own), x))
    return seconds


def nf4_layer(weight, dtype):
    result = bitsandbytes.nn.Linear4bit(SIZE, SIZE, bias=False, compute_dtype=dtype, quant_type="nf4")
    result.weight = bitsandbytes.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    return result.to("cpu").eval()


def int8_layer(weight):
    result = bitsandbytes.nn.Linear8bitLt(SIZE, SIZE, bias=False, has_fp16_weights=False, threshold=0)
    result.weight = bitsandbytes.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    return result.to("cpu").eval()


def gradient(layer, x):
    """Returns a function that computes the gradient with respect to x, and no more."""
    x = x.clone().requires_grad_()
    y = layer(x)
    dy = torch.ones_like(y)
    return lambda: torch.autograd.grad(y, x, dy, retain_graph=True)


def table(programs):
    """Measures programs, each a name and a function that returns seconds by rows, in turn, and prints GFLOP/s."""
    rounds = [[measure() for _, measure in programs] for _ in range(3)]
    print("| rows | " + " | ".join(name for name, _ in programs) + " |")
    print("|---:|" + "---:|" * len(programs))
    for rows in ROWS:
        medians = [statistics.median(each[place][rows] for each in rounds) for place in range(len(programs))]
        print(f"| {rows} | " + " | ".join(f"{2e-9 * rows * SIZE * SIZE / s:.1f}" for s in medians) + " |", flush=True)
    print()


def products(quantize, weight):
    print("### Products with NF4\n")
    plain = [weight.bfloat16().clone() for _ in range(COPIES)]
    layers = [nf4_layer(each, torch.bfloat16) for each in plain]
    linear = torch.nn.functional.linear
    table([(f"this, {mode}", lambda mode=mode: bench(quantize, "multiply", "nf4", mode))
           for mode in ("float32", "bfloat16", "int8")]
          + [("bitsandbytes, bfloat16", lambda: by_rows(layers, torch.bfloat16, lambda layer, x: layer(x)))]
          + [(name, lambda name=name: other(name)) for name in OTHERS]
          + [("torch, unquantized bfloat16", lambda: by_rows(plain, torch.bfloat16, lambda w, x: linear(x, w)))])


def gradients(quantize, weight):
    print("### Gradients with respect to the activations, NF4\n")
    layer = nf4_layer(weight.bfloat16(), torch.bfloat16)

    def peer():
        inputs = {rows: torch.randn(rows, SIZE).bfloat16() for rows in ROWS}
        return {rows: timed(gradient(layer, x)) for rows, x in inputs.items()}

    table([(f"this, {mode}", lambda mode=mode: bench(quantize, "gradient", "nf4", mode))
           for mode in ("float32", "bfloat16")] + [("bitsandbytes, bfloat16", peer)])


def int8(quantize, weight):
    print("### Products with LLM.int8()\n")
    layers = [int8_layer(weight.half()) for _ in range(COPIES)]
    table([(f"this, {mode}", lambda mode=mode: bench(quantize, "multiply", "int8", mode))
           for mode in ("float32", "bfloat16", "int8")]
          + [("bitsandbytes, int8", lambda: by_rows(layers, torch.float16, lambda layer, x: layer(x)))])


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--table", choices=["products", "gradients", "int8"], help="only this one")
    a = parser.parse_args()
    torch.manual_seed(0)
    weight = torch.randn(SIZE, SIZE)
    for name in ("openvino", "onnxruntime"):
        if name not in OTHERS:
            print(f"SKIPPED {name}: not installed\n")
    for name in [a.table] if a.table else ["products", "gradients", "int8"]:
        with torch.enable_grad() if name == "gradients" else torch.no_grad():
            globals()[name](a.quantize, weight)


if __name__ == "__main__":
    main()
