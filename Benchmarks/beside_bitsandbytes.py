#!/usr/bin/env python3
"""Quantizing and dequantizing beside bitsandbytes, in one run and alternating, so that a busy machine slows both.

    swift build -c release --product quantize
    OMP_PROC_BIND=true OMP_PLACES=cores python3 Benchmarks/beside_bitsandbytes.py .build/release/quantize

Prints GB/s of floats for a 4096 x 4096 matrix on 2 threads, medians over --rounds, and the ratio. Needs the
packages torch and bitsandbytes.
"""
import argparse
import json
import statistics
import subprocess
import time

import bitsandbytes.functional as F
import torch

SIZE = 4096


def rate(function, byte_count, seconds=0.5):
    """GB/s of the median call; calls are repeated for some time."""
    function()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return byte_count / statistics.median(times) / 1e9


def peers():
    cases = []
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        weight = torch.randn(SIZE, SIZE).to(dtype)
        byte_count = weight.numel() * weight.element_size()
        for kind in ("nf4", "fp4"):
            codes, state = F.quantize_4bit(weight, blocksize=64, quant_type=kind)
            cases.append(("quantize/%s/%s" % (kind, name), byte_count,
                          lambda w=weight, k=kind: F.quantize_4bit(w, blocksize=64, quant_type=k)))
            cases.append(("dequantize/%s/%s" % (kind, name), byte_count,
                          lambda c=codes, s=state: F.dequantize_4bit(c, s)))
        if dtype == torch.float32:
            codes, state = F.quantize_blockwise(weight, blocksize=4096)
            cases.append(("quantize/8-bit/" + name, byte_count, lambda w=weight: F.quantize_blockwise(w, blocksize=4096)))
            cases.append(("dequantize/8-bit/" + name, byte_count, lambda c=codes, s=state: F.dequantize_blockwise(c, s)))
    return cases


def ours(tool, name):
    command = [tool, "bench", "--json", "--threads", "2", "--size", str(SIZE), "--filter", name]
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["results"]
    rows = [r for r in rows if r["selected"]]
    return rows[0]["gigabytes_per_second"] if rows else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    torch.set_num_threads(2)
    print("%-28s %10s %14s %8s" % ("GB/s of floats, 2 threads", "this", "bitsandbytes", "ratio"))
    for name, byte_count, function in peers():
        rounds = [(ours(a.quantize, name), rate(function, byte_count)) for _ in range(a.rounds)]
        if rounds[0][0] is None:
            continue
        mine, theirs = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        print("%-28s %10.2f %14.2f %8.1f" % (name, mine, theirs, mine / theirs), flush=True)


if __name__ == "__main__":
    main()
