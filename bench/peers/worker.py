# SPDX-License-Identifier: Apache-2.0
"""One PyTorch contestant as a process of its own, which holds still until it is its turn. It speaks the
language of `hillock bench --paced`, where every line of stdin is answered by a line of JSON:

    worker.py JOB     {"state": "idle"}      libraries are loaded, nothing else
    any line          {"state": "ready"}     net built, weights read, warmed up
    any line          {"seconds": S, ...}    one run; until stdin ends
"""
import importlib
import json
import resource
import sys
import warnings


def say(**what):
    print(json.dumps(what), flush=True)


def serve(job):
    if job["limit"]:                     # an error here rather than a machine without memory
        resource.setrlimit(resource.RLIMIT_DATA, (job["limit"], job["limit"]))
    import torch
    torch.set_num_threads(job["threads"])
    import nets
    kind = getattr(importlib.import_module(job["module"]), job["class"])
    importlib.import_module(job["side"])
    say(state="idle")
    if not sys.stdin.readline():
        return
    case = nets.Case(**{**vars(nets.CASES[job["case"]]), "T": job["T"], "batch": job["batch"]})
    one = kind(case, job)
    for _ in range(job["warmup"]):
        one.step()
    say(state="ready", threads=torch.get_num_threads())
    while sys.stdin.readline():
        say(**one.step())


def main():
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as f:
        job = json.load(f)
    try:
        serve(job)
    except (RuntimeError, MemoryError, TypeError, ValueError) as error:
        say(error=" ".join(str(error).split())[:300])
        sys.exit(1)


main()
