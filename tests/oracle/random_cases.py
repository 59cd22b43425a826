#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""random_cases.py FOLDER COUNT SEED: writes COUNT fresh cases, a function of SEED, for check_cases.py.

Nets, rules and losses are drawn; a draw in which rounding to float32 could flip a spike, in which a
layer never fires, or that the oracle finds to have no gradient, is drawn again.
"""
import json
import os
import struct
import sys

import numpy as np

import dual

MARGIN, LARGEST = 2e-4, 2000             # LARGEST: directions of one case, for its time

SURROGATES = [{"name": "triangle", "width": 1.0}, {"name": "rectangle", "width": 2.0},
              {"name": "exponential"}, {"name": "sigmoid", "slope": 3.0},
              {"name": "fast_sigmoid", "k": 4.0}, {"name": "atan", "slope": 2.0},
              {"name": "gaussian", "sigma": 0.5}]
GRANULARITY = ["layer", "channel", "neuron"]


class Draw:
    """Choices from a generator, with a net that grows."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)
        self.layers, self.tags = [], []

    def of(self, items):
        return items[int(self.r.integers(len(items)))]

    def yes(self, p=0.5):
        return bool(self.r.random() < p)

    def below(self, lo, hi):
        return int(self.r.integers(lo, hi + 1))

    def add(self, what, name, **keys):
        self.layers.append({"type": what, "name": name, **keys})

    def spiking(self, name, neuron):
        self.add(name=name, **neuron)


def draw_rule(d, T):
    name = d.of(["bptt", "bptt", "bptt", "sltt", "ottt_a", "stop", "stop"])
    rule = {"name": name}
    d.tags.append(name)
    if name == "bptt":
        rule["reset_grad"] = d.of(["detached", "kept"])
        rule["window_kind"] = d.of(["none", "chunk", "sliding"])
        if rule["window_kind"] != "none":
            rule["window"] = d.below(1, T)
    if name == "stop":
        rule.update(W=d.yes(0.8), T=d.yes(), L=d.yes(), leak_reduction=d.of(["sum", "mean"]),
                    trace_reset=d.of(["cut", "kept"]), weight_trace=d.of(["shared"] * 4 + ["none"]))
        rule["T"] = rule["T"] or not (rule["W"] or rule["L"])
    if name in ("ottt_a", "stop"):
        rule.update(bias_trace=d.of(["exact", "exact", "plain", "none"]), first_layer_trace=d.yes(0.8),
                    bn_trace=d.of(["plain", "exact"]), hard_reset_trace="ignore")
        if d.yes(0.3):
            rule["head_trace"] = d.of([0.25, 0.5])
    d.tags += [str(v) for k, v in rule.items() if k in ("reset_grad", "window_kind", "trace_reset")]
    return rule


def draw_neuron(d, rule):
    trace = rule["name"] == "ottt_a" or (rule["name"] == "stop" and rule["W"] and rule["weight_trace"] != "none")
    neuron = {"what": d.of(["lif", "lif", "clif", "empf"]), "cmp": d.of([">=", ">"]),
              "surrogate": d.of(SURROGATES), "threshold_granularity": d.of(GRANULARITY),
              "leak_granularity": "layer" if trace else d.of(GRANULARITY)}
    d.tags += [neuron["what"], neuron["surrogate"]["name"], neuron["threshold_granularity"],
               neuron["leak_granularity"]]
    if neuron["what"] == "lif":
        neuron.update(convention=d.of("AB"), reset=d.of(["soft", "soft", "soft", "hard", "none"]),
                      input_scale=d.of(["1", "1", "1-alpha"]))
        d.tags += [neuron["reset"], neuron["convention"]]
    if d.yes(0.25):
        neuron["scale"] = 1.75
        d.tags.append("scale")
    return draw_emission(d, neuron)


def draw_emission(d, neuron):
    """Sometimes graded spikes, floats or quantised, parameters per step, no recurrence."""
    if neuron["what"] == "clif":
        return neuron
    if neuron["what"] == "lif" and d.yes(0.15):
        neuron["emission"] = "graded"
    if (neuron["what"] == "empf" or "emission" in neuron) and d.yes(0.4):
        neuron.update(spike_bits=d.of([2, 4]), spike_step=0.25)
    for key, value, chance in (("per_step", True, 0.25), ("recurrent", False, 0.15)):
        if d.yes(chance):
            neuron[key] = value
            d.tags.append(key)
    d.tags += [k for k in ("emission", "spike_bits") if k in neuron]
    return neuron


