#!/usr/bin/env python3
"""Measures `quantize convert` end to end: bytes of input per second from the page cache, and peak memory.

    swift build -c release --product quantize
    python3 Benchmarks/measure_convert.py .build/release/quantize                  a 6 GB sharded checkpoint
    python3 Benchmarks/measure_convert.py .build/release/quantize --gigabytes 0.5  a small one

The checkpoint is synthetic: a llama-shaped model of Gaussian bf16 weights in shards of 1 GB, kept in --folder (default: a temporary
folder, removed at the end). Each flavour runs --repeats times with the input in the page cache; printed are the median rate and the
largest peak of anonymous memory (RssAnon, sampled from /proc) and of all resident memory (as the kernel counts it).
Needs Linux, Python 3, and disk space of 1.5 times the size. Only the standard library is used.
"""
import argparse
import array
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

FLAVOURS = {
    "nf4": ["--type", "nf4"],
    "nf4 double-quantized": ["--type", "nf4", "--double-quant"],
    "fp4": ["--type", "fp4"],
    "int8": ["--type", "int8"],
}


def gaussian_bf16(count, seed):
    """`count` bf16 values of standard deviation 0.02, little-endian; their upper half is cut from float32."""
    source = random.Random(seed)
    floats = array.array("f", (source.gauss(0, 0.02) for _ in range(count)))
    raw = floats.tobytes()
    halves = bytearray(count * 2)
    halves[0::2], halves[1::2] = raw[2::4], raw[3::4]
    return bytes(halves)


def write_checkpoint(folder, gigabytes):
    """A llama of hidden size 2048 with as many layers as make the size; returns the bytes of its tensors."""
    hidden, inter, vocab = 2048, 5632, 32000
    shapes = {"self_attn.q_proj": [hidden, hidden], "self_attn.k_proj": [256, hidden], "self_attn.v_proj": [256, hidden],
              "self_attn.o_proj": [hidden, hidden], "mlp.gate_proj": [inter, hidden], "mlp.up_proj": [inter, hidden],
              "mlp.down_proj": [hidden, inter], "input_layernorm": [hidden], "post_attention_layernorm": [hidden]}

    def size(shape):
        total = 2
        for length in shape:
            total *= length
        return total

    layer_bytes = sum(size(s) for s in shapes.values())
    outer = {"model.embed_tokens.weight": [vocab, hidden], "model.norm.weight": [hidden]}
    layers = max(1, int((gigabytes * 1e9 - sum(size(s) for s in outer.values())) / layer_bytes))
    tensors = [("model.embed_tokens.weight", outer["model.embed_tokens.weight"])]
    for i in range(layers):
        tensors += [("model.layers.%d.%s.weight" % (i, n), s) for n, s in shapes.items()]
    tensors.append(("model.norm.weight", outer["model.norm.weight"]))

    shards, filled = [[]], 0
    for name, shape in tensors:
        if filled + size(shape) > 1_000_000_000 and shards[-1]:
            shards.append([])
            filled = 0
        shards[-1].append((name, shape))
        filled += size(shape)
    pattern = gaussian_bf16(1_000_003, 1)  # a prime length, so that repeats never line up with rows
    weight_map, total = {}, 0
    for number, shard in enumerate(shards, 1):
        name = "model-%05d-of-%05d.safetensors" % (number, len(shards))
        header, position = {"__metadata__": {"format": "pt"}}, 0
        for tensor, shape in shard:
            header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [position, position + size(shape)]}
            position += size(shape)
            weight_map[tensor] = name
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            left = position
            while left:
                left -= file.write(pattern[:left])
        total += position
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
                   "intermediate_size": inter, "num_hidden_layers": layers, "num_attention_heads": 32,
                   "num_key_value_heads": 4, "vocab_size": vocab, "max_position_embeddings": 2048, "rms_norm_eps": 1e-05,
                   "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True, "dtype": "bfloat16"}, file)
    return total


def warm(folder):
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb", buffering=0) as file:
            while file.read(1 << 24):
                pass


def measure(command):
    """Seconds, peak anonymous and peak resident kilobytes of one run."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    anonymous = 0
    status = "/proc/%d/status" % process.pid
    while process.poll() is None:
        try:
            with open(status) as file:
                for line in file:
                    if line.startswith("RssAnon:"):
                        anonymous = max(anonymous, int(line.split()[1]))
        except OSError:
            pass
        time.sleep(0.01)
    seconds = time.monotonic() - began
    if process.returncode:
        sys.exit("convert failed with exit code %d" % process.returncode)
    return seconds, anonymous


def peak_resident(command):
    """Peak resident kilobytes of one run, as the kernel counts it for the process."""
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, code, usage = os.wait4(pid, 0)
    if code:
        sys.exit("convert failed")
    return usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder")
    parser.add_argument("--only", action="append", choices=list(FLAVOURS))
    a = parser.parse_args()
    scratch = a.folder or tempfile.mkdtemp(prefix="measure-convert-")
    source, target = os.path.join(scratch, "source"), os.path.join(scratch, "target")
    try:
        os.makedirs(source, exist_ok=True)
        total = write_checkpoint(source, a.gigabytes)
        print("input: %.2f GB of bf16 in %d files" % (total / 1e9, len(os.listdir(source)) - 2))
        print("%-24s %10s %10s %16s %15s" % ("", "seconds", "GB/s", "peak anonymous", "peak resident"))
        for name in a.only or FLAVOURS:
            command = [os.path.abspath(a.quantize), "convert", source, target, "--quiet", "--force", *FLAVOURS[name]]
            runs = []
            for _ in range(a.repeats):
                shutil.rmtree(target, ignore_errors=True)
                warm(source)
                os.sync()  # or the disk would still be writing what was there before
                runs.append(measure(command))
            shutil.rmtree(target, ignore_errors=True)
            resident = peak_resident(command)
            seconds = statistics.median(r[0] for r in runs)
            print("%-24s %10.2f %10.2f %13.1f MB %12.1f MB" % (
                name, seconds, total / 1e9 / seconds, max(r[1] for r in runs) * 1024 / 1e6, resident * 1024 / 1e6), flush=True)
            shutil.rmtree(target, ignore_errors=True)
    finally:
        if not a.folder:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
