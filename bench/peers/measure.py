# SPDX-License-Identifier: Apache-2.0
"""Contestants as processes, one at a time: A B C A B C ... Memory is what the system says of the process,
of both sides alike: the high-water mark of resident memory after warm-up, minus what was resident when
its libraries were loaded and nothing else."""
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def allocator():
    """tcmalloc for Python, if it is installed."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True).stdout
    for name in ("libtcmalloc_minimal.so", "libtcmalloc.so"):
        for line in listed.splitlines():
            if line.strip().startswith(name):
                return line.split("=>")[1].strip()
    return None


def memory_available():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("MemAvailable"))


class Failed(Exception):
    pass


class Contestant:
    """A process that waits for its turn."""

    def __init__(self, variant, folder, options, part="step", gradients=None):
        self.variant = variant
        threads, warmup = options.threads, options.warmup
        if variant.side == "ours":
            command, env = folder.command(part, variant, threads, warmup), dict(os.environ)
        else:
            job = {"side": variant.side, "rule": variant.rule, "options": variant.options,
                   "module": "torch_side" if part == "step" else "infer_nets",
                   "class": "Trainer" if part == "step" else "Inference", "case": folder.case.name,
                   "T": folder.case.T, "batch": folder.case.batch, "data": folder.data,
                   "weights": folder.weights, "threads": threads, "warmup": warmup,
                   "gradients": gradients, "limit": int(0.9 * memory_available())}
            path = folder.file(variant.name.replace(" ", "_") + ".json")
            with open(path, "w") as f:
                json.dump(job, f)
            command = [sys.executable, os.path.join(HERE, "worker.py"), path]
            env = {**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
            if options.allocator:
                env["LD_PRELOAD"] = options.allocator
        self.errors = open(folder.file(variant.name.replace(" ", "_") + ".log"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=env)
        try:
            self.read()
        except Failed:
            self.close()
            raise
        self.idle = self.status("VmRSS")

    def status(self, key):
        with open("/proc/%d/status" % self.process.pid) as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key))

    def read(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line.strip() else {"error": self.last_words()}
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def last_words(self):
        self.process.wait()
        self.errors.seek(0)
        words = self.errors.read().strip().splitlines()
        return words[-1][:300] if words else "ended with %d" % self.process.returncode

    def turn(self):
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.last_words())
        return self.read()

    def open(self):
        """Builds the net and warms it up; what that took of memory for a moment is forgotten."""
        self.facts = self.turn()
        with open("/proc/%d/clear_refs" % self.process.pid, "w") as f:
            f.write("5")

    def peak(self):
        return self.status("VmHWM") - self.idle

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "n": len(values)}


class Progress:
    """How far, and how long it will take, to stderr."""

    def __init__(self, what, all_):
        self.what, self.all, self.done, self.begun = what, all_, 0, time.monotonic()

    def tick(self, name=""):
        self.done += 1
        spent = time.monotonic() - self.begun
        left = spent / self.done * (self.all - self.done)
        text = "%s %d/%d, %d:%02d left  %s" % (self.what, self.done, self.all, left // 60, left % 60, name)
        live = sys.stderr.isatty()
        print("\r\033[K" + text if live else text, end="" if live and self.done < self.all else "\n",
              file=sys.stderr, flush=True)


TURN = {"step": (1, 0), "infer": (50, 2.0)}      # runs of a turn, at most; seconds after which it ends


def turn(contestant, part):
    """Seconds, the median of the turn's runs, and the last answer. An inference is so short that the first one
    after a pause measures how fast threads wake up."""
    most, enough = TURN[part]
    begun, seconds = time.monotonic(), []
    while not seconds or (len(seconds) < most and time.monotonic() - begun < enough):
        answer = contestant.turn()
        seconds.append(answer["seconds"])
    return statistics.median(seconds), answer


def in_turns(variants, folder, options, part="step"):
    """Runs them round by round; name to {"seconds": [...], "last": answer, "peak": bytes above idle}."""
    crew, out = [], {}
    try:
        progress = Progress("warm-up", len(variants))
        for v in variants:
            crew.append(Contestant(v, folder, options, part))
            crew[-1].open()
            out[v.name] = {"seconds": [], "last": None, "peak": 0}
            progress.tick(v.name)
        progress = Progress("round", options.rounds)
        for _ in range(options.rounds):
            for c in crew:
                time.sleep(options.pause)        # threads of the one before go to sleep
                seconds, answer = turn(c, part)
                out[c.variant.name]["seconds"].append(seconds)
                out[c.variant.name]["last"] = answer
            progress.tick()
        for c in crew:
            out[c.variant.name]["peak"] = c.peak()
    finally:
        for c in crew:
            c.close()
    return out


def together(sizes, always, budget):
    """Groups of names whose memory fits the budget; `always` is in each of them."""
    base, groups = sum(sizes[n] for n in always), []
    for name in (n for n in sizes if n not in always):
        if not groups or base + sum(sizes[n] for n in groups[-1]) + sizes[name] > budget:
            groups.append([])
        groups[-1].append(name)
    return [list(always) + g for g in groups] or [list(always)]
