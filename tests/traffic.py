#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes that `hillock bench step --traffic` counts, against a count by hand: two spiking layers behind
convolutions of 1 x 1, whose arrays are whole pages, under STOP, OTTT and BPTT, and in inference.

P is a map of floats, B one of bits, X the input, in pages. Weights, thresholds, leaks, sums and what lies
behind the global pool are a page each, few enough a step (SMALL) that no map can hide in them. The
optimizer reads and writes weight, gradient and momentum of each parameter, a page each, and whether the
weight is a number is looked at afterwards; gradients of what is not learned are only cleared."""
import json
import os
import subprocess
import sys

HILLOCK = os.environ.get("HILLOCK", "hillock")
PAGE, T, SMALL = 4096, 2, 7
P, B, X = 256, 8, 24                     # 8 x 32 x 32 rows of 32 floats, 32 bits, 3 floats
RECIPE = """
data: {name: none, shape: [3, 32, 32], classes: 10}
encode: {name: direct}
net:
  layers:
    - {type: conv2d, name: conv1, out: 32, kernel: 1, padding: 0, bias: false}
    - {type: spiking, name: lif1}
    - {type: conv2d, name: conv2, out: 32, kernel: 1, padding: 0, bias: false}
    - {type: spiking, name: lif2}
    - {type: gap, name: gap}
    - {type: dense, name: head, out: 10}
    - {type: readout, name: readout}
neuron: {name: lif, leak: 0.5, threshold: 0.1}
rule: {name: stop}
loss: {name: ce, when: step}
optim: {name: sgd, lr: 0.01, momentum: 0.9}
train: {T: 2, batch: 8}
"""

# Layer and stage: pages read and written in a batch. The first layer's input is constant: one product
# forward, errors summed, one product for the gradient.
ONCE = {
    ("conv1", "forward"): (X, P),
    ("conv1", "backward_tile"): (T * P, T * P),          # the sum of errors; the error is lif1's
    ("conv1", "other"): (X + P, P),
    ("gap", "forward"): (T * B, 0),
    ("gap", "backward"): (0, T * P),
    ("conv2", "backward"): (T * 3 * P, T * P),           # trace and error; error; to the input
}


def lif(forward, backward, again=0):
    """Pages a step; again: read of what the step before has left, so not at the first."""
    first, later = forward[0] * T + again * (T - 1), forward[1] * T
    return {(name, stage): pages for name in ("lif1", "lif2")
            for stage, pages in (("forward_tile", (first, later)), ("backward_tile", (T * backward[0], T * backward[1])))}


def stop(trace):
    """trace: pages of one. Forward: current, spikes before, membrane and two traces from the second step on.
    Backward: error, membrane, traces. At the start sums and spikes are cleared, states and traces not."""
    return {**ONCE,
            **lif((P + B, P + B + 2 * trace), (2 * P + 2 * trace, P), again=P + 2 * trace),
            ("conv2", "forward"): (T * 2 * B + (T - 1) * trace, T * (P + trace)),
            ("conv2", "backward"): (T * (2 * P + trace), T * P),
            ("start", "other"): (0, P + 2 * B),
            ("between", "other"): (0, X),
            ("update", "other"): (8 * 4, 8 * 3)}


OTTT = {**ONCE,
        **lif((P + B, P + B), (2 * P, P), again=P),
        ("conv2", "forward"): (T * 2 * B + (T - 1) * P, T * 2 * P),
        ("start", "other"): (0, P + 2 * B),
        ("between", "other"): (0, X),
        ("update", "other"): (4 * 4, 4 * 3 + 4)}

# Backward: error, both membranes, spikes before, what comes from the step behind.
BPTT = {**ONCE,
        **lif((2 * P + B, P + B), (4 * P + B, 2 * P)),
        ("conv2", "forward"): (T * B, T * P),
        ("conv2", "backward"): (T * (2 * P + B), T * P),
        ("start", "other"): (0, 5 * P + 2 * B),          # adjoints, sum of errors; states at rest
        ("between", "other"): (0, X + 2 * P),            # adjoints once more
        ("update", "other"): (4 * 4, 4 * 3 + 4)}

INFER = {("conv1", "forward"): (X, P),
         ("lif1", "forward_tile"): (T * (P + B) + (T - 1) * P, T * (P + B)),
         ("lif2", "forward_tile"): (T * (P + B) + (T - 1) * P, T * (P + B)),
         ("conv2", "forward"): (T * B, T * P),
         ("gap", "forward"): (T * B, 0),
         ("start", "other"): (0, 2 * B),
         ("between", "other"): (0, X)}

faults = []


def say(part, *options):
    command = [HILLOCK, "bench", part, "-r", "net.yaml", "--traffic", "-n", "1", "--warmup", "0", *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "pages are watched" in run.stderr:
        print(run.stderr.strip())
        sys.exit(77)
    if run.returncode:
        sys.exit("%s: %s" % (" ".join(command), run.stderr.strip()))
    return run.stdout


def count(part, *sets):
    """Layer or other row: stage: [read, written]; and the answer as it is."""
    traffic = json.loads(say(part, "--json", *["--set=" + s for s in sets]))["traffic"]
    return {**traffic["layers"], **traffic["others"]}, traffic


def check(what, rows, want):
    for name, stages in rows.items():
        for stage in set(stages) | {s for n, s in want if n == name}:
            for k, way in enumerate(("read", "written")):
                got = stages.get(stage, (0, 0))[k] / PAGE
                least = want.get((name, stage), (0, 0))[k]
                if not least <= got <= least + T * SMALL:
                    faults.append("%s: %s %s %s %g pages, expected %g and at most %d small ones"
                                  % (what, name, stage, way, got, least, T * SMALL))


def check_sums(what, rows, traffic):
    for k, way in enumerate(("read", "written")):
        total = sum(stage[k] for stages in rows.values() for stage in stages.values())
        if total != traffic[way]:
            faults.append("%s: %s %d, its rows %d" % (what, way, traffic[way], total))
    per = (traffic["read"] + traffic["written"]) / (T * 2 * P * PAGE / 4)
    if abs(per - traffic["bytes_per_neuron_and_step"]) > 1e-3 * per:
        faults.append("%s: %g bytes per neuron and step, expected %g"
                      % (what, traffic["bytes_per_neuron_and_step"], per))


def main():
    with open("net.yaml", "w") as f:
        f.write(RECIPE)
    totals = {}
    for what, part, want, sets in (
            ("stop", "step", stop(P), ()), ("stop bf16", "step", stop(P // 2), ("rule.traces=bf16",)),
            ("ottt", "step", OTTT, ("rule=ottt_a",)), ("bptt", "step", BPTT, ("rule=bptt",)),
            ("infer", "infer", INFER, ())):
        rows, traffic = count(part, *sets)
        check(what, rows, want)
        check_sums(what, rows, traffic)
        totals[what] = traffic["read"] + traffic["written"]
    if "bytes per neuron and step" not in say("step"):
        faults.append("the table does not say bytes per neuron and step")
    # A trace of a weight: written once a step, read twice, at the first step once; one of a neuron the same.
    saved = 5 * (3 * T - 1) * P // 2 * PAGE
    less = totals["stop"] - totals["stop bf16"]
    if less != saved:
        faults.append("traces in bf16 save %d bytes, expected %d" % (less, saved))
    print("\n".join(faults + ["%d faults" % len(faults)]))
    return 1 if faults else 0


sys.exit(main())
