#!/usr/bin/env python3
"""Lets every file operation of a writing program fail once, and looks at what it leaves.

    check_faults.py --shim faultio.so [--kills N] [--every N] [--seed S] NAME=COMMAND ...

COMMAND is a shell-like line in which {dst} stands for the destination; `--resume` and `--force`
are appended to it. For each operation and each way of failing:

* ENOSPC, EIO, EDQUOT: exit 74 with `file.io` named, no destination, and either no temporary folder
  or one that `--resume` continues to the same bytes; or success with the same bytes.
* EINTR, SHORT: success with the same bytes.
* KILL: no destination or a whole one, and a next run gives the same bytes.

The same for the operations of a run that continues a killed one, if there is anything to continue.
Then kills at random moments, resumed until the end; then the order of synchronizations, by strace.
"""
import argparse
import hashlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ERRORS = ["ENOSPC", "EIO", "EDQUOT"]
MODES = ERRORS + ["EINTR", "SHORT", "KILL"]


def digest(path):
    """Names and contents of everything below a path; None if there is nothing."""
    if not os.path.lexists(path):
        return None
    found = {}
    if os.path.isfile(path):
        return hashlib.sha256(open(path, "rb").read()).hexdigest()
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                found[os.path.relpath(full, path)] = hashlib.sha256(file.read()).hexdigest()
    return found


