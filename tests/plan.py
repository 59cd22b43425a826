#!/usr/bin/env python3
"""`hillock plan` and `hillock list` as other programs read them: the JSON is valid, layers add up to
what the plan says of the whole, and no online rule grows with T (snn2ann up to 255 steps, where a
count still is a byte)."""
import json
import os
import subprocess
import sys

HILLOCK = os.environ["HILLOCK"]
RECIPES = os.path.join(os.environ["HILLOCK_SRC"], "recipes")


def run(*args, code=0):
    done = subprocess.run([HILLOCK, *args], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit("exit code %d, expected %d: %s\n%s" % (done.returncode, code, args, done.stderr))
    return done.stdout


def plans(recipe, *args):
    return json.loads(run("plan", os.path.join(RECIPES, recipe), "--json", *args))["plans"]


def check(truth, *what):
    if not truth:
        sys.exit("FAILED: " + " ".join(map(str, what)))


rules = [m["name"] for m in json.loads(run("list", "rule", "--json"))]
for recipe in ("digits-stop.yaml", "cifar10-resnet18-sltt.yaml"):
    by_rule = {}
    once = ["snn2ann"]                       # one loss per sample
    dense = ["solsa"]                        # no convolutions
    each = [rule for rule in rules if rule not in once + dense]
    for p in (plans(recipe, "--T", "4,64,1000", "--rule", ",".join(each)) +
              plans(recipe, "--T", "4,64,255", "--rule", ",".join(once), "--set", "loss.when=final")):
        check(p["total"] == sum(p["bytes"].values()), recipe, p["rule"], "regions and total")
        for region, whole in p["bytes"].items():
            parts = sum(layer["bytes"][region] for layer in p["layers"])
            check(parts <= whole, recipe, p["rule"], region, parts, "of", whole)
            if region in ("param", "grad", "optim", "buffer"):
                check(parts == whole, recipe, p["rule"], region, parts, "is not", whole)
        check(p["operations"] == sum(layer["operations"] for layer in p["layers"]), "operations")
        by_rule.setdefault(p["rule"], []).append(p["bytes"])
    check(sorted(by_rule) == sorted(each + once), sorted(by_rule), "is not", sorted(each + once))
    for rule, found in by_rule.items():
        grows = found[0] != found[1] or found[1] != found[2]
        check(grows == (rule == "bptt"), recipe, rule, "grows with T:", grows)

# Traces per synapse do not grow; a search of update points keeps one float for each step.
mlp = ("--set", "net={name: mlp, width: 32}", "--set", "encode.name=rate", "--set", "train.batch=8")
flat = [plans("digits-stop.yaml", *mlp, "--set", "rule={name: solsa, points: 0}", "--T", "10,1000,10000")[i]["bytes"]
        for i in range(3)]
check(flat[0] == flat[1] == flat[2], "solsa grows with T", flat)
check(flat[0]["state"] > 4 * 8 * 64 * 32, "solsa keeps no trace per synapse", flat[0])
few, many = (p["bytes"] for p in plans("digits-stop.yaml", *mlp, "--set", "rule={name: solsa, points: 4, "
                                       "early_stop: false}", "--T", "1000,10000"))
check(many.pop("buffer") - few.pop("buffer") in range(36000 - 64, 36000 + 65) and many == few, few, many)

refused = plans("digits-stop.yaml", "--rule", "sltt,stop", "--set", "neuron.reset=hard")
check("refused" not in refused[0] and "hard_reset_trace" in refused[1]["refused"], refused)
run("plan", os.path.join(RECIPES, "digits-stop.yaml"), "--set", "neuron.reset=hard", code=1)
run("plan", os.path.join(RECIPES, "digits-stop.yaml"), "--T", "0", code=2)

members = json.loads(run("list", "--json"))
check(len({(m["family"], m["name"]) for m in members}) == len(members), "members are unique")
markdown = run("list", "--markdown")
for m in members:
    check("### %s\n" % m["name"] in markdown, m["name"], "is missing from the Markdown")
    for key in m["keys"]:
        check("| `%s` |" % key["name"] in markdown, m["name"], key["name"])
run("list", "no_such_family", code=2)
print("%d members, %d rules" % (len(members), len(rules)))
