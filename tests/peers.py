#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/peers asks of the command, without the peers: its scripts compile, the nets that it writes
are those of the builders, each of Hillock's contestants takes a step, and last-step STOP looks at the
last step alone."""
import json
import os
import subprocess
import sys

SRC = os.environ.get("HILLOCK_SRC", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
HILLOCK = os.environ.get("HILLOCK", "hillock")
PEERS = os.path.join(SRC, "bench", "peers")
sys.dont_write_bytecode = True
sys.path.insert(0, PEERS)
from nets import CASES, recipe  # noqa: E402
from variants import OURS  # noqa: E402

faults = []


def hillock(*arguments):
    run = subprocess.run([HILLOCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode and "needs AVX-512 BF16" in run.stderr:
        return None                      # not on this processor
    if run.returncode:
        faults.append("hillock %s: %s" % (" ".join(arguments), run.stderr.strip()))
        return {}
    return json.loads(run.stdout)


def write(name, text):
    with open(name, "w") as f:
        f.write(text)
    return name


def check_scripts():
    for name in os.listdir(PEERS):
        if name.endswith(".py"):
            with open(os.path.join(PEERS, name)) as f:
                compile(f.read(), name, "exec")


def check_nets():
    """Memory to the byte and operations are those of the builder."""
    for case, builder in (("vgg11", "vgg11_ottt"), ("vgg_small", "vgg_small"), ("fashion", "conv_small")):
        c = CASES[case]
        own = hillock("plan", write(case + ".json", recipe(c)), "--json")
        text = json.loads(recipe(c))
        text["net"] = {"name": builder}
        named = hillock("plan", write(case + "_named.json", json.dumps(text)), "--json")
        for plan in (own, named):
            plan.pop("recipe", None)
        if own != named:
            faults.append("%s: not the net of builder %s" % (case, builder))


def check_contestants():
    losses = {}
    for case in ("tiny_ws", "tiny_bn"):
        path = write(case + ".json", recipe(CASES[case]))
        for v in OURS:
            sets = [word for s in v.sets for word in ("--set", s)]
            r = hillock("bench", "step", "-r", path, "--warmup", "0", "-n", "1", "--json", *sets)
            if r is None:
                continue
            losses[case, v.name] = r.get("loss", 0)
            if r and not all(0 <= d <= 1 for d in r["error_density"].values()):
                faults.append("%s, %s: error densities %s" % (case, v.name, r["error_density"]))
        if losses[case, "hillock stop"] == losses[case, "hillock stop, last step"]:
            faults.append("%s: the loss of the last step is that of all steps" % case)
        if losses[case, "hillock stop"] != losses[case, "hillock bptt"]:
            faults.append("%s: the rules do not begin with the same loss" % case)


os.makedirs("peers", exist_ok=True)
os.chdir("peers")
check_scripts()
check_nets()
check_contestants()
print("\n".join(faults) if faults else "peers: scripts, nets and contestants as expected")
sys.exit(bool(faults))
