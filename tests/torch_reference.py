#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engine against PyTorch's autograd, from the file that tests/torch/make_reference.py wrote: loss,
logits and gradients of one batch, then ten losses of SGD with momentum and weight decay, once with the
update made here from probed gradients and once by `hillock train`.

Reference: PyTorch 1.13 in double precision; no membrane comes within 2e-4 of its threshold in those
ten steps. Tolerance: 2e-5 of the largest value for the batch, 1e-4 for the losses.
"""
import json
import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "oracle"), os.path.join(here, "torch")]
try:
    import numpy as np
    from check_cases import compare
    from common import MOMENTUM, RATE, RECIPE, WEIGHT_DECAY, read_safetensors
    from random_cases import write_safetensors
except ImportError as error:
    print("SKIPPED torch_reference: %s" % error)
    sys.exit(77)

HILLOCK = os.environ.get("HILLOCK", "hillock")
LOSS_TOLERANCE = 1e-4
faults = []


def hillock(*arguments):
    run = subprocess.run([HILLOCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        sys.exit("hillock %s: %s" % (" ".join(arguments), run.stdout))


def probe(path, weights=None, seed=None):
    """Arrays of one batch; without weights also the first weights of a seed."""
    more = ["--save-weights", path("first")]
    if weights is not None:
        write_safetensors(path("weights"), weights)
        more = ["--weights", path("weights")]
    hillock("probe", path("recipe.json"), "--input", path("x.npz"), "--out", path("y.npz"),
            "--set", "train.seed=%d" % (seed or 1), *more)
    with np.load(path("y.npz")) as file:
        return {k: file[k] for k in file.files}


def check_batch(want, got):
    for name in want:
        if name in ("loss", "logits") or name.startswith("grad."):
            fault = compare(name, got[name], np.asarray(want[name])) if name in got else name + " missing"
            faults.extend([fault] if fault else [])


def check_losses(what, want, got):
    worst = max(abs(a - b) for a, b in zip(want, got)) if len(want) == len(got) else float("inf")
    print("%s: ten losses, largest difference %.2g" % (what, worst))
    if not worst <= LOSS_TOLERANCE:
        faults.append("%s: losses %s, expected %s" % (what, list(got), list(want)))


def descend(path, weights, steps):
    """SGD as PyTorch has it, on gradients of the engine."""
    weights, velocity, losses = dict(weights), {}, []
    for _ in range(steps):
        got = probe(path, weights)
        losses.append(float(got["loss"]))
        for name, w in weights.items():
            if "grad." + name not in got or name.startswith("lif"):
                continue
            g = got["grad." + name] + WEIGHT_DECAY * w
            velocity[name] = MOMENTUM * velocity[name] + g if name in velocity else g
            weights[name] = (w - RATE * velocity[name]).astype("<f4")
    return losses


def train(path, want, weights):
    """The command's own ten epochs of one batch, from the same first weights."""
    probe(path, seed=int(want["seed"]))
    first = read_safetensors(path("first"))
    if any(not np.array_equal(first[k], v) for k, v in weights.items()):
        faults.append("the first weights of seed %d are not those of the reference: the engine draws "
                      "them in another way now; run tests/torch/make_reference.py" % want["seed"])
        return
    np.savez(path("data.npz"), x_train=want["x"], y_train=want["label"], x_test=want["x"],
             y_test=want["label"])
    hillock("train", path("recipe.json"), "--quiet", "--out", path("run"), "--set", "data.name=npz",
            "--set", "data.path=" + path("data.npz"), "--set", "train.seed=%d" % want["seed"])
    with open(path(os.path.join("run", "metrics.jsonl")), encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    check_losses("hillock train", want["losses"],
                 [e["train"]["loss"] for e in events if e["event"] == "epoch"])


def main():
    with np.load(os.path.join(here, "torch", "reference", "conv_lif.npz")) as file:
        want = {k: file[k] for k in file.files}
    weights = {k[7:]: v for k, v in want.items() if k.startswith("weight.")}
    with tempfile.TemporaryDirectory() as scratch:
        path = lambda name: os.path.join(scratch, name)
        np.savez(path("x.npz"), x=want["x"], label=want["label"])
        with open(path("recipe.json"), "w", encoding="utf-8") as file:
            json.dump(RECIPE, file)
        check_batch(want, probe(path, weights))
        check_losses("probed gradients", want["losses"], descend(path, weights, len(want["losses"])))
        train(path, want, weights)
    for fault in faults:
        print(fault)
    print("torch %s: %d faults" % (want["torch"], len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
