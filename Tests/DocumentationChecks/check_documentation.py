#!/usr/bin/env python3
"""Runs what README.md and CONTRIBUTING.md tell their readers to run.

    check_documentation.py --quantize TOOL --model FOLDER [--gguf FILE] [--peers PYTHON]

Every fenced block has a language. `sh`: each line is a command. `python`: runs with transformers. `swift`: the first
one of README.md is the manifest of a package beside this one, all others are its programs; all are built and run, the
manifest also with the repository's URL. Commands in tables and in the text between backquotes are run as well, or looked up where
they take minutes or are this very run: those are listed in SLOW with the reason. A block in another language, and a
test filter that matches no test, are failures. Closes with "N passed, N failed, N skipped".
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/adapters.md", "docs/models.md", "Sources/Quant/Quant.docc/Working.md"]
# Commands that are not run here, and why.
SLOW = {
    "./Scripts/test": "this check is a part of it",
    "swift test": "a step of ./Scripts/test",
    "./Scripts/check-kernels": "a step of ./Scripts/test",
    "./Scripts/check-malformed": "a step of ./Scripts/test",
    "./Scripts/check-faults": "a step of ./Scripts/test",
    "./Scripts/check-peers": "a step of ./Scripts/test",
    "./Scripts/check-documentation": "this check",
    "./Scripts/quickstart --smollm2": "the same steps as ./Scripts/quickstart",
    "swift test --sanitize=address": "builds everything anew",
    "swift test --sanitize=thread": "builds everything anew",
    "./Scripts/fuzz": "takes hours",
    "cd Benchmarks && swift run -c release": "measures for minutes",
    "python3 Benchmarks/measure_convert.py": "measures for minutes",
    "python3 Benchmarks/measure_fuse.py": "measures for minutes",
    ".build/peers/bin/python Benchmarks/beside_products.py": "measures for minutes",
    ".build/peers/bin/python Benchmarks/beside_layers.py": "measures for minutes",
    ".build/peers/bin/python Benchmarks/beside_loftq.py": "measures for minutes",
    ".build/peers/bin/python Benchmarks/measure_perplexity.py": "measures for minutes",
    ".build/peers/bin/python Benchmarks/measure_loftq.py": "measures for minutes",
    "python3 Benchmarks/measure_loftq_streaming.py": "measures for minutes",
}
LANGUAGES = {"sh", "swift", "python", "text"}
passed = failed = skipped = 0


def report(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAIL  ") + name + ("\n" + detail.strip() if detail and not good else ""), flush=True)


def skip(name, reason):
    global skipped
    skipped += 1
    print("SKIPPED %s: %s" % (name, reason), flush=True)


def run(name, command, folder, environment=None):
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, shell=isinstance(command, str), text=True,
                          env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    name += " (%.0f s)" % (time.monotonic() - began)
    output = done.stdout
    report(name, done.returncode == 0, "\n".join(output.splitlines()[-20:]))
    return output


def blocks(text):
    return [(m[1], m[2]) for m in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]


def inline_commands(text):
    """Whatever between backquotes begins as a command."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    starts = ("./Scripts/", "swift ", "python3 ", ".build/", "cd ")
    found = [c for c in re.findall(r"`([^`\n]+)`", text) if c.startswith(starts)]
    return [c for c in dict.fromkeys(found) if not c.startswith(".build/release")]


def slow_reason(command):
    known = [key for key in SLOW if command == key or command.startswith(key + " ")]
    if command.startswith("swift test --filter"):
        return None
    return SLOW[max(known, key=len)] if known else None


def look_up(command):
    """Checks of a command that is not run what can be checked: its script is there."""
    for word in command.split():
        if "/" in word and not word.startswith("-") and ("Scripts/" in word or word.endswith(".py")):
            return os.access(os.path.join(ROOT, word), os.R_OK)
    return True


def with_release_flags(command):
    """Uses the build of Scripts/test, where it asks for that, and makes no second one in debug."""
    flags = os.environ.get("RELEASE_FLAGS")
    if not flags:
        return command
    command = re.sub(r"^swift (build|test)\b", r"swift \1 -c release " + flags, command)
    return re.sub(r"^swift test\b", "swift test --skip-build", command)


def shell(command, folder, tools):
    command = command.split("#")[0].strip()
    reason = slow_reason(command)
    if reason:
        report("is there: " + command, look_up(command))
        return skip(command, reason)
    in_repository = command.startswith(("./", "swift "))
    output = run(command, with_release_flags(command), ROOT if in_repository else folder, {"PATH": tools + ":" + os.environ["PATH"]})
    if command.startswith("swift test --filter"):
        count = re.findall(r"Test run with (\d+) tests", output)
        report("tests match: " + command, count and int(count[-1]) > 0, output[-500:])


def swift(name, manifest, programs, folder):
    """Builds the README's package beside this one with the programs of a document, one after the other."""
    package = os.path.join(folder, "my-tool")
    code = os.path.join(package, "Sources", "my-tool")
    os.makedirs(code, exist_ok=True)
    for number, program in enumerate(programs):
        with open(os.path.join(package, "Package.swift"), "w") as file:
            file.write(manifest)
        with open(os.path.join(code, "main.swift"), "w") as file:
            file.write(program)
        run("%s: program %d" % (name, number + 1), ["swift", "run", "--package-path", package], folder)


def swift_from_repository(manifest, folder):
    """Resolves the README's package with a repository's URL in place of a path."""
    package = os.path.join(folder, "my-tool")
    branch = subprocess.run(["git", "rev-parse", "--abbrev-ref", "HEAD"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE).stdout.strip()
    if branch in ("", "HEAD"):
        return skip("README's package from a repository", "no branch is checked out")
    wanted = manifest.replace('.package(path: "../swift-qlora")', '.package(url: "file://%s/swift-qlora", branch: "%s")' % (folder, branch))
    report("README's dependency is replaced", wanted != manifest)
    with open(os.path.join(package, "Package.swift"), "w") as file:
        file.write(wanted)
    run("README's package from a repository", ["swift", "package", "--package-path", package, "resolve"], folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--gguf")
    parser.add_argument("--peers")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "SmolLM2-135M")
        if a.gguf:
            command = [a.quantize, "dequantize", a.gguf, model, "--dtype", "bf16", "--quiet"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        else:
            shutil.copytree(a.model, model)
        shutil.copytree(os.path.join(ROOT, "Examples"), os.path.join(folder, "Examples"))
        os.symlink(ROOT, os.path.join(folder, "swift-qlora"))
        tools = os.path.dirname(os.path.abspath(a.quantize))
        manifest = None
        for name in DOCUMENTS:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                text = file.read()
            found = blocks(text)
            unknown = [language for language, _ in found if language not in LANGUAGES]
            report(name + ": every block has a known language", not unknown, str(unknown))
            programs = [code for language, code in found if language == "swift"]
            for language, code in found:
                if language == "sh":
                    for line in code.splitlines():
                        shell(line, folder, tools)
                elif language == "python" and a.peers:
                    run(name + ": Python", [a.peers, "-c", code], folder)
                elif language == "python":
                    skip(name + ": Python", "transformers is not installed")
            for command in inline_commands(text):
                shell(command, folder, tools)
            if programs and manifest is None:
                manifest, programs = programs[0], programs[1:]
                swift(name, manifest, programs, folder)
                swift_from_repository(manifest, folder)
            elif programs:
                swift(name, manifest, programs, folder)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
