#!/usr/bin/env python3
"""Compares the picture of the house in CONTRIBUTING.md with what the sources import.

    check_house.py [ROOT]

In the picture `A <- B` means that B uses A. Every target under Sources is in it, every import of a target is an arrow
or a way along several, no way leads back to where it began, no target has more than LIMIT lines of code, and every file
that CONTRIBUTING.md names is there. Every family of kernels is wrapped, checked in C, and tested in Swift. No two codes of errors have one name, and each has
a comment. Closes with "N targets, N failures".
"""
import glob
import os
import re
import sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LIMIT = 6000
IMPORT = re.compile(r"^(?:@\w+ )*(?:public |package |internal |private )?import (\w+)$", re.MULTILINE)


def arrows(picture):
    """What each target of the picture uses."""
    uses = {}
    for line in picture.splitlines():
        groups = [re.sub(r"\([^)]*\)", "", part).replace(" ", "").split(",") for part in line.split("<-")]
        for used, users in zip(groups, groups[1:]):
            for user in users:
                uses.setdefault(user, set()).update(used)
    return uses


def reachable(uses, start):
    """All that a target uses, also through others."""
    found, waiting = set(), [start]
    while waiting:
        for used in uses.get(waiting.pop(), ()):
            if used not in found:
                found.add(used)
                waiting.append(used)
    return found


def imports(target):
    """The modules that files of a target import, each with one of the files."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "Sources", target, "**", "*.swift"), recursive=True)):
        with open(path) as file:
            for module in IMPORT.findall(file.read()):
                found.setdefault(module, os.path.relpath(path, ROOT))
    return found


def line_count(target):
    """Lines that are neither empty nor a comment."""
    count = 0
    for path in glob.glob(os.path.join(ROOT, "Sources", target, "**", "*"), recursive=True):
        if path.endswith((".swift", ".c", ".h", ".inc")):
            with open(path) as file:
                count += sum(1 for line in file if line.strip() and not line.strip().startswith("//"))
    return count


def text_of(*pattern):
    """The text of all files that a pattern names."""
    texts = []
    for path in sorted(glob.glob(os.path.join(ROOT, *pattern))):
        with open(path) as file:
            texts.append(file.read())
    return "\n".join(texts)


def family_failures():
    """What families of kernels lack; their files are the one list of them."""
    failures = []
    checker = text_of("Tests", "KernelChecker", "*.c")
    tests = text_of("Tests", "SIMDKernelsTests", "*.swift")
    wrappers = glob.glob(os.path.join(ROOT, "Sources", "SIMDKernels", "*.swift"))
    families = re.findall(r"^#define QK_FAMILY (\w+)$", text_of("Sources", "CSIMDKernels", "families", "*.c"), re.MULTILINE)
    for family in families:
        entries = "qk_%s_entries" % family
        if entries not in checker and "ENTRY(%s)" % family not in checker:
            failures.append("the family %s is not in Tests/KernelChecker" % family)
        types = [
            name
            for path in wrappers
            for name in re.findall(r"^(?:package )?struct (\w+): .*Kernel\w* *\{$", text_of(path), re.MULTILINE)
            if entries in text_of(path)
        ]
        if not types:
            failures.append("no type of Sources/SIMDKernels wraps the family %s" % family)
        elif not any(name in tests for name in types):
            failures.append("the family %s is not in Tests/SIMDKernelsTests" % family)
    return failures


def joined(code):
    """The property of a code: `file.missing` is `fileMissing`."""
    domain, defect = code.split(".")
    return domain + defect[0].upper() + defect[1:]


def code_failures():
    """Codes of errors that share a name or say nothing."""
    declaration = re.compile(r'^( *///[^\n]*\n)?[^\n]*static let (\w+) = Self\("([\w.]+)"', re.MULTILINE)
    seen, failures = {}, []
    for path in sorted(glob.glob(os.path.join(ROOT, "Sources", "**", "CheckpointError+*.swift"), recursive=True)):
        for comment, name, code in declaration.findall(text_of(path)):
            if not comment:
                failures.append("the code %s has no comment" % code)
            if code in seen or name != joined(code):
                failures.append("%s in %s: another code has the name, or the property another" % (code, os.path.relpath(path, ROOT)))
            seen[code] = path
    return failures if seen else ["no codes of errors are found"]


def main():
    with open(os.path.join(ROOT, "CONTRIBUTING.md")) as file:
        text = file.read()
    house = re.search(r"^## The house\n+```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    uses = arrows(house.group(1)) if house else {}
    targets = sorted(os.listdir(os.path.join(ROOT, "Sources")))
    pictured = set(uses).union(*uses.values()) if uses else set()
    failures = ["%s is in the picture, and there is no such target" % name for name in sorted(pictured - set(targets))]
    for target in targets:
        below = reachable(uses, target)
        if target not in pictured:
            failures.append("%s is not in the picture" % target)
        if target in below:
            failures.append("the arrows lead from %s back to it" % target)
        if line_count(target) > LIMIT:
            failures.append("%s has %d lines of code, more than %d" % (target, line_count(target), LIMIT))
        for module, path in sorted(imports(target).items()):
            if module in targets and module not in below and module != target:
                failures.append("%s imports %s, and no arrow of the picture says so" % (path, module))
    for path in re.findall(r"`((?:Sources|Tests|Scripts|Benchmarks)/[^` ]+\.\w+)`", text):
        if not os.path.exists(os.path.join(ROOT, path)):
            failures.append("CONTRIBUTING.md names %s, which is not there" % path)
    failures += family_failures() + code_failures()
    for failure in failures:
        print("FAIL  " + failure)
    if not house:
        print("FAIL  CONTRIBUTING.md has no picture of the house")
    print("%d targets, %d failures" % (len(targets), len(failures) + (not house)))
    sys.exit(bool(failures) or not house)


main()
