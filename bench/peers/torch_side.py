# SPDX-License-Identifier: Apache-2.0
"""What the PyTorch sides share: batch, weights, one training step, options.

A side module has  build(case, rule, options, weights) -> (named, loss): named maps Hillock's names to the
parameters, loss(x, label) gives the loss after all gradients have been added.
Options: compile (torch.compile), bf16 (autocast).
"""
import contextlib
import importlib
import time

import numpy as np
import torch
from safetensors.numpy import load_file

from nets import MOMENTUM, RATE, SLOPE, TRIES

torch._dynamo.config.recompile_limit = 256          # one form per shape of layer


class Spike(torch.autograd.Function):
    """1 where z >= 0; the derivative is that of a sigmoid."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        p = torch.sigmoid(SLOPE * z)
        return g * (SLOPE * p * (1.0 - p))


def standardized(w, gain):
    """gain (w - mean) / sqrt(n var + 1e-4) per output, n inputs, var unbiased."""
    n = w[0].numel()
    var, mean = torch.var_mean(w, dim=(1, 2, 3), keepdim=True)
    return gain.view(-1, 1, 1, 1) * (w - mean) / torch.sqrt(n * var + 1e-4)


def read_batch(path):
    with np.load(path) as file:
        x, label = torch.from_numpy(file["x"]), torch.from_numpy(file["label"]).long()
    return x.contiguous(memory_format=torch.channels_last), label


def parameters(weights):
    """Name to parameter or, for running statistics, tensor. Leaks and thresholds are constants."""
    named = {}
    for name, value in weights.items():
        if name.endswith((".leak", ".threshold")):
            continue
        value = torch.from_numpy(value)
        if value.dim() == 4:
            value = value.contiguous(memory_format=torch.channels_last)
        named[name] = value if "running_" in name else torch.nn.Parameter(value)
    return named


def constants(weights):
    """Name of a neuron layer to its leak and threshold, one each per layer."""
    return {k[:-5]: (float(v[0]), float(weights[k[:-5] + ".threshold"][0])) for k, v in weights.items()
            if k.endswith(".leak")}


def learned(named):
    return {k: p for k, p in named.items() if isinstance(p, torch.nn.Parameter)}


def maybe_compile(function, options):
    return torch.compile(function, dynamic=False) if options.get("compile") else function


class Trainer:
    """One contestant: a net that learns one batch. job is what measure.py wrote; with a path in
    "gradients", losses and gradients of the first weights go there."""

    def __init__(self, case, job):
        torch.manual_seed(1)
        options = job["options"]
        self.x, self.label = read_batch(job["data"])
        side = importlib.import_module(job["side"])
        self.named, self.loss = side.build(case, job["rule"], options, load_file(job["weights"]))
        self.named = learned(self.named)
        self.optimizer = torch.optim.SGD(self.named.values(), lr=RATE, momentum=MOMENTUM, fused=True)
        self.precision = contextlib.nullcontext
        if options.get("bf16"):
            self.precision = lambda: torch.autocast("cpu", torch.bfloat16)
        if job["gradients"]:
            self.save_gradients(job["gradients"])

    def gradients(self, x, label):
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision():
            return self.loss(x, label)

    def save_gradients(self, path):
        """Those of the first TRIES samples, each alone, as a batch of its copies: see agree.py."""
        found = {}
        for i in range(min(TRIES, len(self.x))):
            x = self.x[i:i + 1].repeat(len(self.x), 1, 1, 1).contiguous(memory_format=torch.channels_last)
            found["%d/loss" % i] = float(self.gradients(x, self.label[i:i + 1].repeat(len(x))))
            found.update({"%d/%s" % (i, k): p.grad.float().numpy().copy() for k, p in self.named.items()})
        np.savez(path, **found)

    def step(self):
        begun = time.perf_counter()
        loss = self.gradients(self.x, self.label)
        self.optimizer.step()
        return {"seconds": time.perf_counter() - begun, "loss": float(loss)}
