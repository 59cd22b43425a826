# SPDX-License-Identifier: Apache-2.0
"""Latency of one sample through a trained net, and whether both sides send the same spikes."""
import os
import re
from dataclasses import replace

import numpy as np

import fashion
import report
from measure import in_turns
from ours import Folder
from variants import INFER

SPIKES, OUTPUT = 2e-3, 1e-2     # relative: folding batch norm rounds differently, and a spike may move


def differs(mine, theirs):
    worst = max(abs(mine["spikes"][n] - theirs["spikes"][n]) / max(mine["spikes"][n], 1) for n in mine["spikes"])
    a, b = np.array(mine["output"]), np.array(theirs["output"])
    off = float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-9))
    fault = None
    if not sum(mine["spikes"].values()):
        fault = "no spikes: nothing would be compared"
    elif not worst <= SPIKES:
        fault = "spikes differ by %.2g" % worst
    elif not off <= OUTPUT:
        fault = "output differs by %.2g" % off
    return {"spikes": worst, "output": off, "fault": fault}


def infer(case, options, scratch):
    images = None
    at = replace(case, T=(options.steps or [4])[0], batch=1)
    if options.images and os.path.isdir(options.images):
        images = fashion.images(options.images, "t10k")[0][:1]
    elif options.images:
        with np.load(options.images) as file:
            images = file["x"][:1]
    folder = Folder(os.path.join(scratch, "infer"), at, options.weights, images)
    variants = [v for v in INFER if v.side == "ours" or ((v.quick or not options.quick)
                                                         and re.search(options.only or "", v.name))]
    runs = in_turns(variants, folder, options, part="infer")
    mine = [v.name for v in variants if v.side == "ours"]
    facts = {v.name: differs(runs[mine[0]]["last"], runs[v.name]["last"]) for v in variants if v.name != mine[0]}
    return report.infer(at, options, facts, runs, mine)
