#!/usr/bin/env python3
"""A tuned run takes what `hillock plan` says of it: of the recipe with its table, of the run folder; and a
table that is not there, or of another net, is refused."""
import json
import os
import shutil
import subprocess
import sys

HILLOCK = os.environ["HILLOCK"]
RECIPE = os.path.join(os.environ["HILLOCK_SRC"], "recipes", "digits-mcu.yaml")

shutil.rmtree("work", ignore_errors=True)
os.mkdir("work")
os.chdir("work")
os.environ["XDG_CACHE_HOME"] = os.path.abspath("cache")


def run(*args, code=0):
    done = subprocess.run([HILLOCK, *args], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit("exit code %d, expected %d: %s\n%s" % (done.returncode, code, args, done.stderr))
    return done.stdout if code == 0 else done.stderr


def check(truth, *what):
    if not truth:
        sys.exit("FAILED: " + " ".join(map(str, what)))


def plan(*args):
    return json.loads(run("plan", "--json", *args))["plans"][0]


def taken(folder):
    memory = json.load(open(folder + "/result.json"))["memory"]
    return {region: memory[region] for region in fixed["bytes"]}


fixed = plan(RECIPE)
check(fixed["followed"] == 0, "a recipe alone follows a table")
quick = ("--set", "train.epochs=1", "--quiet")
run("train", RECIPE, "--tune", "--out", "tuned", *quick)
check(plan("tuned")["bytes"] == taken("tuned"), "the run as measured:", plan("tuned")["bytes"], taken("tuned"))

# Whatever is the fastest here: all forms of one kind. A vendor's forms keep weights of their own.
table = json.load(open("tuned/choice.json"))
have = json.loads(run("doctor", "--json"))["libraries"]
packed = {}
for form in ["fp32"] + [v for v in ("onednn", "cblas") if have.get(v)]:
    for row in table["rows"]:
        row["form"] = form
    json.dump(table, open(form + ".json", "w"))
    run("train", RECIPE, "--choice", form + ".json", "--out", form, *quick)
    for planned in (plan(form), plan(RECIPE, "--choice", form + ".json"), plan(RECIPE, "--choice", form)):
        check(planned["bytes"] == taken(form), form, planned["bytes"], taken(form))
        check(planned["total"] == sum(planned["bytes"].values()), form, "total")
        check(planned["followed"] == len(table["rows"]), form, planned["followed"])
    packed[form] = taken(form)["packed"]
print("packed bytes: fixed table %d," % fixed["bytes"]["packed"], packed)
check("onednn" not in packed or packed["onednn"] > fixed["bytes"]["packed"], "oneDNN has no weights of its own")
check("as in fp32.json" in run("plan", RECIPE, "--choice", "fp32.json"), "not said which table")

# A run's own table, or another one for the same recipe; a folder that has none.
run("train", RECIPE, "--choice", "fp32", "--out", "again", *quick)
check(json.load(open("again/choice.json"))["rows"] == json.load(open("fp32/choice.json"))["rows"], "--choice FOLDER")
run("train", RECIPE, "--out", "plain", *quick)
check(plan("plain")["bytes"] == fixed["bytes"] == taken("plain"), "a run that was not tuned")
check("plain/choice.json is missing" in run("plan", RECIPE, "--choice", "plain", code=1), "a run without a table")
check("no choice belongs" in run("plan", RECIPE, "--choice", "fp32.json", "--set", "train.batch=48", code=1), "a table of another batch")
check("exclude each other" in run("plan", RECIPE, "--choice", "fp32.json", "--target", "mcu", code=2), "a table on a device")