class Checker:
    def __init__(self, name, command, options, scratch):
        self.name = name
        self.command = shlex.split(command)
        self.options = options
        self.scratch = os.path.join(scratch, name)
        os.mkdir(self.scratch)
        self.dst = os.path.join(self.scratch, "dst")
        self.log = os.path.join(scratch, name + ".log")
        self.failures = []
        self.runs = 0

    def arguments(self, *flags):
        return [part.replace("{dst}", self.dst) for part in self.command] + list(flags)

    def run(self, *flags, **environment):
        self.runs += 1
        return subprocess.run(
            self.arguments(*flags),
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=120,  # raises: a program that hangs ends the check
        )

    def inject(self, number, mode, *flags):
        return self.run(
            *flags,
            LD_PRELOAD=self.options.shim,
            FAULTIO_ONLY=self.scratch,
            FAULTIO_AT=str(number),
            FAULTIO_MODE=mode,
        )

    def clean(self):
        shutil.rmtree(self.scratch)
        os.mkdir(self.scratch)

    def leftovers(self):
        return sorted(set(os.listdir(self.scratch)) - {"dst"})

    def fail(self, place, what, result=None):
        text = f"{self.name}: {place}: {what}"
        if result is not None:
            text += f" (exit {result.returncode}) {result.stderr.decode(errors='replace').strip()}"
        self.failures.append(text)
        print(text, flush=True)

    # The reference

    def prepare(self):
        result = self.run()
        if result.returncode != 0:
            self.fail("without faults", "failed", result)
            return False
        self.expected = digest(self.dst)
        if self.leftovers():
            self.fail("without faults", f"left {self.leftovers()}")
        self.clean()
        return True

    def count(self, old):
        if old is not None:
            self.place_old(old)
        flags = ["--force"] if old is not None else []
        self.run(*flags, LD_PRELOAD=self.options.shim, FAULTIO_ONLY=self.scratch,
                 FAULTIO_LOG=self.log)
        if digest(self.dst) != self.expected:
            self.fail("counting", "other bytes")
        self.clean()
        with open(self.log) as file:
            return int(file.read().rsplit("total ", 1)[1])

    def place_old(self, old):
        os.mkdir(self.dst)
        # Only an earlier output is replaced, which tells by its list of digests.
        sums = "# Written by swift-qlora; check with: sha256sum -c SHA256SUMS\n"
        for name, text in sorted(old.items()):
            sums += f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        for name, text in {**old, "SHA256SUMS": sums}.items():
            with open(os.path.join(self.dst, name), "w") as file:
                file.write(text)

    # Every operation

    def check_operations(self, old=None):
        total = self.count(old)
        flags = ["--force"] if old is not None else []
        for number in range(1, total + 1):
            for mode in MODES:
                if (number + MODES.index(mode)) % self.options.every:
                    continue
                self.clean()
                before = None
                if old is not None:
                    self.place_old(old)
                    before = digest(self.dst)
                place = f"operation {number} of {total}, {mode}{' with --force' if flags else ''}"
                self.judge(place, mode, self.inject(number, mode, *flags), before, flags)
        self.clean()
        return total

    def check_resumed(self, total):
        """The operations of a run that goes on after a kill two thirds through."""
        self.inject(total * 2 // 3, "KILL")
        stopped = os.path.join(self.scratch, "dst.partial")
        if not os.path.isdir(stopped):
            return 0
        kept = self.log + ".partial"
        shutil.copytree(stopped, kept)
        flags = ["--resume"]
        result = self.run(*flags, LD_PRELOAD=self.options.shim, FAULTIO_ONLY=self.scratch,
                          FAULTIO_LOG=self.log)
        if result.returncode != 0 or digest(self.dst) != self.expected:
            self.fail("resuming", "other bytes", result)
            return 0
        with open(self.log) as file:
            operations = int(file.read().rsplit("total ", 1)[1])
        for number in range(1, operations + 1):
            for mode in MODES:
                if (number + MODES.index(mode)) % self.options.every:
                    continue
                self.clean()
                shutil.copytree(kept, stopped)
                place = f"operation {number} of {operations}, {mode} with --resume"
                self.judge(place, mode, self.inject(number, mode, *flags), None, [])
        shutil.rmtree(kept)
        self.clean()
        return operations

    def judge(self, place, mode, result, before, flags):
        found = digest(self.dst)
        if found not in (before, self.expected):
            return self.fail(place, "something else is at the destination", result)
        if mode == "KILL":
            if result.returncode != -signal.SIGKILL:
                return self.fail(place, "was not killed", result)
            return self.judge_next_run(place, found, flags)
        if result.returncode == 0:
            if found == self.expected and self.leftovers() and "--force" in flags:
                # The output is in place; the replaced one could not be removed, which is a
                # warning. A next run clears it away.
                self.judge_next_run(place, None, flags)
            elif found != self.expected or self.leftovers():
                self.fail(place, f"success, but left {self.leftovers()} or other bytes", result)
            return None
        if mode not in ERRORS:
            return self.fail(place, "should have gone on", result)
        text = result.stderr.decode(errors="replace")
        if result.returncode != 74 or "file.io" not in text:
            return self.fail(place, "another error than file.io with exit 74", result)
        if found != before:
            return self.fail(place, "the destination changed in spite of the error", result)
        if self.leftovers():
            # The tool names its option, the library its own.
            if "--resume" not in text and "`resumes`" not in text:
                self.fail(place, f"left {self.leftovers()} without a word", result)
            self.judge_next_run(place, found, flags)
        return None

    def judge_next_run(self, place, found, flags):
        done = found == self.expected
        if done and not flags:
            # It was in place already; a next run has nothing to do but may not harm it.
            result = self.run("--resume", "--force")
        else:
            result = self.run("--resume", *flags)
        if result.returncode != 0 or digest(self.dst) != self.expected or self.leftovers():
            self.fail(place, f"the next run did not mend it, left {self.leftovers()}", result)

    # Random moments

    def check_kills(self, generator):
        started = time.monotonic()
        self.run()
        duration = max(time.monotonic() - started, 0.01)
        resumed = 0
        for index in range(self.options.kills):
            self.clean()
            for _ in range(50):
                process = subprocess.Popen(
                    self.arguments("--resume"),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
                )
                self.runs += 1
                kind = generator.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
                try:
                    status = process.wait(timeout=generator.uniform(0, duration * 1.2))
                except subprocess.TimeoutExpired:
                    process.send_signal(kind)
                    status = process.wait()
                    resumed += 1
                found = digest(self.dst)
                if found not in (None, self.expected):
                    self.fail(f"kill {index}", "a torn destination")
                # Before the handlers are in place a signal is what it always was.
                allowed = (0, 75, -signal.SIGKILL, -signal.SIGTERM)
                if status not in allowed and not (found and status == 73):
                    self.fail(f"kill {index}", f"exit {status}")
                if found:
                    break
            else:
                result = self.run("--resume")
                if result.returncode != 0:
                    self.fail(f"kill {index}", "never ends", result)
            if digest(self.dst) != self.expected:
                self.fail(f"kill {index}", "other bytes")
        self.clean()
        return resumed

    # Memory

    def check_allocations(self):
        self.run(LD_PRELOAD=self.options.shim, FAULTIO_LOG=self.log,
                 FAULTIO_ALLOC_MIN="1048576")
        self.clean()
        with open(self.log) as file:
            total = int(file.read().rsplit("allocations ", 1)[1].split()[0])
        for number in range(1, total + 1):
            self.clean()
            result = self.run(LD_PRELOAD=self.options.shim, FAULTIO_ALLOC_AT=str(number),
                              FAULTIO_ALLOC_MIN="1048576")
            found = digest(self.dst)
            if result.returncode == 0 and found == self.expected:
                continue
            if result.returncode not in (74, 75) or found is not None:
                self.fail(f"allocation {number} of {total}", "not refused cleanly", result)
        self.clean()
        return total

    # The order of synchronizations

    def check_order(self):
        """Returns whether system calls can be traced here."""
        probe = subprocess.run(["strace", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL)
        if probe.returncode != 0:
            return False
        trace = self.log + ".strace"
        for flags in [], ["--force"]:
            calls = "trace=%file,%desc"
            result = subprocess.run(
                ["strace", "-f", "-y", "-s", "0", "-e", calls, "-o", trace]
                + self.arguments(*flags),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            if result.returncode != 0:
                self.fail("under strace", "failed", result)
                continue
            judged = subprocess.run(
                [sys.executable, os.path.join(HERE, "check_durability.py"), trace, self.scratch],
                stdout=subprocess.PIPE,
            )
            if judged.returncode != 0:
                self.fail("order of synchronizations", judged.stdout.decode().strip())
            self.clean()
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shim", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="check one in so many combinations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    options.shim = os.path.realpath(options.shim)
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="check-faults-"))
    failures = []
    try:
        for item in options.commands:
            name, command = item.split("=", 1)
            checker = Checker(name, command, options, scratch)
            started = time.monotonic()
            if checker.prepare():
                total = checker.check_operations()
                forced = checker.check_operations({"old.txt": "old\n"})
                resumed = checker.check_resumed(total)
                allocations = checker.check_allocations()
                interrupted = checker.check_kills(random.Random(options.seed))
                if not shutil.which("strace"):
                    print("skipped: order of synchronizations (strace is not installed)")
                elif not checker.check_order():
                    print("skipped: order of synchronizations (strace may not trace here)")
                print(f"{name}: {total} operations, {forced} with --force, "
                      f"{resumed} with --resume, "
                      f"{allocations} large allocations, {interrupted} runs cut short, "
                      f"{checker.runs} runs in {time.monotonic() - started:.0f} s, "
                      f"{len(checker.failures)} failures")
            failures += checker.failures
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
