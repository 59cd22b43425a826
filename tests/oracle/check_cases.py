#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_cases.py [--all] [CASES]: runs `hillock probe` on every case folder, compares all arrays.

An array agrees if its largest error is at most 2e-5 of its largest expected magnitude, plus 1e-7;
spikes must be equal. HILLOCK names the command. What the engine refuses is listed with its reason.
Exit status 1: something disagrees, or nothing was compared, or, with --all, something was refused.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

from case_to_recipe import read, recipe

RELATIVE, ABSOLUTE = 2e-5, 1e-7


def compare(name, got, want):
    """None, or what is wrong with the array."""
    if got.shape != want.shape:
        return "%s: shape %s, expected %s" % (name, got.shape, want.shape)
    if name.endswith(".s") and np.isin(want, (0, 1)).all():      # graded spikes are numbers
        wrong = int(np.count_nonzero(got != want))
        return "%s: %d of %d spikes differ" % (name, wrong, want.size) if wrong else None
    if not want.size:
        return None
    error = np.abs(got.astype(np.float64) - want)
    most = float(np.abs(want).max())
    if error.max() <= RELATIVE * most + ABSOLUTE:       # false for a nan
        return None
    at = np.unravel_index(int(np.nanargmax(np.where(np.isnan(error), np.inf, error))), error.shape)
    return "%s%s: got %.8g, expected %.8g (largest %.3g)" % (
        name, list(map(int, at)), got[at], want[at], most)


def probe(folder, scratch):
    """The command's status, what it said, and the arrays."""
    path, out = os.path.join(scratch, "recipe.json"), os.path.join(scratch, "out.npz")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(recipe(read(folder)), file)
    if os.path.exists(out):
        os.remove(out)
    run = subprocess.run(
        [os.environ.get("HILLOCK", "hillock"), "probe", path, "--threads", "1", "--weights",
         os.path.join(folder, "weights.safetensors"), "--input",
         os.path.join(folder, "input.npz"), "--out", out],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    arrays = {}
    if run.returncode == 0:
        with np.load(out) as file:
            arrays = {key: file[key] for key in file.files}
    return run.returncode, run.stdout.strip(), arrays


def undefined(name, case):
    """Gradients of thresholds are not compared under truncation: theta also enters through the
    inherited membrane, and there is more than one way to count that."""
    return case["rule"].get("window_kind", "none") != "none" and name.endswith(".threshold")


def check(folder, scratch):
    """(word, number of arrays compared, lines that explain)."""
    status, text, got = probe(folder, scratch)
    if status:
        return "refused" if re.search(r"\brule '\w+'", text) else "failed", 0, [text]
    with np.load(os.path.join(folder, "expected.npz")) as file:
        want = {key: file[key] for key in file.files if key != "x"}     # x repeats the input
    case = read(folder)
    lines = [name + ": not among the arrays written" for name in want if name not in got]
    lines += filter(None, (compare(name, got[name], want[name]) for name in want if name in got))
    lines += [name + ": written, though the rule defines no such gradient" for name in got
              if name.startswith("grad.") and name not in want and not undefined(name, case)]
    return ("differs" if lines else "agrees"), len(want), lines


def main(cases, everything=False):
    folders = sorted(entry.path for entry in os.scandir(cases)
                     if os.path.exists(os.path.join(entry.path, "case.json")))
    count = {"agrees": 0, "differs": 0, "failed": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            word, arrays, lines = check(folder, scratch)
            count[word] += 1
            print("%-8s %-8s %3d arrays  %s" % (os.path.basename(folder), word, arrays,
                                                " ".join(read(folder)["tags"])))
            for line in lines:
                print("         " + line)
    print("cases: %s" % ", ".join("%d %s" % (n, word) for word, n in count.items()))
    wrong = count["differs"] + count["failed"] + (count["refused"] if everything else 0)
    return 1 if wrong or not count["agrees"] else 0


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--all"]
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(main(arguments[0] if arguments else os.path.join(here, "cases"),
                  "--all" in sys.argv))
