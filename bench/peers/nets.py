# SPDX-License-Identifier: Apache-2.0
"""The nets and the cases: one definition, from which every side builds its own.

A net is a list of layers with Hillock's names, so that weights and gradients are found by name.
Convolutions are 3 x 3 with padding 1, pools average 2 x 2, batch norm has statistics of each step. All
nets: LIF of leak 1/2, threshold 1 and soft reset, U[t] = (U[t-1] - s[t-1]) / 2 + x[t], sigmoid surrogate
of slope 4, the same frame at every step, cross-entropy as mean over samples and steps, SGD with momentum.
"""
import json
from dataclasses import dataclass

LEAK, THRESHOLD, SLOPE, RATE, MOMENTUM, CLASSES = 0.5, 1.0, 4.0, 0.01, 0.9, 10
TRIES = 5               # samples on which agreement is looked for


@dataclass(frozen=True)
class Layer:
    kind: str                   # conv, norm, spike, pool, gap, flatten, head
    name: str = ""
    out: int = 0
    standardize: bool = False   # weights of conv
    bias: bool = False
    scale: float = 1.0          # of spikes


def vgg11(*widths):
    """VGG-11 of OTTT, arXiv:2210.04195: standardised weights, spikes times 2.74, pools after pairs."""
    layers = []
    for i, width in enumerate(widths, 1):
        layers += [Layer("conv", "conv%d" % i, width, standardize=True, bias=True),
                   Layer("spike", "spike%d" % i, scale=2.74)]
        if i % 2 == 0 and i < len(widths):
            layers.append(Layer("pool", "pool%d" % (i // 2)))
    return (*layers, Layer("gap", "gap"), Layer("head", "head", CLASSES, bias=True))


def vgg_small(*widths):
    """Pairs of convolutions with batch norm, each pair followed by pooling; one dense layer."""
    layers = []
    for i, width in enumerate(widths, 1):
        layers += [Layer("conv", "conv%d" % i, width), Layer("norm", "bn%d" % i),
                   Layer("spike", "spike%d" % i)]
        if i % 2 == 0:
            layers.append(Layer("pool", "pool%d" % (i // 2)))
    return (*layers, Layer("flatten", "flat"), Layer("head", "head", CLASSES, bias=True))


@dataclass(frozen=True)
class Case:
    name: str
    layers: tuple
    T: int
    batch: int
    shape: tuple = (3, 32, 32)

    @property
    def normed(self):
        return any(l.kind == "norm" for l in self.layers)


CASES = {c.name: c for c in (
    Case("vgg11", vgg11(64, 128, 256, 256, 512, 512, 512, 512), T=6, batch=32),
    Case("vgg_small", vgg_small(32, 32, 64, 64, 128, 128), T=4, batch=64),
    Case("fashion", vgg_small(32, 32, 64, 64), T=4, batch=64, shape=(1, 28, 28)),
    Case("tiny_ws", vgg11(16, 16, 32, 32), T=3, batch=4, shape=(3, 16, 16)),
    Case("tiny_bn", vgg_small(8, 8, 16, 16), T=3, batch=4, shape=(3, 16, 16)),
)}


def neurons(case):
    """Layer to its number of neurons per sample."""
    (width, side), out = case.shape[:2], {}
    for l in case.layers:
        width = l.out or width
        side //= 2 if l.kind == "pool" else 1
        if l.kind == "spike":
            out[l.name] = width * side * side
    return out


# ---- as a recipe of Hillock

def _entry(l):
    if l.kind == "conv":
        return {"type": "conv2d", "name": l.name, "out": l.out, "kernel": 3, "padding": 1, "bias": l.bias,
                "standardize": l.standardize}
    if l.kind == "head":
        return {"type": "dense", "name": l.name, "out": l.out, "bias": l.bias}
    kind = {"norm": "batchnorm", "spike": "spiking", "pool": "avgpool2d"}.get(l.kind, l.kind)
    more = {"kernel": 2, "stride": 2} if l.kind == "pool" else {"scale": l.scale} if l.kind == "spike" else {}
    return {"type": kind, "name": l.name, **more}


def recipe(case, data=None, **sections):
    """The case as text of a recipe: JSON, which is YAML. Sections replace those written here."""
    whole = {
        "data": data or {"name": "none", "shape": case.shape, "classes": CLASSES},
        "encode": {"name": "direct"},
        "net": {"layers": [_entry(l) for l in case.layers]
                + [{"type": "readout", "name": "readout", "kind": "sum"}]},
        "neuron": {"name": "lif", "leak": LEAK, "threshold": THRESHOLD,
                   "surrogate": {"name": "sigmoid", "slope": SLOPE}},
        "rule": {"name": "bptt"},
        "loss": {"name": "ce", "when": "step", "divide_by_T": True},
        "optim": {"name": "sgd", "lr": RATE, "momentum": MOMENTUM},
        "train": {"T": case.T, "batch": case.batch, "seed": 1},
    }
    whole.update(sections)
    return json.dumps(whole, indent=1)
