# SPDX-License-Identifier: Apache-2.0
"""Results as JSON and as tables in Markdown, in one folder; the tables go to stdout too. Each function
returns whether everything could be compared."""
import datetime
import json
import os
import platform
import subprocess

import ours as hillock_side
import plots
from measure import spread
from variants import ALL

BY_NAME = {v.name: v for v in ALL}


def machine(options):
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", hillock_side.ROOT, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    from importlib.metadata import version
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "cpu": cpu,
            "threads": options.threads, "load": os.getloadavg()[0], "commit": commit,
            "allocator": os.path.basename(options.allocator or "glibc"), "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "spikingjelly", "snntorch")}}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def write(kind, case, options, data, lines):
    about = machine(options)
    title = "# %s: %s, T = %d, batch %d%s" % (kind, case.name, case.T, case.batch,
                                             ", QUICK: not a measurement" if options.quick else "")
    facts = "%(cpu)s, %(threads)d threads; Hillock %(commit)s; torch %(torch)s, SpikingJelly %(spikingjelly)s, " \
            "snnTorch %(snntorch)s, %(allocator)s; load before %(load).1f; %(date)s" % about
    text = "\n".join([title, "", facts, "", *lines, ""])
    os.makedirs(options.out, exist_ok=True)
    stem = os.path.join(options.out, "%s-%s-%s" % (about["date"][:19].replace(":", ""), kind, case.name))
    with open(stem + ".md", "w") as f:
        f.write(text)
    with open(stem + ".json", "w") as f:
        json.dump({"machine": about, "case": {"name": case.name, "T": case.T, "batch": case.batch,
                                              "shape": case.shape}, "quick": options.quick, **data}, f, indent=1)
    print(text + "\nwritten: %s.{md,json}" % stem, flush=True)
    return stem


def mib(n):
    return "%.1f" % (n / 1048576)


def ms(s):
    return "%.2f (%.2f to %.2f)" % tuple(1e3 * s[k] for k in ("median", "min", "max"))


def ratio(theirs, mine):
    """Ratio of medians, and of the two of each round: least and most."""
    each = [a / b for a, b in zip(theirs, mine)]
    return {"ratio": spread(theirs)["median"] / spread(mine)["median"], "min": min(each), "max": max(each)}


def agreement(one):
    if "failed" in one:
        return "failed: " + one["failed"]
    a = one.get("agrees")
    if not a:
        return ""
    return a["fault"] or "loss %.1e, gradients %.1e" % (a["loss"], a["gradient"])


def others(facts):
    return [n for n in facts if BY_NAME[n].side != "ours"]


def agreement_lines(facts):
    rows = [[n, agreement(facts[n])] for n in facts if agreement(facts[n])]
    return ["Largest relative difference from Hillock's loss and gradients under the same rule:", "",
            *table(["contestant", "agrees"], rows)]


def ratio_lines(what, rows, mine):
    if not rows:
        return []
    body = [[n] + ["%.2f (%.2f to %.2f)" % (r[m]["ratio"], r[m]["min"], r[m]["max"]) if m in r else ""
                   for m in mine] for n, r in rows.items()]
    return ["", what, "", *table(["peer"] + mine, body)]


def step(case, options, facts, mine, runs):
    faults = [n for n in facts if "failed" in facts[n] or (facts[n].get("agrees") or {}).get("fault")]
    seconds, times, memory = {}, {}, {}
    for run in runs:
        for n, r in run.items():
            seconds.setdefault(n, []).extend(r["seconds"])
            if n not in mine:
                times[n] = {m: ratio(r["seconds"], run[m]["seconds"]) for m in mine}
                memory[n] = {m: {"ratio": facts[n]["peak"] / facts[m]["peak"]} for m in mine}
    errors = {n: r["last"]["error_density"] for run in runs for n, r in run.items() if n in mine}
    lines = agreement_lines(facts)
    if faults:
        lines += ["", "No ratios for what does not agree or does not run: %s." % "; ".join(faults)]
    if runs:
        rows = [[n, ms(spread(seconds[n])), mib(facts[n]["peak"]),
                 "%.0f" % (100 * sum(errors[n].values()) / len(errors[n])) if errors.get(n) else ""]
                for n in seconds]
        lines += ["", "A training step: milliseconds, median (least to most); MiB above the idle process; share"
                  " of errors that are not zero, mean of the layers, in %:", "",
                  *table(["contestant", "ms", "MiB", "error %"], rows)]
        lines += ratio_lines("Time over Hillock's: ratio of medians (least to most of a round):", times, mine)
        body = [[n] + ["%.1f" % r[m]["ratio"] for m in mine] for n, r in memory.items()]
        lines += ["", "Memory over Hillock's:", "", *table(["peer"] + mine, body)] if body else []
    data = {"facts": facts, "runs": runs, "time_ratios": times, "memory_ratios": memory}
    write("agree" if options.command == "agree" else "step", case, options, data, lines)
    return not faults


def memory(case, options, tables):
    steps = list(tables)
    names = [n for n in BY_NAME if any(n in t for t in tables.values())]

    def cell(n, T):
        one = tables[T].get(n)
        return "not compiled" if one is None else one.get("failed") or mib(one["peak"])
    lines = ["MiB above the idle process, high-water mark of training steps after warm-up:", "",
             *table(["contestant"] + ["T = %d" % T for T in steps], [[n] + [cell(n, T) for T in steps] for n in names])]
    write("memory", case, options, {"tables": tables}, lines)
    return True                          # what does not fit is a result


def scaling(case, options, points):
    names = list(points[0]["seconds"])
    rows = [["%d" % p["T"], "%d" % p["batch"]]
            + ["%.3f" % (1e3 * p["seconds"][n]["median"] / p["T"] / p["batch"]) for n in names] for p in points]
    memory = [["%d" % p["T"], "%d" % p["batch"]] + [mib(p["peak"][n]) for n in names] for p in points]
    lines = ["Milliseconds per step and sample, which is constant where time is linear:", "",
             *table(["T", "batch"] + names, rows), "", "MiB above the idle process:", "",
             *table(["T", "batch"] + names, memory)]
    stem = write("scaling", case, options, {"points": points}, lines)
    plots.scaling(case, points, stem + ".svg")
    return True


def infer(case, options, facts, runs, mine):
    bad = [n for n, f in facts.items() if f["fault"]]
    rows = [[n, ms(spread(r["seconds"])), facts[n]["fault"] or "spikes differ by %.1e" % facts[n]["spikes"]
             if n in facts else ""] for n, r in runs.items()]
    times = {n: {m: ratio(r["seconds"], runs[m]["seconds"]) for m in mine} for n, r in runs.items()
             if n in facts and n not in bad}
    lines = ["Milliseconds per inference, median (least to most):", "",
             *table(["contestant", "ms", "against Hillock"], rows),
             *ratio_lines("Time over Hillock's: ratio of medians (least to most of a round):", times, mine)]
    write("infer", case, options, {"facts": facts, "runs": runs, "ratios": times}, lines)
    return not bad
