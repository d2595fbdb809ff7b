#!/usr/bin/env python3
"""Measures `quantize fuse` end to end: bytes per second from the page cache, and peak memory.

    swift build -c release --product quantize
    python3 Benchmarks/measure_fuse.py .build/release/quantize                  a 6 GB sharded checkpoint
    python3 Benchmarks/measure_fuse.py .build/release/quantize --gigabytes 0.5  a small one

The checkpoint is that of measure_convert.py, the adapter of rank 16 on all its linear layers, LoRA or DoRA; "none" is dequantize,
which writes as much. Rates count the bf16 bytes of the model, which is what is written. Only the standard library is used.
"""
import argparse
import array
import json
import os
import random
import shutil
import statistics
import struct
import tempfile

from measure_convert import measure, warm, write_checkpoint

RANK = 16


def write_adapter(base, folder, dora):
    """Factors of Gaussian numbers for every linear layer of a checkpoint."""
    os.makedirs(folder)
    weight_map = json.load(open(os.path.join(base, "model.safetensors.index.json")))["weight_map"]
    shapes = {}
    for name in sorted(set(weight_map.values())):
        with open(os.path.join(base, name), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        shapes.update({k: v["shape"] for k, v in header.items() if k.endswith("_proj.weight")})
    tensors = []
    for name, (rows, columns) in shapes.items():
        path = "base_model.model." + name[: -len(".weight")]
        tensors += [(path + ".lora_A.weight", [RANK, columns]), (path + ".lora_B.weight", [rows, RANK])]
        if dora:
            tensors.append((path + ".lora_magnitude_vector", [rows]))
    source = random.Random(2)
    pattern = array.array("f", (source.gauss(0, 0.02) for _ in range(500_009))).tobytes()
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in sorted(tensors):
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        while position:
            position -= file.write(pattern[:position])
    with open(os.path.join(folder, "adapter_config.json"), "w") as file:
        json.dump({"peft_type": "LORA", "r": RANK, "lora_alpha": 32, "target_modules": "all-linear", "use_dora": dora}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", help="where the files are made; default: a temporary folder")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="measure-fuse.", dir=arguments.folder)
    try:
        base, nf4, out = (os.path.join(folder, name) for name in ("base", "nf4", "out"))
        os.makedirs(base)
        total = write_checkpoint(base, arguments.gigabytes)
        measure([arguments.quantize, "convert", base, nf4, "--double-quant", "--quiet"])
        print(f"{total / 1e9:.2f} GB of tensors, rank {RANK} on all linear layers")
        for kind, dora in (("none", False), ("LoRA", False), ("DoRA", True)):
            adapter = os.path.join(folder, kind)
            write_adapter(base, adapter, dora)
            runs = [("bf16", base, []), ("NF4", nf4, []), ("NF4, requantized", nf4, ["--requantize"])]
            for title, source, flags in runs if kind != "none" else runs[1:2]:
                seconds, peak = [], 0
                for _ in range(arguments.repeats):
                    shutil.rmtree(out, ignore_errors=True)
                    warm(source)
                    warm(adapter)
                    os.sync()  # or the disk would still be writing what was there before
                    command = ["dequantize", source] if kind == "none" else ["fuse", source, adapter]
                    time, anonymous = measure([arguments.quantize, *command, out, "--quiet", *flags])
                    seconds.append(time)
                    peak = max(peak, anonymous)
                rate = total / statistics.median(seconds) / 1e9
                print(f"{kind} on {title:18} {rate:6.2f} GB/s, {statistics.median(seconds):6.2f} s, "
                      f"{peak / 1e3:6.1f} MB of anonymous memory", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
