#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hillock beside PyTorch, SpikingJelly and snnTorch on this machine's processor: the same net, batch,
steps, samples and first weights, in turns within one run. bench/peers/run.sh starts it."""
import argparse
import os
import re
import sys
import tempfile
from dataclasses import replace

import report
from agree import References
from infer import infer
from measure import Contestant, Failed, Progress, allocator, in_turns, memory_available, spread, together
from nets import CASES
from ours import Folder
from variants import ALL, OURS, UNROLLED

HERE = os.path.dirname(os.path.abspath(__file__))


def chosen(options):
    """Those of --only, or of --quick; of Hillock's, those that the others are compared with stay."""
    wanted = [v for v in ALL if not options.quick or v.quick]
    if options.only:
        pattern = re.compile(options.only)
        wanted = [v for v in ALL if pattern.search(v.name)]
        if not any(v in OURS for v in wanted):
            wanted = [v for v in OURS if v.quick] + wanted
    return wanted


def compiles(v, T):
    """torch.compile unrolls the steps, which ends somewhere."""
    return T <= UNROLLED or not v.options.get("compile")


def alone(variants, folder, options, check):
    """Each by itself: whether it agrees, and its memory. Name to facts."""
    facts, references = {}, References(folder, OURS)
    progress = Progress("%s, alone" % folder.case.name, len(variants))
    for v in variants:
        path = folder.file("gradients.npz") if check and v.rule and v not in OURS else None
        one = facts[v.name] = {}
        try:
            with Contestant(v, folder, options, gradients=path) as c:
                c.open()
                for _ in range(2 if options.command != "agree" else 0):
                    c.turn()
                one.update(idle=c.idle, peak=c.peak(), planned=c.facts.get("planned"))
            if path:
                one["agrees"] = references.check(v, path)
        except Failed as why:
            one["failed"] = str(why)
        progress.tick(v.name)
    return facts


def good(one):
    return "failed" not in one and not (one.get("agrees") or {}).get("fault")


def step(case, options, scratch):
    """Agreement, then memory and time of a training step."""
    folder = Folder(os.path.join(scratch, case.name), case)
    variants = [v for v in chosen(options) if compiles(v, case.T)]
    facts = alone(variants, folder, options, check=True)
    names = [v.name for v in variants if good(facts[v.name])]
    ours = [v.name for v in OURS if v.name in names]
    sizes = {n: facts[n]["idle"] + facts[n]["peak"] for n in names}
    groups = together(sizes, ours, 0.75 * memory_available()) if options.command != "agree" else []
    runs = []
    for group in groups:
        runs.append(in_turns([v for v in variants if v.name in group], folder, options))
    return report.step(case, options, facts, ours, runs)


def memory(case, options, scratch):
    """Memory at few and at many steps."""
    table = {}
    for T in options.steps or ([3, 12] if options.quick else [6, 64]):
        at = replace(case, T=T)
        variants = [v for v in chosen(options) if compiles(v, T)]
        table[T] = alone(variants, Folder(os.path.join(scratch, "%s-%d" % (case.name, T)), at), options, False)
    return report.memory(case, options, table)


def scaling(case, options, scratch):
    """Time and memory over T at one batch, and over the batch at one T."""
    few = options.quick
    steps = options.steps or ([2, 4] if few else [2, 4, 8, 16])
    points = [(T, case.batch) for T in steps] + [(case.T, b) for b in ([2, 8] if few else [8, 16, 64])]
    points = list(dict.fromkeys(points))
    names = ("hillock stop", "hillock ottt", "hillock bptt", "pytorch bptt, eager", "pytorch ottt, eager")
    variants = [v for v in ALL if v.name in names]
    table = []
    for T, batch in points:
        at = replace(case, T=T, batch=batch)
        folder = Folder(os.path.join(scratch, "%s-%d-%d" % (case.name, T, batch)), at)
        runs = in_turns(variants, folder, options)
        table.append({"T": T, "batch": batch, "seconds": {n: spread(r["seconds"]) for n, r in runs.items()},
                      "peak": {n: r["peak"] for n, r in runs.items()}})
    return report.scaling(case, options, table)


COMMANDS = {"agree": step, "step": step, "memory": memory, "scaling": scaling, "infer": infer}


def arguments():
    p = argparse.ArgumentParser(prog="bench/peers/run.sh", description=__doc__)
    p.add_argument("command", nargs="?", default="step", choices=[*COMMANDS, "all"])
    p.add_argument("--case", help="nets, with commas: " + ", ".join(CASES))
    p.add_argument("--batch", type=int, help="in place of the case's")
    p.add_argument("--only", metavar="REGEX", help="contestants whose name has this")
    p.add_argument("--quick", action="store_true", help="tiny nets, a minute: whether everything works")
    p.add_argument("--rounds", type=int, help="timed runs of each (15)")
    p.add_argument("--warmup", type=int, help="runs before (3)")
    p.add_argument("--pause", type=float, default=0.1, metavar="S", help="seconds between turns (0.1)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each side (all)")
    p.add_argument("--steps", type=lambda s: [int(t) for t in s.split(",")], metavar="T,T",
                   help="numbers of steps for memory and scaling")
    p.add_argument("--weights", help="infer: trained weights, safetensors (the first weights)")
    p.add_argument("--images", help="infer: an .npz whose x has a sample, or the folder of Fashion-MNIST (noise)")
    p.add_argument("--out", default=os.path.join(HERE, "results"), help="folder of the results")
    options = p.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    if options.warmup is None:
        options.warmup = 0 if options.command == "agree" else 1 if options.quick else 3
    options.allocator = allocator()
    return options


def main():
    options = arguments()
    failed = False
    for command in COMMANDS if options.command == "all" else [options.command]:
        if options.command == "all" and command == "agree":
            continue                     # step does it too
        default = "tiny_ws,tiny_bn" if options.quick else "vgg_small" if command == "infer" else "vgg11,vgg_small"
        for name in (options.case or default).split(","):
            with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
                case = replace(CASES[name], batch=options.batch or CASES[name].batch)
                try:
                    failed |= not COMMANDS[command](case, options, scratch)
                except Failed as why:
                    sys.exit("%s, %s: %s" % (command, name, why))
    sys.exit(failed)


if __name__ == "__main__":
    main()
