#!/usr/bin/env python3
"""Measures layers with adapters beside PEFT on bitsandbytes' 4-bit layers, in one run.

    .build/peers/bin/python Benchmarks/beside_layers.py .build/release/quantize

The tasks are those of `quantize bench --layers`: NF4, rank 16, products in bfloat16. Ours and theirs take turns, task by task
as often as --repeats says; printed are medians of milliseconds and their ratio. Needs the packages that Scripts/check-peers
installs.
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

import bitsandbytes  # noqa: E402
import peft  # noqa: E402
import torch  # noqa: E402


class Model(torch.nn.Module):
    is_loaded_in_4bit = True

    def __init__(self, outputs, inputs):
        super().__init__()
        self.layer = bitsandbytes.nn.Linear4bit(inputs, outputs, bias=False, quant_type="nf4", compute_dtype=torch.bfloat16)
        self.layer.to("cpu")

    def forward(self, x):
        return self.layer(x)


def theirs(task):
    """Seconds of one pass, median of a second of them."""
    rows, inputs, outputs = task["rows"], task["inputs"], task["outputs"]
    model = Model(outputs, inputs)
    way = task["with"]
    if way != "bare":
        config = peft.LoraConfig(r=16, lora_alpha=32, target_modules=["layer"], use_dora=way == "dora", init_lora_weights=way == "dora")
        model = peft.get_peft_model(model, config)
        if way == "mixed":
            for name in "bcd":
                model.add_adapter(name, peft.LoraConfig(r=16, lora_alpha=32, target_modules=["layer"], init_lora_weights=False))
    model.train(task["backward"])
    # Samples of a batch, where adapters are mixed.
    shape = (8, rows // 8, inputs) if way == "mixed" else (rows, inputs)
    x = torch.randn(*shape, dtype=torch.bfloat16, requires_grad=task["backward"])
    names = {"adapter_names": ["default", "b", "c", "d"] * 2} if way == "mixed" else {}
    gradient = torch.randn(*shape[:-1], outputs, dtype=torch.bfloat16)

    def once():
        if task["backward"]:
            model(x).backward(gradient)
        else:
            with torch.no_grad():
                model(x, **names)

    once()
    times, end = [], time.monotonic() + 1
    while len(times) < 5 or time.monotonic() < end:
        began = time.perf_counter()
        once()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def ours(tool):
    done = subprocess.run([tool, "bench", "--layers", "--json", "--quiet"], check=True, capture_output=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, CORES))
    return json.loads(done.stdout)["layers"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(len(CORES))
    runs, peers = [], []
    for _ in range(arguments.repeats):
        runs.append(ours(arguments.quantize))
        found = []
        for task in runs[0]:
            try:
                found.append(theirs(task) * 1e3)
            except Exception as error:  # noqa: BLE001
                found.append(f"{type(error).__name__}")
        peers.append(found)
    print(f"{'layer':16} {'rows':>5} {'':9} {'with':6} {'ours, ms':>9} {'theirs':>9} {'ratio':>6}")
    for index, task in enumerate(runs[0]):
        mine = statistics.median(run[index]["milliseconds"] for run in runs)
        other = [run[index] for run in peers]
        failed = isinstance(other[0], str)
        value = other[0] if failed else statistics.median(other)
        kind = "both ways" if task["backward"] else "forward"
        shown = f"{value:>9}" if failed else f"{value:9.3f} {value / mine:6.2f}"
        print(f"{task['outputs']:5} x {task['inputs']:5}    {task['rows']:5} {kind:9} {task['with']:6} {mine:9.3f} {shown}", flush=True)


main()
