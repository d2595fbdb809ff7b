#!/usr/bin/env python3
"""Times products with an NF4 weight of 4096 x 4096 beside bitsandbytes and unquantized torch: docs/performance.md.

    swift build -c release --product quantize
    export OMP_PROC_BIND=true OMP_PLACES=cores
    .build/peers/bin/python Benchmarks/beside_products.py .build/release/quantize    # Scripts/check-peers makes it

bitsandbytes' layer is in evaluation mode, so that it packs its weight for the processor, and computes in the type
of its activations. For one row, all three take their weight from another place of memory each time. Every figure is the median of three rounds in which the programs alternate; GFLOP/s count each
product and each sum of the unquantized matrix product.
"""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import time

CORES = os.sched_getaffinity(0)  # before OpenMP binds this thread to one of them
import bitsandbytes  # noqa: E402
import torch  # noqa: E402

SIZE = 4096
ROWS = [1, 8, 32, 128, 512]
TYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
SECONDS = 0.3  # for each measurement
COPIES = 16  # of a weight, more than caches hold


def bench(quantize, operation, rows, element):
    command = [quantize, "bench", "--json", "--no-progress", "--filter", f"{operation}/nf4/{rows}/{element}/"]
    own_cores = lambda: os.sched_setaffinity(0, CORES)  # noqa: E731
    output = subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=own_cores).stdout
    result = json.loads(output)
    return next((row["median_seconds"] for row in result["results"]
                 if row["selected"] and row["element"] == element), None)


@torch.no_grad()
def timed(call):
    for _ in range(COPIES):  # bitsandbytes packs a weight when it is first used
        call()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def layer(weight, dtype):
    """Returns bitsandbytes' layer with this weight."""
    result = bitsandbytes.nn.Linear4bit(SIZE, SIZE, bias=False, compute_dtype=dtype, quant_type="nf4")
    result.weight = bitsandbytes.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    return result.to("cpu").eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    a = parser.parse_args()
    torch.manual_seed(0)
    weight = torch.randn(SIZE, SIZE)
    print("| rows | type | this, GFLOP/s | bitsandbytes | torch, unquantized | beside bitsandbytes | beside torch |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for name, dtype in TYPES.items():
        plain = [weight.to(dtype).clone() for _ in range(COPIES)]
        layers = [layer(each, dtype) for each in plain]
        for rows in ROWS:
            x = torch.randn(rows, SIZE).to(dtype)
            count = COPIES if rows == 1 else 1
            own_layers, own_plain = itertools.cycle(layers[:count]), itertools.cycle(plain[:count])
            seconds = [[], [], []]
            for _ in range(3):
                seconds[0].append(bench(a.quantize, "multiply", rows, name))
                seconds[1].append(timed(lambda: next(own_layers)(x)))
                seconds[2].append(timed(lambda: torch.nn.functional.linear(x, next(own_plain))))
            if None in seconds[0]:
                continue
            own, peer, torch_ = (2e-9 * rows * SIZE * SIZE / statistics.median(s) for s in seconds)
            print(f"| {rows} | {name} | {own:.1f} | {peer:.1f} | {torch_:.1f} | {own / peer:.2f} | {own / torch_:.2f} |",
                  flush=True)


if __name__ == "__main__":
    main()
