# SPDX-License-Identifier: Apache-2.0
"""The nets made of SpikingJelly's layers: BPTT in its multi-step mode, and its OTTT (single-step layers in
OTTTSequential). The constant frame goes through the first convolution of BPTT once; OTTT calls the whole
model at every step, as its training function does."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from spikingjelly.activation_based.functional.net_config import detach_net

from nets import SLOPE
from torch_side import constants, maybe_compile

NEURON = dict(decay_input=False, v_reset=None, detach_reset=True, surrogate_function=surrogate.Sigmoid(SLOPE))


class Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


class StepNorm(layer.BatchNorm2d):
    """SpikingJelly's batch norm takes its statistics over all steps in multi-step mode, our nets over each
    step: so the single-step form, step by step."""

    def forward(self, x):
        if x.dim() == 4:
            return super().forward(x)
        return torch.stack([super(StepNorm, self).forward(f) for f in x])


def module(l, channels, mode):
    """The module of one layer; channels that come in."""
    if l.kind == "conv":
        kind = layer.WSConv2d if l.standardize else layer.Conv2d
        return kind(channels, l.out, kernel_size=3, padding=1, bias=l.bias, step_mode=mode)
    if l.kind == "norm":
        return StepNorm(channels)
    if l.kind == "pool":
        return layer.AvgPool2d(2, step_mode=mode)
    if l.kind == "gap":
        return nn.Sequential(layer.AdaptiveAvgPool2d(1, step_mode=mode), layer.Flatten(step_mode=mode))
    if l.kind == "flatten":
        return layer.Flatten(step_mode=mode)
    return layer.Linear(channels, l.out, bias=l.bias, step_mode=mode)


def modules(case, mode, spiking, weights):
    """Named modules in order, with the weights."""
    out, channels, neurons = [], case.shape[0], constants(weights)
    for l in case.layers:
        if l.kind == "spike":
            leak, threshold = neurons[l.name]
            out.append((l.name, spiking(tau=1 / (1 - leak), v_threshold=threshold, **NEURON, step_mode=mode)))
            if l.scale != 1:
                out.append((l.name + "_scale", Scale(l.scale)))
            continue
        if l.kind == "head":
            channels = weights[l.name + ".weight"].shape[1]
        m = module(l, channels, mode)
        load(m, l.name, weights)
        out.append((l.name, m))
        channels = l.out or channels
    return out


def load(m, name, weights):
    with torch.no_grad():
        for k, value in list(m.named_parameters()) + list(m.named_buffers()):
            if name + "." + k in weights:
                value.copy_(torch.from_numpy(weights[name + "." + k]).reshape(value.shape))


def multi_step(case, weights):
    """The net behind its first convolution (and norm), and these; to be called by `forward`."""
    layers = modules(case, "m", neuron.LIFNode, weights)
    first = 2 if case.layers[1].kind == "norm" else 1
    for _, m in layers[:first]:
        m.step_mode = "s"
    net = nn.Sequential()
    for name, m in layers:
        net.add_module(name, m)
    return net.to(memory_format=torch.channels_last), first


def forward(net, first, x, T):
    """Logits [T, B, classes]."""
    x = net[:first](x)
    x = x.unsqueeze(0).expand(T, *x.shape)
    return net[first:](x)


def build(case, rule, options, weights):
    return (_bptt if rule == "bptt" else _ottt)(case, options, weights)


def _bptt(case, options, weights):
    net, first = multi_step(case, weights)

    def whole(x, label):
        z = forward(net, first, x, case.T)
        return F.cross_entropy(z.flatten(0, 1).float(), label.repeat(case.T))

    run = maybe_compile(whole, options)

    def loss(x, label):
        functional.reset_net(net)
        e = run(x, label)
        e.backward()
        return e.detach()

    return dict(net.named_parameters()), loss


def _ottt(case, options, weights):
    net = layer.OTTTSequential()
    for name, m in modules(case, "s", neuron.OTTTLIFNode, weights):
        if isinstance(m, nn.Sequential):     # parts that spikes and traces go through alike
            for k, part in m.named_children():
                net.add_module(name + k, part)
        else:
            net.add_module(name, m)
    net = net.to(memory_format=torch.channels_last)
    run = maybe_compile(net, options)

    def loss(x, label):
        functional.reset_net(net)
        total = 0.0
        for _ in range(case.T):
            e = F.cross_entropy(run(x).float(), label) / case.T
            e.backward()
            detach_net(net)
            total += e.detach()
        return total

    return dict(net.named_parameters()), loss