def draw_dense(d, neuron, classes):
    width = d.below(3, 5)
    shape = [width]
    for i in range(d.below(1, 3)):
        out = d.below(4, 7)
        d.add("dense", "fc%d" % (i + 1), out=out, bias=d.yes(0.7), **{"in": width})
        d.spiking("lif%d" % (i + 1), neuron)
        width = out
    return shape, width


def draw_conv(d, neuron, classes):
    c, side = 2, d.below(5, 6)
    shape = [c, side, side]
    groups = 1
    for i in range(d.below(1, 2)):
        n = i + 1
        kernel, stride, padding = d.of([(3, 1, 1), (2, 1, 0), (3, 2, 1), (2, 2, 0)]) if side > 3 \
            else (3, 1, 1)
        groups, out = d.of([(1, 3), (1, 4), (2, 4)]) if c % 2 == 0 else (1, 4)
        d.add("conv2d", "conv%d" % n, out=out, kernel=kernel, stride=stride, padding=padding,
              groups=groups, bias=d.yes(), **{"in": c})
        c, side = out, (side + 2 * padding - kernel) // stride + 1
        if side >= 4 and d.yes(0.25):
            d.add("maxpool2d", "before%d" % n, kernel=2, stride=2)
            side //= 2
        if d.yes(0.6):
            mode = d.of(["train", "eval"])
            conv = next(l for l in d.layers if l["name"] == "conv%d" % n)
            conv["bias"] &= mode == "eval"             # else its gradient is 0 but for rounding
            d.add("batchnorm2d", "bn%d" % n, channels=c, mode=mode, eps=1e-5)
        d.spiking("lif%d" % n, neuron)
        if d.yes(0.3):
            branch(d, neuron, c, n)
        if side >= 4 and d.yes():
            d.add(d.of(["avgpool2d", "maxpool2d"]), "pool%d" % n, kernel=2, stride=2)
            side //= 2
    if d.yes(0.4):
        d.add("gap", "gap")
        return shape, c
    d.add("flatten", "flat")
    return shape, c * side * side


def branch(d, neuron, c, n):
    """A residual: what went in is added to what comes out, before or after the neuron."""
    stem = d.layers[-1]["name"]
    d.add("conv2d", "side%d" % n, out=c, kernel=3, stride=1, padding=1, groups=1, bias=True,
          **{"in": c})
    if d.yes():
        d.add("add", "add%d" % n, **{"from": ["side%d" % n, stem]})
        d.spiking("lif%db" % n, neuron)
    else:
        d.spiking("lif%db" % n, neuron)
        d.add("add", "add%d" % n, **{"from": [stem, "lif%db" % n]})
    d.tags.append("residual")


def draw_loss(d, rule, T):
    kind = d.of(["ce", "mse", "ce_mse_onehot", "ce_mse_constant"])
    loss = {"kind": kind, "when": d.of(["step", "step", "final"]), "batch": d.of(["mean", "sum"]),
            "divide_by_T": d.yes()}
    if kind == "mse":
        loss["mse_form"] = d.of(["half_sum", "mean"])
    if kind.startswith("ce_mse"):
        loss["lam"] = 0.25
    if kind == "ce_mse_constant":
        loss["constant"] = 0.5
    if kind != "mse" and d.yes(0.3):
        loss["smoothing"] = 0.125
    whole = rule["name"] == "bptt" and rule.get("window", T) >= T
    kinds = ["sum", "mean", "last", "leaky"] if whole or loss["when"] == "step" else ["last", "leaky"]
    readout = {"kind": d.of(kinds)}
    if readout["kind"] == "leaky":
        readout["leak"] = d.of([0.5, 0.75])
    d.tags += [kind, loss["when"], readout["kind"]]
    return loss, readout


def draw_case(seed):
    d = Draw(seed)
    T, B, classes = d.below(1, 6), d.below(2, 3), d.below(2, 4)
    rule = draw_rule(d, T)
    neuron = draw_neuron(d, rule)
    shape, width = (draw_conv if d.yes() else draw_dense)(d, neuron, classes)
    loss, readout = draw_loss(d, rule, T)
    d.add("dense", "head", out=classes, bias=d.yes(), **{"in": width})
    if d.yes(0.2):
        d.spiking("lif_out", neuron)
        d.tags.append("classifier")
    d.add("readout", "readout", **readout)
    case = {"seed": seed, "T": T, "B": B, "classes": classes, "input_shape": shape,
            "tags": sorted(set(d.tags)), "network": d.layers, "rule": rule, "loss": loss}
    return case, d


# ---- numbers ----------------------------------------------------------------------------------------


