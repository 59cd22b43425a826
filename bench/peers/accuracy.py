#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time until a net knows Fashion-MNIST: Hillock with STOP and PyTorch with layer-major BPTT, the same net
(`fashion` of nets.py), batch, T and schedule, one after the other with the machine to itself. Seconds are
those of training; the held-out tenth is measured after each epoch.

    bench/peers/run.sh accuracy --data data/fashion_mnist --goal 0.9
"""
import argparse
import json
import os
import re
import subprocess
import tempfile
import time

import ours
from fashion import MEAN, STD, images
from nets import CASES, recipe

CASE = CASES["fashion"]
HELD, RATE, DECAY = 0.1, 0.1, 5e-4


def hillock(options, rule, precision="fp32"):
    """(seconds of training, accuracy) after each epoch. rule: a name, or keys."""
    data = {"name": "idx", "path": os.path.abspath(options.data), "validation": HELD,
            "shape": CASE.shape, "classes": 10, "augment": {"mean": [MEAN], "std": [STD]}}
    optim = {"name": "sgd", "lr": RATE, "momentum": 0.9, "weight_decay": DECAY, "lr_threshold": 0.001,
             "lr_leak": 0.001, "schedule": {"name": "cosine"}}
    train = {"T": CASE.T, "batch": CASE.batch, "epochs": options.epochs, "seed": options.seed, "precision": precision}
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "fashion.json"), os.path.join(folder, "run")
        with open(path, "w") as f:
            f.write(recipe(CASE, data, rule=rule, optim=optim, train=train))
        subprocess.run([ours.HILLOCK, "train", path, "--out", out, "--threads", str(options.threads)], check=True)
        with open(os.path.join(out, "metrics.jsonl")) as f:
            epochs = [e for e in map(json.loads, f) if e["event"] == "epoch"]
    spent, curve = 0.0, []
    for e in epochs:
        spent += e["train"]["seconds"]
        curve.append((spent, e["val"]["accuracy"]))
    return curve


def pytorch(options, compiled, half=False):
    import torch
    import torch.nn.functional as F
    from safetensors.numpy import load_file
    import plain_bptt
    from torch_side import constants, learned, maybe_compile, parameters
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        first = load_file(ours.Folder(folder, CASE).weights)
    p, neurons = parameters(first), constants(first)
    lif = plain_bptt.lif_traced if compiled else plain_bptt.LifLoop.apply
    loss = maybe_compile(lambda x, y: F.cross_entropy(plain_bptt.forward(x, p, neurons, CASE, lif), y.repeat(CASE.T)),
                         {"compile": compiled})

    def run(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return loss(x, y)

    x, y = map(torch.from_numpy, images(options.data))
    shuffle = torch.Generator().manual_seed(options.seed)
    held = int(len(x) * HELD)
    order = torch.randperm(len(x), generator=shuffle)
    val, train = order[:held], order[held:]
    weights = list(learned(p).values())
    optimizer = torch.optim.SGD(weights, lr=RATE, momentum=0.9, weight_decay=DECAY, fused=True)
    batches = len(train) // CASE.batch
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * batches)
    run(x[:CASE.batch], y[:CASE.batch]).backward()      # compiles; not part of the time
    optimizer.zero_grad()

    def accuracy():
        right = 0
        with torch.inference_mode():
            for i in val.split(CASE.batch):
                z = plain_bptt.forward(x[i], p, neurons, CASE, lif, training=False)
                right += int((z.unflatten(0, (CASE.T, -1)).sum(0).argmax(1) == y[i]).sum())
        return right / held

    spent, curve = 0.0, []
    for epoch in range(options.epochs):
        begun = time.perf_counter()
        mixed = train[torch.randperm(len(train), generator=shuffle)]
        for k in range(batches):
            i = mixed[k * CASE.batch:(k + 1) * CASE.batch]
            optimizer.zero_grad(set_to_none=True)
            run(x[i], y[i]).backward()
            optimizer.step()
            rate.step()
        spent += time.perf_counter() - begun
        curve.append((spent, accuracy()))
        print("pytorch epoch %d: %.1f s, %.2f %%" % (epoch + 1, spent, 100 * curve[-1][1]), flush=True)
    return curve


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", default=os.path.join(ours.ROOT, "data/fashion_mnist"))
    p.add_argument("--goal", type=float, default=0.9)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--only", metavar="REGEX", help="runs whose whole name this is")
    p.add_argument("--out", default=os.path.join(ours.HERE, "results", "accuracy.json"))
    options = p.parse_args()
    last = {"name": "sltt_k", "K": 1}
    runs = {"hillock stop": lambda: hillock(options, {"name": "stop"}),
            "hillock bptt": lambda: hillock(options, {"name": "bptt"}),
            "hillock sltt-k 1": lambda: hillock(options, last),
            "hillock sltt-k 1, precision auto": lambda: hillock(options, last, "auto"),
            "pytorch bptt": lambda: pytorch(options, True),
            "pytorch bptt, bf16": lambda: pytorch(options, True, half=True),
            "pytorch bptt, eager": lambda: pytorch(options, False)}
    curves = {n: run() for n, run in runs.items() if not options.only or re.fullmatch(options.only, n)}
    print("\n| | seconds to %.1f %% | best | seconds in all |\n|---|---|---|---|" % (100 * options.goal))
    for name, curve in curves.items():
        reached = next(("%.1f" % s for s, a in curve if a >= options.goal), "not reached")
        print("| %s | %s | %.2f %% | %.1f |" % (name, reached, 100 * max(a for _, a in curve), curve[-1][0]))
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    with open(options.out, "w") as f:
        json.dump({"goal": options.goal, "seed": options.seed, "curves": curves}, f, indent=1)


main()
