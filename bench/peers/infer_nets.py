# SPDX-License-Identifier: Apache-2.0
"""Inference in PyTorch: batch norm folded into the convolution, standardised weights formed once, all
steps of a layer together; with compile, frozen constants. And SpikingJelly's multi-step net in eval mode."""
import time

import numpy as np
import torch
import torch._inductor.config
from safetensors.numpy import load_file

import plain_bptt
import spikingjelly_net
from nets import Case, Layer
from torch_side import constants, maybe_compile, parameters, read_batch


def folded(case, p):
    """The case without norms and standardisation, and its constants."""
    layers, out = [], {}
    for l in case.layers:
        if l.kind == "norm":
            conv = layers[-1]
            w, b, mean, var = (p[l.name + k] for k in (".weight", ".bias", ".running_mean", ".running_var"))
            gain = w / torch.sqrt(var + 1e-5)
            out[conv.name + ".weight"] = out[conv.name + ".weight"] * gain.view(-1, 1, 1, 1)
            out[conv.name + ".bias"] = out.get(conv.name + ".bias", 0.0) * gain + b - mean * gain
            continue
        if l.kind in ("conv", "head"):
            out[l.name + ".weight"] = plain_bptt.weight(p, l)
            if l.bias:
                out[l.name + ".bias"] = p[l.name + ".bias"]
            l = Layer(l.kind, l.name, l.out, bias=True)
        layers.append(l)
    return Case(**{**vars(case), "layers": tuple(layers)}), {k: v.detach() for k, v in out.items()}


class Frozen(torch.nn.Module):
    def __init__(self, case, values, neurons):
        super().__init__()
        self.case, self.names, self.neurons = case, list(values), neurons
        for name, value in values.items():
            self.register_buffer(name.replace(".", "_"), value)

    def forward(self, x, spikes=None):
        p = {name: getattr(self, name.replace(".", "_")) for name in self.names}
        z = plain_bptt.forward(x, p, self.neurons, self.case, training=False, spikes=spikes)
        return z.unflatten(0, (self.case.T, -1)).sum(0)


def plain(case, weights):
    net = Frozen(*folded(case, parameters(weights)), constants(weights)).eval()

    def spikes(x):
        found = []
        net(x, found)
        return found
    return net, spikes


def spikingjelly(case, weights):
    net, first = spikingjelly_net.multi_step(case, weights)
    net.eval()

    def run(x):
        spikingjelly_net.functional.reset_net(net)
        return spikingjelly_net.forward(net, first, x, case.T).sum(0)

    def spikes(x):
        found, hooks = [], []
        for m in net:
            if isinstance(m, spikingjelly_net.neuron.LIFNode):
                hooks.append(m.register_forward_hook(lambda m, x, y: found.append(y)))
        run(x)
        for h in hooks:
            h.remove()
        return found
    return run, spikes


class Inference:
    """One contestant. Answers have its spikes per layer and what it decides."""

    def __init__(self, case, job):
        self.x, _ = read_batch(job["data"])
        build = spikingjelly if job["side"] == "spikingjelly_net" else plain
        run, spikes = build(case, load_file(job["weights"]))
        names = [l.name for l in case.layers if l.kind == "spike"]
        with torch.inference_mode():
            self.spikes = {n: float(s.sum()) for n, s in zip(names, spikes(self.x))}
        torch._inductor.config.freezing = True
        self.run = maybe_compile(run, job["options"])

    def step(self):
        with torch.inference_mode():
            begun = time.perf_counter()
            z = self.run(self.x)
            seconds = time.perf_counter() - begun
        return {"seconds": seconds, "spikes": self.spikes, "output": np.asarray(z.float()).ravel().tolist()}
