# SPDX-License-Identifier: Apache-2.0
"""BPTT in plain PyTorch, one layer through all steps at once: a convolution sees T*B images, the neuron is
a loop over steps. The constant frame goes through the first convolution once. Tensors are [T*B, C, H, W],
channels last. With compile, torch.compile fuses the loop; without it, the loop is an autograd function
that keeps the membranes alone."""
import torch
import torch.nn.functional as F

from nets import SLOPE
from torch_side import Spike, constants, maybe_compile, parameters, standardized


def lif_traced(scale, leak, threshold, *currents):
    v, out = 0.0, []
    for x in currents:
        u = leak * v + x
        s = Spike.apply(u - threshold)
        v = u - threshold * s.detach()
        out.append(s * scale)
    return torch.cat(out)


class LifLoop(torch.autograd.Function):
    """The same with U kept for backward: dU[t] = phi dE/ds[t] + leak dU[t+1], dx[t] = dU[t]."""

    @staticmethod
    def forward(ctx, scale, leak, threshold, *currents):
        u, out, v = [], [], None
        for x in currents:
            u.append(x.clone() if v is None else torch.add(x, v, alpha=leak))
            s = (u[-1] >= threshold).to(x.dtype)
            v = torch.sub(u[-1], s, alpha=threshold)
            out.append(s.mul_(scale))
        ctx.save_for_backward(*u)
        ctx.numbers = scale, leak, threshold
        return torch.cat(out)

    @staticmethod
    def backward(ctx, g):
        u, (scale, leak, threshold) = ctx.saved_tensors, ctx.numbers
        dx, du = [None] * len(u), None
        for t, g_t in reversed(list(enumerate(g.chunk(len(u))))):
            p = torch.sub(u[t], threshold).mul_(SLOPE).sigmoid_()
            d = (p - p * p).mul_(SLOPE * scale).mul_(g_t)
            du = d if du is None else d.add_(du, alpha=leak)
            dx[t] = du
        return (None, None, None, *dx)


def norm(frames, p, name, training):
    """Batch norm with the statistics of each step, or with the running ones."""
    w, b, mean, var = (p[name + k] for k in (".weight", ".bias", ".running_mean", ".running_var"))
    return [F.batch_norm(f, mean, var, w, b, training=training) for f in frames]


def weight(p, l):
    w = p[l.name + ".weight"]
    return standardized(w, p[l.name + ".gain"]) if l.standardize else w


def forward(x, p, neurons, case, lif=lif_traced, training=True, spikes=None):
    """Logits [T*B, classes]. neurons: leaks and thresholds by name. spikes, a list, gets the output of each
    neuron over its scale."""
    T, frames = case.T, None                 # frames: currents of a neuron, one tensor per step
    for l in case.layers:
        if l.kind == "conv":
            x = F.conv2d(x, weight(p, l), p.get(l.name + ".bias"), padding=1)
            frames = [x] if frames is None else list(x.chunk(T))
        elif l.kind == "norm":
            frames = norm(frames, p, l.name, training)
        elif l.kind == "spike":
            x = lif(l.scale, *neurons[l.name], *(frames * T if len(frames) < T else frames))
            if spikes is not None:
                spikes.append(x / l.scale)
        elif l.kind == "pool":
            x = F.avg_pool2d(x, 2)
        elif l.kind == "gap":
            x = x.mean((2, 3))
        elif l.kind == "flatten":
            x = x.flatten(1)
        else:
            x = F.linear(x, p[l.name + ".weight"], p.get(l.name + ".bias"))
    return x


def build(case, rule, options, weights):
    p, neurons = parameters(weights), constants(weights)
    lif = lif_traced if options.get("compile") else LifLoop.apply

    def whole(x, label):
        return F.cross_entropy(forward(x, p, neurons, case, lif).float(), label.repeat(case.T))

    run = maybe_compile(whole, options)

    def loss(x, label):
        e = run(x, label)
        e.backward()
        return e.detach()

    return p, loss
