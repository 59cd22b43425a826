# SPDX-License-Identifier: Apache-2.0
"""The net and the numbers that make_reference.py and torch_reference.py have in common."""
import json
import struct

import numpy as np

T, B, CLASSES, STEPS = 4, 4, 3, 10
SHAPE = (2, 6, 6)
THRESHOLD, LEAK, SLOPE = 1.0, 0.5, 4.0
RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-3

RECIPE = {
    "data": {"name": "none", "shape": list(SHAPE), "classes": CLASSES},
    "net": {"layers": [
        {"type": "conv2d", "name": "conv1", "out": 4, "kernel": 3, "padding": 1, "bias": False},
        {"type": "batchnorm", "name": "bn1"},
        {"type": "spiking", "name": "lif1"},
        {"type": "avgpool2d", "name": "pool1", "kernel": 2, "stride": 2},
        {"type": "conv2d", "name": "conv2", "out": 6, "kernel": 3, "padding": 1, "bias": False},
        {"type": "batchnorm", "name": "bn2"},
        {"type": "spiking", "name": "lif2"},
        {"type": "flatten", "name": "flat"},
        {"type": "dense", "name": "head", "out": CLASSES},
        {"type": "readout", "name": "readout", "kind": "sum"},
    ]},
    "neuron": {"name": "lif", "convention": "A", "reset": "soft", "threshold": THRESHOLD, "leak": LEAK,
               "surrogate": {"name": "sigmoid", "slope": SLOPE}},
    "rule": {"name": "bptt", "reset_grad": "detached"},
    "loss": {"name": "ce", "when": "step", "divide_by_T": True},
    "optim": {"name": "sgd", "lr": RATE, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY,
              "schedule": {"name": "constant"}},
    "train": {"T": T, "batch": B, "epochs": STEPS, "threads": 1},
}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            lo, hi = entry["data_offsets"]
            arrays[name] = np.frombuffer(data[start + lo:start + hi], "<f4").reshape(entry["shape"])
    return arrays
