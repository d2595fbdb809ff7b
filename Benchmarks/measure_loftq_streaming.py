#!/usr/bin/env python3
"""Measures `quantize loftq` on a checkpoint larger than its memory: time, peak memory, and the bytes after a kill.

    swift build -c release --product quantize
    python3 Benchmarks/measure_loftq_streaming.py .build/release/quantize                  a 6 GB sharded checkpoint
    python3 Benchmarks/measure_loftq_streaming.py .build/release/quantize --gigabytes 0.5  a small one

The checkpoint is that of measure_convert.py; rank 16, one iteration, --memory-limit 1GiB. One run goes through; another
is killed when half of that time has passed, and resumed. Digests of both have to be the same, and on a checkpoint of
0.3 GB those of 1, 2 and 7 threads. Only the standard library is used.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from measure_convert import measure, write_checkpoint

failed = 0


def check(name, good):
    global failed
    failed += not good
    print(("ok    " if good else "FAIL  ") + name, flush=True)


def sums(folder):
    with open(os.path.join(folder, "SHA256SUMS")) as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("quantize")
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--folder")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=a.folder) as scratch:
        path = lambda name: os.path.join(scratch, name)
        command = lambda source, output, *options: [
            a.quantize, "loftq", path(source), path(output), "--quiet", "--memory-limit", "1GiB", *options]
        for name in ("model", "small"):
            os.mkdir(path(name))
        byte_count = write_checkpoint(path("model"), a.gigabytes)
        seconds, anonymous = measure(command("model", "whole"))
        print("%.2f GB, rank 16: %.0f s, %.1f MB/s, %.0f MB anonymous" % (
            byte_count / 1e9, seconds, byte_count / 1e6 / seconds, anonymous * 1024 / 1e6), flush=True)
        check("stays within the limit", anonymous * 1024 < 1 << 30)
        process = subprocess.Popen(command("model", "killed"), stdout=subprocess.DEVNULL)
        time.sleep(seconds / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = sum(name.startswith(".part-") for name in os.listdir(path("killed.partial")))
        began = time.monotonic()
        subprocess.run(command("model", "killed", "--resume"), check=True, stdout=subprocess.DEVNULL)
        print("killed with %d layers done, resumed in %.0f s" % (kept, time.monotonic() - began), flush=True)
        check("the same bytes after a kill", sums(path("whole")) == sums(path("killed")))
        write_checkpoint(path("small"), 0.3)
        for threads in ("1", "2", "7"):
            subprocess.run(command("small", "out" + threads, "--threads", threads), check=True, stdout=subprocess.DEVNULL)
        check("the same bytes for 1, 2 and 7 threads", len({sums(path("out" + threads)) for threads in "127"}) == 1)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
