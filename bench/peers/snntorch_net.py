# SPDX-License-Identifier: Apache-2.0
"""BPTT with snnTorch's Leaky neuron in a loop over steps, as its users write it. The constant frame goes
through the first convolution once. Leaky's own soft reset does not leak, that of our nets does: so Leaky
runs without reset and the loop subtracts."""
import snntorch
import torch
import torch.nn.functional as F
from snntorch import surrogate

from nets import LEAK, SLOPE, THRESHOLD
from plain_bptt import norm, weight
from torch_side import maybe_compile, parameters


def one_step(x, p, case, neurons, state):
    """One step behind the first convolution, whose output is x: logits and new membranes."""
    old, new = iter(state), []
    for l in case.layers[1:]:
        if l.kind == "conv":
            x = F.conv2d(x, weight(p, l), p.get(l.name + ".bias"), padding=1)
        elif l.kind == "norm":
            (x,) = norm([x], p, l.name, True)
        elif l.kind == "spike":
            v = next(old, None)
            s, u = neurons[l.name](x, torch.zeros_like(x) if v is None else v)
            new.append(u - THRESHOLD * s.detach())
            x = s * l.scale
        elif l.kind == "pool":
            x = F.avg_pool2d(x, 2)
        elif l.kind == "head":
            x = F.linear(x, p[l.name + ".weight"], p.get(l.name + ".bias"))
        else:
            x = x.mean((2, 3)) if l.kind == "gap" else x.flatten(1)
    return x, new


def build(case, rule, options, weights):
    p = parameters(weights)
    neurons = {l.name: snntorch.Leaky(beta=LEAK, threshold=THRESHOLD, reset_mechanism="none",
                                      spike_grad=surrogate.sigmoid(slope=SLOPE))
               for l in case.layers if l.kind == "spike"}
    first = case.layers[0]

    def whole(x, label):
        frame = F.conv2d(x, weight(p, first), p.get(first.name + ".bias"), padding=1)
        total, state = 0.0, []
        for _ in range(case.T):
            z, state = one_step(frame, p, case, neurons, state)
            total = total + F.cross_entropy(z.float(), label) / case.T
        return total

    run = maybe_compile(whole, options)

    def loss(x, label):
        e = run(x, label)
        e.backward()
        return e.detach()

    return p, loss
