#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_reference.py: writes reference/conv_lif.npz from PyTorch's autograd, in double precision.

Needs PyTorch, which the tests do not, and HILLOCK for the first weights of the recipe's seed, so that
`hillock train` starts from them too. Among seeds it takes the one whose membranes stay farthest from
their thresholds over all ten steps, so that float32 flips no spike.

  x, label          one batch
  weight.NAME       first weights, as files name them
  loss, logits      of that batch, [] and [T,B,C]
  grad.NAME         gradients, neuron parameters too (reset detached)
  losses            of ten steps of SGD, before each
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "oracle"))
sys.path.insert(0, here)
from random_cases import write_safetensors                                          # noqa: E402
from common import (B, CLASSES, LEAK, MOMENTUM, RATE, RECIPE, SHAPE, SLOPE, STEPS,   # noqa: E402
                       T, THRESHOLD, WEIGHT_DECAY, read_safetensors)


class Fire(torch.autograd.Function):
    """Step function with the derivative of a logistic function in place of its own."""

    @staticmethod
    def forward(context, z):
        context.save_for_backward(z)
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(context, error):
        z, = context.saved_tensors
        s = torch.sigmoid(SLOPE * z)
        return error * SLOPE * s * (1 - s)


class Lif(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor([THRESHOLD]))
        self.leak = torch.nn.Parameter(torch.tensor([LEAK]))
        self.u = self.s = 0.0
        self.margin = float("inf")

    def forward(self, x):
        s = self.s.detach() if torch.is_tensor(self.s) else self.s
        self.u = self.leak * (self.u - self.threshold * s) + x
        z = self.u - self.threshold
        self.margin = min(self.margin, float(z.abs().min()))
        self.s = Fire.apply(z)
        return self.s


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(SHAPE[0], 4, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.lif1 = Lif()
        self.conv2 = torch.nn.Conv2d(4, 6, 3, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(6)
        self.lif2 = Lif()
        self.head = torch.nn.Linear(6 * 3 * 3, CLASSES)

    def forward(self, x):
        for lif in (self.lif1, self.lif2):
            lif.u = lif.s = 0.0
        logits = []
        for _ in range(T):
            y = self.lif1(self.bn1(self.conv1(x)))
            y = torch.nn.functional.avg_pool2d(y, 2)
            y = self.lif2(self.bn2(self.conv2(y)))
            logits.append(self.head(y.flatten(1)))
        return torch.stack(logits)


def loss_of(logits, label):
    return sum(torch.nn.functional.cross_entropy(z, label) for z in logits) / T


def first_weights(seed, data):
    """The engine's own, so that both start alike."""
    with tempfile.TemporaryDirectory() as scratch:
        path = lambda name: os.path.join(scratch, name)
        np.savez(path("x.npz"), **data)
        with open(path("recipe.json"), "w", encoding="utf-8") as file:
            json.dump(RECIPE, file)
        subprocess.run([os.environ.get("HILLOCK", "hillock"), "probe", path("recipe.json"), "--set",
                        "train.seed=%d" % seed, "--input", path("x.npz"), "--out", path("y.npz"),
                        "--save-weights", path("w")], check=True, stdout=subprocess.DEVNULL)
        return read_safetensors(path("w"))


def make(seed):
    r = np.random.default_rng(seed)
    data = {"x": r.normal(0.5, 1, (B,) + SHAPE).astype("<f4"), "label": r.integers(0, CLASSES, B)}
    weights = first_weights(seed, data)
    net = Net().double()
    net.load_state_dict({k: torch.tensor(v.astype(np.float64)) for k, v in weights.items()}, strict=False)
    x, label = torch.tensor(data["x"]).double(), torch.tensor(data["label"])
    out = {**data, "seed": seed, **{"weight." + k: v for k, v in weights.items()}}
    logits = net(x)
    loss = loss_of(logits, label)
    loss.backward()
    out.update(loss=loss.item(), logits=logits.detach().numpy())
    out.update({"grad." + k: p.grad.numpy().copy() for k, p in net.named_parameters()})
    learned = [p for k, p in net.named_parameters() if not k.startswith("lif")]
    sgd = torch.optim.SGD(learned, lr=RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    losses = []
    for _ in range(STEPS):
        net.zero_grad()
        loss = loss_of(net(x), label)
        losses.append(loss.item())
        loss.backward()
        sgd.step()
    out["losses"] = np.array(losses)
    return min(net.lif1.margin, net.lif2.margin), out


if __name__ == "__main__":
    margin, best = max((make(seed) for seed in range(1, 41)), key=lambda pair: pair[0])
    os.makedirs(os.path.join(here, "reference"), exist_ok=True)
    np.savez_compressed(os.path.join(here, "reference", "conv_lif.npz"), torch=torch.__version__,
                        margin=margin, **best)
    print("seed %d, margin %.2g, losses %s" % (best["seed"], margin, best["losses"]))
