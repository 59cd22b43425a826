# SPDX-License-Identifier: Apache-2.0
"""OTTT in plain PyTorch, step by step: the weight gradient of a convolution is one product of the error
with the trace of its input, memory does not grow with T. What does not change over the steps is done once:
the first convolution, and the standardisation of weights, whose gradients are summed over the steps.

As in the published code the first layer and the biases have no trace, and the head's input is filtered with
the neurons' leak. Norms get the gradient of the instant."""
import torch
import torch.nn.functional as F

from nets import LEAK, THRESHOLD
from plain_bptt import norm, weight
from torch_side import Spike, maybe_compile, parameters


class TracedConv(torch.autograd.Function):
    """conv2d(x, w) + b whose weight gradient takes `trace` in place of x."""

    @staticmethod
    def forward(ctx, x, w, b, trace):
        ctx.save_for_backward(trace.to(x.dtype), w)
        ctx.bias = None if b is None else [b.shape[0]]
        return F.conv2d(x, w, b, padding=1)

    @staticmethod
    def backward(ctx, g):
        trace, w = ctx.saved_tensors
        dx, dw, db = torch.ops.aten.convolution_backward(
            g, trace, w, ctx.bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1,
            [ctx.needs_input_grad[0], True, ctx.bias is not None])
        return dx, dw, db, None


class TracedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, trace):
        ctx.save_for_backward(trace.to(x.dtype), w)
        return F.linear(x, w, b)

    @staticmethod
    def backward(ctx, g):
        trace, w = ctx.saved_tensors
        return g @ w, g.t() @ trace, g.sum(0), None


def cast(*tensors):
    """What autocast does to a convolution; custom functions have to do it themselves."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    return tuple(t if t is None else t.to(torch.get_autocast_dtype("cpu")) for t in tensors)


def filtered(trace, x):
    x = x.detach()
    return x.clone() if trace is None else LEAK * trace + x


def step(x, label, p, w, case, state):
    """One step behind the first convolution, whose output is x; returns the loss of the step and the new
    state: a trace for every weighted layer but the first, a membrane for every neuron."""
    old, new = iter(state), []
    for l in case.layers[1:]:
        if l.kind in ("conv", "head"):
            new.append(filtered(next(old, None), x))
            traced = TracedConv if l.kind == "conv" else TracedLinear
            x = traced.apply(*cast(x, w[l.name], p.get(l.name + ".bias"), new[-1]))
        elif l.kind == "norm":
            (x,) = norm([x], p, l.name, True)
        elif l.kind == "spike":
            v = next(old, None)
            u = x if v is None else LEAK * v + x
            s = Spike.apply(u - THRESHOLD)
            new.append((u - THRESHOLD * s).detach())
            x = s * l.scale
        elif l.kind == "pool":
            x = F.avg_pool2d(x, 2)
        else:
            x = x.mean((2, 3)) if l.kind == "gap" else x.flatten(1)
    return F.cross_entropy(x.float(), label) / case.T, new


def build(case, rule, options, weights):
    p = parameters(weights)
    first, run = case.layers[0], maybe_compile(step, options)
    weighted = [l for l in case.layers if l.kind in ("conv", "head")]

    def loss(x, label):
        whole = {l.name: weight(p, l) for l in weighted}
        w = {k: v.detach().requires_grad_() for k, v in whole.items()}
        current = F.conv2d(x, whole[first.name], p.get(first.name + ".bias"), padding=1)
        frame = current.detach().requires_grad_()
        total, state = 0.0, []
        for _ in range(case.T):
            e, state = run(frame, label, p, w, case, state)
            e.backward()
            total += e.detach()
        roots = [current] + [whole[l.name] for l in weighted[1:]]
        torch.autograd.backward(roots, [frame.grad] + [w[l.name].grad for l in weighted[1:]])
        return total

    return p, loss
