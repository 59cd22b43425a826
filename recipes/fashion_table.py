#!/usr/bin/env python3
"""fashion_table.py HILLOCK DATA RUNS [SEEDS]: the rules side by side on Fashion-MNIST, one budget.

Trains each rule of recipes/fashion-*.yaml (STOP in its four forms) with seeds 1..SEEDS (3) into folders
below RUNS, resuming what was cut off and skipping what is done, and prints the table in Markdown.
DATA is the folder with the four IDX files. Stop it at any time; the next call goes on."""
import json
import os
import statistics
import subprocess
import sys

hillock, data, runs = sys.argv[1:4]
seeds = range(1, int(sys.argv[4]) + 1 if len(sys.argv) > 4 else 4)
here = os.path.dirname(os.path.abspath(__file__))

RULES = {
    "BPTT": ("fashion-bptt.yaml", []),
    "SLTT": ("fashion-sltt.yaml", []),
    "OTTT": ("fashion-ottt.yaml", []),
    "STOP-W": ("fashion-stop-w.yaml", []),
    "STOP-WT": ("fashion-stop.yaml", ["rule.L=false"]),
    "STOP-WL": ("fashion-stop.yaml", ["rule.T=false"]),
    "STOP-WTL": ("fashion-stop.yaml", []),
}


def train(rule, seed):
    out = os.path.join(runs, "%s-s%d" % (rule.lower(), seed))
    result = os.path.join(out, "result.json")
    if not os.path.exists(result):
        recipe, keys = RULES[rule]
        command = [hillock, "train", os.path.join(here, recipe), "--out", out, "--quiet"]
        for key in ["data.path=" + data, "train.seed=%d" % seed] + keys:
            command += ["--set", key]
        if os.path.exists(os.path.join(out, "checkpoint")):
            command.append("--resume")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(result) as f:
        return json.load(f)


def spread(values, scale=1, digits=2):
    values = [v * scale for v in values]
    mean = "%.*f" % (digits, statistics.mean(values))
    return mean if len(values) < 2 else "%s ± %.*f" % (mean, digits, statistics.stdev(values))


def main():
    os.makedirs(runs, exist_ok=True)
    done = {rule: [] for rule in RULES}
    for seed in seeds:                      # every rule once before the next seed
        for rule in RULES:
            done[rule].append(train(rule, seed))
            print("%s seed %d: %.2f %%" % (rule, seed, 100 * done[rule][-1]["test"]["accuracy"]),
                  file=sys.stderr)
    print("| rule | test accuracy %, last epoch | s per epoch | planned MiB | firing rate % |")
    print("|---|---|---|---|---|")
    for rule, r in done.items():
        print("| %s | %s | %s | %.1f | %s |" % (
            rule, spread([x["test"]["accuracy"] for x in r], 100),
            spread([x["seconds"] / x["epochs"] for x in r], 1, 0),
            r[0]["memory"]["total"] / 2**20, spread([x["test"]["rate"] for x in r], 100, 1)))


main()
