# SPDX-License-Identifier: Apache-2.0
"""Whether a contestant computes what Hillock computes: loss and every gradient of the first batch."""
import os

import numpy as np

LOSS, GRADIENT = 1e-5, 1e-3     # relative; a gradient by its norm. A membrane that rounds to the other side
LOSS_BF16 = 0.05                # of its threshold moves gradients. bf16 moves many: only its loss is held


def compare(ours, path, bf16):
    """What differs most, and why it does not agree, or None."""
    with np.load(path) as file:
        theirs = {k: file[k] for k in file.files}
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

    def check(self, variant, path):
        if variant.rule not in self.found:
            self.found[variant.rule] = self.folder.gradients(self.by_rule[variant.rule])
        out = compare(self.found[variant.rule], path, variant.options.get("bf16"))
        os.remove(path)
        return out
