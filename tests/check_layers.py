#!/usr/bin/env python3
"""check_layers.py ROOT: #include lines point down, and files stay short.

    core    includes core and include/ only; of libc string.h, math.h and the freestanding headers
            base < kernel < neuron, surrogate, layer, loss, optim < net < rule
            members of different families never include each other; core/*.c (registry) sees all
    host    includes core, host and include/; never cli or bench
    include includes include/ only, and hillock_ext.h, for authors of members, core/kernel/kernel.h
    size    at most 600 lines a file, a warning above 400; lines of a table of strings are not counted
"""
import os
import re
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
FREE = {"string.h", "math.h", "stddef.h", "stdint.h", "stdbool.h", "stdarg.h", "float.h", "limits.h"}
RANK = {"base": 0, "kernel": 1, "neuron": 2, "surrogate": 2, "layer": 2, "loss": 2, "optim": 2,
        "net": 3, "rule": 4}
SEEN_BY = {             # what each storey may include
    "core": {"core", "include"},
    "host": {"core", "host", "include"},
    "include": {"include"},
    "bench": {"core", "host", "include", "bench"},
    "cli": {"core", "host", "include", "bench", "cli"},
    "tests": {"core", "host", "include", "bench", "tests"},
}
SEARCH = ["core", "host", "include", "."]
MOST, MANY = 600, 400
TABLE = re.compile(r'^\s*("[^"]*",?\s*)+$')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def resolve(source, name):
    """Path below ROOT of a quoted include, searched as the compiler does; None when there is none."""
    for folder in [os.path.dirname(source)] + SEARCH:
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(ROOT, path)):
            return path
    return None


def fault_of_system(source, name):
    storey = source.split("/")[0]
    if storey == "core" and name not in FREE:
        if not (name.startswith("Random123/") and source.startswith("core/base/")):
            return "core includes <%s>; of libc it may use string.h and math.h" % name
    if source == "include/hillock_core.h" and name not in FREE:
        return "the core's public header includes <%s>" % name
    return None


def fault_of_file(source, target):
    a, b = source.split("/"), target.split("/")
    if (source, target) == ("include/hillock_ext.h", "core/kernel/kernel.h"):
        return None
    if b[0] not in SEEN_BY[a[0]]:
        return "%s includes %s" % (a[0], target)
    if a[0] == b[0] == "core" and len(a) > 2:
        if len(b) == 2:
            return None if b[1].endswith(".def") else "%s includes the registry, %s" % (a[1], target)
        mine, its = RANK.get(a[1]), RANK.get(b[1])
        if mine is None or its is None:
            return "unknown folder of core: %s or %s" % (a[1], b[1])
        if a[1] != b[1] and its >= mine:
            return "core/%s includes %s, which is not below it" % (a[1], target)
    return None


def check(source):
    faults, warnings = [], []
    with open(os.path.join(ROOT, source), encoding="utf-8") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        if found.group(1) == "<":
            fault = fault_of_system(source, found.group(2))
        else:
            target = resolve(source, found.group(2))
            fault = fault_of_file(source, target) if target else "no file " + found.group(2)
        if fault:
            faults.append("%s:%d: %s" % (source, number, fault))
    count = sum(not TABLE.match(line) for line in lines) - 1
    if count > MOST:
        faults.append("%s:%d: %d lines, at most %d" % (source, count, count, MOST))
    elif count > MANY:
        warnings.append("%s:%d: warning: %d lines, better below %d" % (source, count, count, MANY))
    return faults, warnings


def main():
    faults, warnings, files = [], [], 0
    for storey in SEEN_BY:
        for folder, _, names in sorted(os.walk(os.path.join(ROOT, storey))):
            for name in sorted(n for n in names if n.endswith((".c", ".h"))):
                f, w = check(os.path.relpath(os.path.join(folder, name), ROOT))
                faults, warnings, files = faults + f, warnings + w, files + 1
    print("\n".join(warnings + faults + ["%d files, %d faults" % (files, len(faults))]))
    return 1 if faults else 0


sys.exit(main())
