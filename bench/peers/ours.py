# SPDX-License-Identifier: Apache-2.0
"""Hillock's side: the recipe, first weights and gradients by `hillock probe`, the command to time."""
import json
import os
import subprocess

import numpy as np
from safetensors.numpy import load_file, save_file

import nets

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RATE, STEPS = 0.15, 4     # first weights are balanced to this rate, whatever T
HILLOCK = os.environ.get("HILLOCK", os.path.join(ROOT, "build/release/hillock"))


def hillock(*arguments):
    run = subprocess.run([HILLOCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        raise SystemExit("hillock %s: %s" % (" ".join(arguments), run.stderr.strip()))
    return run.stdout


def sets(variant):
    return [word for s in variant.sets for word in ("--set", s)]


class Folder:
    """What all sides are given: recipe, batch and first weights of a case, in a folder."""

    def __init__(self, path, case, weights=None, images=None):
        os.makedirs(path, exist_ok=True)
        self.path, self.case = path, case
        self.neurons = nets.neurons(case)
        self.recipe, self.data = self.file("recipe.json"), self.file("x.npz")
        self.weights = weights or self.file("weights.safetensors")
        with open(self.recipe, "w") as f:
            f.write(nets.recipe(case))
        x = np.random.default_rng(1).standard_normal((case.batch, *case.shape)) if images is None else images
        np.savez(self.data, x=x.astype("f4"), label=(np.arange(case.batch) % nets.CLASSES).astype("i4"))
        if not weights:
            self.first_weights()
            self.balance()

    def file(self, name):
        return os.path.join(self.path, name)

    def first_weights(self):
        """Of the seed; one sample is enough to have them written."""
        self.one = self.file("one.npz")
        with np.load(self.data) as file:
            np.savez(self.one, x=file["x"][:1], label=file["label"][:1])
        hillock("probe", self.recipe, "--input", self.one, "--out", self.file("probe.npz"),
                "--save-weights", self.weights)

    def rate(self, l):
        """Share of the neurons of layer l that fire, without batch statistics."""
        said = hillock("bench", "infer", "--recipe", self.recipe, "--set", "train.T=%d" % STEPS, "--input", self.one,
                       "--weights", self.weights, "--warmup", "0", "--repeats", "1", "--json")
        return json.loads(said)["spikes"][l] / (STEPS * self.neurons[l])

    def balance(self):
        """Without batch norm a deep net with first weights falls silent towards its top, which would flatter
        whoever skips zeros. So the gains of standardised weights are set, layer by layer, to values with
        which about RATE of the neurons fire, as in a trained net."""
        weights = load_file(self.weights)
        for conv, spike in zip(self.case.layers, self.case.layers[1:]):
            low, high, rate = 0.25, 4.0, 0.0
            while conv.standardize and abs(rate / RATE - 1) > 0.05 and high / low > 1.01:
                gain = (low * high) ** 0.5
                weights[conv.name + ".gain"][:] = gain
                save_file(weights, self.weights)
                rate = self.rate(spike.name)
                low, high = (low, gain) if rate > RATE else (gain, high)

    def gradients(self, variant, sample):
        """Loss and gradients of one sample, by name."""
        one, out = self.file("sample.npz"), self.file("probe.npz")
        with np.load(self.data) as file:
            np.savez(one, **{k: file[k][sample:sample + 1] for k in ("x", "label")})
        hillock("probe", self.recipe, "--input", one, "--weights", self.weights, "--out", out,
                *sets(variant))
        with np.load(out) as file:
            found = {k[5:]: file[k] for k in file.files if k.startswith("grad.")}
            found["loss"] = file["loss"]
        os.remove(out)                   # it holds every membrane
        return found

    def command(self, part, variant, threads, warmup):
        return [HILLOCK, "bench", part, "--recipe", self.recipe, "--input", self.data, "--weights",
                self.weights, "--threads", str(threads), "--warmup", str(warmup), "--paced",
                *sets(variant)]
