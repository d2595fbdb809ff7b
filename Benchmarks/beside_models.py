#!/usr/bin/env python3
"""Measures a whole model beside torch, bitsandbytes and llama.cpp, in one run.

    .build/peers/bin/python Benchmarks/beside_models.py .build/release/quantize MODEL [--gguf FILE]

MODEL is a folder of transformers that is not quantized. Written are 128 tokens behind 30, read are prompts of 512, as
`quantize bench --model` has it; all take turns, and medians are printed. torch runs the model in bfloat16, bitsandbytes in NF4
with a bfloat16 head; llama.cpp, where a file of the same model is given, as the file has it (needs llama-cpp-python). Needs the
packages that Scripts/check-peers installs.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

os.environ.setdefault("OMP_PROC_BIND", "true")
os.environ.setdefault("OMP_PLACES", "cores")
CORES = os.sched_getaffinity(0)

import torch  # noqa: E402
import transformers  # noqa: E402

SHORT, WRITTEN, LONG = 30, 128, 512


def tokens(count):
    return [97 * index % 40000 for index in range(count)]


class Torch:
    """A model of transformers, with its own cache."""

    def __init__(self, path, written, **options):
        self.written = written
        self.model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16, **options).eval()

    @torch.inference_mode()
    def decode(self):
        cache = self.model(torch.tensor([tokens(SHORT)]), use_cache=True).past_key_values
        began = time.perf_counter()
        for token in tokens(self.written):
            cache = self.model(torch.tensor([[token]]), past_key_values=cache, use_cache=True).past_key_values
        return self.written / (time.perf_counter() - began)

    @torch.inference_mode()
    def prompt(self):
        ids = torch.tensor([tokens(LONG)])
        began = time.perf_counter()
        self.model(ids, use_cache=True, logits_to_keep=1)
        return LONG / (time.perf_counter() - began)


class Llama:
    def __init__(self, path, threads):
        import llama_cpp

        self.model = llama_cpp.Llama(path, n_ctx=1024, n_batch=LONG, n_threads=threads, n_threads_batch=threads, verbose=False)

    def decode(self):
        self.model.reset()
        self.model.eval(tokens(SHORT))
        began = time.perf_counter()
        for token in tokens(WRITTEN):
            self.model.eval([token])
        return WRITTEN / (time.perf_counter() - began)

    def prompt(self):
        self.model.reset()
        began = time.perf_counter()
        self.model.eval(tokens(LONG))
        return LONG / (time.perf_counter() - began)


def ours(tool, path):
    done = subprocess.run([tool, "bench", "--model", path, "--seconds", "0.001", "--json", "--quiet"], check=True,
                          capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, CORES))
    return {row["task"]: row["tokens_per_second"] for row in json.loads(done.stdout)["model"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("model")
    parser.add_argument("--gguf")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    nf4 = transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
    peers = {
        "torch, bfloat16": Torch(arguments.model, WRITTEN),
        # A quarter of the tokens: they take long.
        "bitsandbytes, NF4": Torch(arguments.model, WRITTEN // 4, quantization_config=nf4),
    }
    if arguments.gguf:
        peers[f"llama.cpp, {os.path.basename(arguments.gguf)}"] = Llama(arguments.gguf, len(CORES))
    rates = {}
    for _ in range(arguments.repeats + 1):
        for task, rate in ours(arguments.quantize, arguments.model).items():
            rates.setdefault(("swift-qlora, NF4", task), []).append(rate)
        for name, peer in peers.items():
            rates.setdefault((name, "decode"), []).append(peer.decode())
            rates.setdefault((name, "prompt"), []).append(peer.prompt())
    print(f"{'':<52}{'tokens/s':>10}{'lowest':>10}{'highest':>10}")
    for (name, task), found in rates.items():
        found = found[1:]
        print(f"{name + ': ' + task:<52}{statistics.median(found):>10.0f}{min(found):>10.0f}{max(found):>10.0f}")


if __name__ == "__main__":
    main()
