#!/usr/bin/env python3
"""Judges from a trace of system calls whether a program writes so that nothing torn can be seen.

    strace -f -y -s 0 -e trace=%file,%desc -o TRACE PROGRAM ...
    check_durability.py TRACE FOLDER

Everything below FOLDER is judged; the exit status is 1 if a rule is broken:

1. What is renamed or linked into place holds no data that was not synchronized, and none whose
   synchronization failed.
2. After the last change of names in a folder, that folder is synchronized before the program ends.
3. A file that existed is opened for writing only if it is a journal or a lock.
4. Nothing that was created under a temporary name is left.
"""
import argparse
import fnmatch
import os
import re
import sys

CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)\)\s+=\s+(-?\d+|\?)(?:<([^>]*)>)?")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$")
UNFINISHED = "<unfinished ...>"
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate",
          "copy_file_range", "sendfile"}
IN_PLACE = ["*journal*", "*/lock"]
TEMPORARY = ["*.tmp", "*.partial", "*.partial/*"]


def calls(path):
    """Yields name, arguments, result and path of the result of each call; halves are joined."""
    started = {}
    with open(path, errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            thread = line.split(None, 1)[0] if line else ""
            if line.endswith(UNFINISHED):
                started[thread] = line[: -len(UNFINISHED)]
                continue
            rest = RESUMED.match(line)
            if rest:
                line = started.pop(thread, thread + " lost(") + rest.group(2)
            call = CALL.match(line)
            if call:
                yield call.group(2), call.group(3), call.group(4), call.group(5) or ""


def strings(arguments):
    return re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)


def descriptors(arguments):
    return re.findall(r"(?:AT_FDCWD|\d+)<([^>]*)>", arguments)


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


class Judge:
    def __init__(self, root):
        self.root = root
        self.unsynced = {}  # file -> the call that changed it
        self.failed = set()  # files whose synchronization failed
        self.created = set()
        self.renamed = {}  # folder -> what was renamed into it since it was synchronized
        self.problems = []

    def is_inside(self, path):
        return path == self.root or path.startswith(self.root + os.sep)

    def absolute(self, path, folder):
        return os.path.normpath(os.path.join(folder or os.getcwd(), path))

    def open(self, arguments, path):
        if not self.is_inside(path) or not re.search(r"O_WRONLY|O_RDWR", arguments):
            return
        if "O_CREAT" in arguments and "O_EXCL" in arguments:
            self.created.add(path)
        elif path not in self.created and not matches(path, IN_PLACE):
            self.problems.append("written in place: " + path)

    def write(self, name, arguments):
        for path in descriptors(arguments)[:2]:
            if self.is_inside(path):
                self.unsynced[path] = name

    def synchronize(self, arguments, succeeded):
        path = (descriptors(arguments) or [""])[0]
        if not succeeded:
            self.failed.add(path)
            return
        self.unsynced.pop(path, None)
        self.renamed.pop(path, None)

    def rename(self, name, arguments):
        names = strings(arguments)
        folders = descriptors(arguments) if "at" in name else []
        if len(names) < 2:
            return
        source = self.absolute(names[0], folders[0] if folders else None)
        target = self.absolute(names[-1], folders[-1] if folders else None)
        if not self.is_inside(target):
            return

        def belongs(path):
            return path == source or path.startswith(source + os.sep)

        def moved(path):
            return target + path[len(source):] if belongs(path) else path

        for path, call in self.unsynced.items():
            if belongs(path):
                self.problems.append(f"in place before it was synchronized: {path} ({call})")
        for path in filter(belongs, self.failed):
            self.problems.append("in place although its synchronization failed: " + path)
        self.created = set(map(moved, self.created))
        self.unsynced = {moved(path): call for path, call in self.unsynced.items()}
        self.renamed = {moved(path): what for path, what in self.renamed.items()}
        self.renamed[os.path.dirname(target)] = target

    def unlink(self, name, arguments):
        folders = descriptors(arguments) if name == "unlinkat" else []
        path = self.absolute((strings(arguments) or [""])[0], folders[0] if folders else None)
        self.created.discard(path)
        self.unsynced.pop(path, None)

    def finish(self):
        for folder, target in self.renamed.items():
            self.problems.append(f"{folder} was not synchronized after {target} came into it")
        for path, call in self.unsynced.items():
            if not matches(path, TEMPORARY):
                self.problems.append(f"never synchronized after {call}: {path}")
        for path in self.created:
            if matches(path, TEMPORARY):
                self.problems.append("left behind: " + path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("trace")
    parser.add_argument("folder")
    options = parser.parse_args()
    judge = Judge(os.path.realpath(options.folder))
    count = 0
    for name, arguments, result, opened in calls(options.trace):
        count += 1
        succeeded = result != "?" and not result.startswith("-")
        if name in ("fsync", "fdatasync"):
            judge.synchronize(arguments, succeeded)
        elif not succeeded:
            continue
        elif name in ("open", "openat", "creat"):
            judge.open(arguments, opened)
        elif name in WRITES:
            judge.write(name, arguments)
        elif name.startswith(("rename", "link")):
            judge.rename(name, arguments)
        elif name.startswith(("unlink", "rmdir")):
            judge.unlink(name, arguments)
    judge.finish()
    for problem in judge.problems:
        print(problem)
    print(f"{count} calls, {len(judge.problems)} problems")
    return 1 if judge.problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
