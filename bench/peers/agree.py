# SPDX-License-Identifier: Apache-2.0
"""Whether a contestant computes what Hillock computes: loss and every gradient at the first weights.

A membrane that rounds to the other side of its threshold changes all that follows, and among the millions of
a deep net some do, for any two programs that add in another order. So samples are compared one by one, each
as a batch of its copies, until one agrees; a wrong gradient agrees on none.
"""
import os

import numpy as np

from nets import TRIES

LOSS, GRADIENT = 1e-5, 1e-3     # relative; a gradient by its norm
LOSS_BF16 = 0.05                # bf16 rounds many spikes: only its loss is held


def compare(ours, theirs, bf16):
    """What differs most, and why it does not agree, or None."""
    loss, at = abs(float(theirs.pop("loss")) / float(ours["loss"]) - 1), ""
    worst = 0.0
    for name, value in theirs.items():
        if name not in ours:
            return {"fault": "Hillock has no gradient of %s" % name}
        want = ours[name].ravel().astype("f8")
        size = np.linalg.norm(want)
        if not size > 0:
            return {"fault": "the gradient of %s is 0: nothing would be compared" % name}
        off = float(np.linalg.norm(want - value.ravel()) / size)
        if not off <= worst:
            worst, at = off, name
    out = {"loss": loss, "gradient": worst, "where": at, "gradients": len(theirs), "fault": None}
    missing = [k for k in ours if k != "loss" and k not in theirs
               and not k.endswith((".threshold", ".leak"))]
    if missing:
        out["fault"] = "no gradient of %s" % missing[0]
    elif not loss <= (LOSS_BF16 if bf16 else LOSS):
        out["fault"] = "loss differs by %.2g" % loss
    elif not bf16 and not worst <= GRADIENT:
        out["fault"] = "gradient of %s differs by %.2g" % (at, worst)
    return out


class References:
    """Hillock's gradients by rule, computed when they are first asked for."""

    def __init__(self, folder, ours):
        self.folder, self.by_rule, self.found = folder, {v.rule: v for v in ours if v.rule}, {}

    def gradients(self, rule, sample):
        if (rule, sample) not in self.found:
            self.found[rule, sample] = self.folder.gradients(self.by_rule[rule], sample)
        return self.found[rule, sample]

    def check(self, variant, path):
        """Of the first sample that agrees, else of the one that is nearest."""
        with np.load(path) as file:
            theirs = {k: file[k] for k in file.files}
        os.remove(path)
        tried = []
        for i in range(min(TRIES, self.folder.case.batch)):
            mine = {k.split("/", 1)[1]: v for k, v in theirs.items() if k.startswith("%d/" % i)}
            tried.append(compare(self.gradients(variant.rule, i), mine, variant.options.get("bf16")))
            tried[-1]["sample"] = i
            if not tried[-1]["fault"]:
                return tried[-1]
        return min(tried, key=lambda t: t.get("gradient", np.inf))