def shapes_of(case):
    """Shape of every layer's output."""
    shape, all_of = tuple(case["input_shape"]), {}
    for layer in case["network"]:
        if "from" in layer:
            shape = all_of[layer["from"][0]]
        kind = layer["type"]
        if kind == "dense":
            shape = (layer["out"],)
        elif kind in ("conv2d", "avgpool2d", "maxpool2d"):
            side = lambda n: (n + 2 * layer.get("padding", 0) - layer["kernel"]) // layer["stride"] + 1
            shape = (layer.get("out", shape[0]), side(shape[1]), side(shape[2]))
        elif kind == "gap":
            shape = shape[:1]
        elif kind == "flatten":
            shape = (int(np.prod(shape)),)
        all_of[layer["name"]] = shape
    return all_of


def draw_weights(case, d):
    w, shapes = {}, shapes_of(case)
    for layer in case["network"]:
        name, kind = layer["name"], layer["type"]
        if kind in ("dense", "conv2d"):
            size = (layer["out"], layer["in"]) if kind == "dense" else \
                (layer["out"], layer["in"] // layer["groups"], layer["kernel"], layer["kernel"])
            w[name + ".weight"] = d.r.normal(0, 1.3 / np.sqrt(np.prod(size[1:])), size)
            if layer["bias"]:
                w[name + ".bias"] = d.r.normal(0, 0.3, layer["out"])
        elif kind == "batchnorm2d":
            c = layer["channels"]
            w[name + ".weight"], w[name + ".bias"] = d.r.normal(1, 0.3, c), d.r.normal(0.2, 0.3, c)
            w[name + ".running_mean"] = d.r.normal(0, 0.3, c)
            w[name + ".running_var"] = d.r.uniform(0.5, 1.5, c)
        elif kind in ("lif", "clif", "empf"):
            steps = (case["T"],) if layer.get("per_step") else ()
            size = {"layer": (1,), "channel": shapes[name][:1], "neuron": shapes[name]}
            for key, lo in ("threshold", 0.3), ("leak", 0.2):
                share = layer[key + "_granularity"]
                shape = steps if steps and share == "layer" else steps + size[share]
                w[name + "." + key] = d.r.uniform(lo, 0.9, shape)
    return {k: v.astype("<f4") for k, v in w.items()}


def draw_input(case, d):
    T, B = case["T"], case["B"]
    lead = (B,) if d.yes(0.25) else (T, B)
    x = d.r.normal(0.4, 0.8, lead + tuple(case["input_shape"]))
    if d.yes(0.3):
        x = x > 0.4
    data = {"x": x.astype("<f4")}
    if case["loss"]["kind"] == "mse" and d.yes():
        data["target"] = d.r.normal(0, 1, (T, B, case["classes"])).astype("<f4")
        return data, data["target"]
    data["label"] = d.r.integers(0, case["classes"], B)
    soft = case["loss"].get("smoothing", 0.0)
    y = (1 - soft) * np.eye(case["classes"])[data["label"]] + soft / case["classes"]
    return data, np.broadcast_to(y, (T,) + y.shape)


def make(seed):
    """Case, weights, input and expected arrays, or None if this seed is no good."""
    case, d = draw_case(seed)
    weights = draw_weights(case, d)
    data, target = draw_input(case, d)
    net = dual.Net(case, weights, data["x"], target)
    if net.P > LARGEST:
        return None
    out = net.run()
    silent = any(not out[k].any() for k in out if k.endswith(".s"))
    flat = not any(np.abs(out[k]).max() > 1e-6 for k in out if k.startswith("grad."))
    if net.margin < MARGIN or silent or flat:
        return None
    return case, weights, data, out


# ---- files --------------------------------------------------------------------------------------------


def write_safetensors(path, arrays):
    head, at = {}, 0
    for name, v in arrays.items():
        head[name] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for v in arrays.values():
            file.write(np.ascontiguousarray(v).tobytes())


def write_cases(folder, count, seed):
    made, tried = 0, 0
    while made < count:
        found = make(seed * 1000003 + tried)
        tried += 1
        if not found:
            continue
        case, weights, data, out = found
        path = os.path.join(folder, "%03d" % made)
        os.makedirs(path)
        with open(os.path.join(path, "case.json"), "w", encoding="utf-8") as file:
            json.dump(case, file, indent=1)
        write_safetensors(os.path.join(path, "weights.safetensors"), weights)
        np.savez(os.path.join(path, "input.npz"), **data)
        np.savez(os.path.join(path, "expected.npz"), **out)
        made += 1
    return tried


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    tries = write_cases(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print("%s cases of %d draws in %s" % (sys.argv[2], tries, sys.argv[1]))
