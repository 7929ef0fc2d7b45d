# SPDX-License-Identifier: BSL-1.0
"""Measures one kind of work in a process of its own: every library on the same data, in turns.

    measure.py LIBRARY WORK THREADS SECONDS

LIBRARY is what the target rankloss_peers builds. Prints a line of JSON for each size, with what each library took. With several threads only
the largest sizes are measured. compare.py starts it, on as many processors as there are threads.
"""
import ctypes
import json
import os
import statistics
import sys
import time
import traceback

import numpy as np

LEAST_SPAN = 1e-2  # seconds that one turn of a library takes at least
# Seconds that a library runs before its turn, unless a single call takes ten times as long. Meanwhile the threads of the library before fall
# asleep, its own wake up, and the caches hold its data, as in a loop that calls it again and again.
WARM_SPAN = 1e-2
LEAST_TURNS = 5


class memory:
    """The most memory that the process holds at a time, in bytes; None where the kernel does not say."""

    def __init__(self):
        self.trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)

    def _field(self, name):
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
        return None

    def of(self, call):
        """What `call` needs at its peak beyond what was held before it. What earlier calls freed is given back first."""
        try:
            self.trim(0)
            with open("/proc/self/clear_refs", "w") as refs:
                refs.write("5")  # the peak begins anew
            before = self._field("VmRSS")
            kept = call()
            most = self._field("VmHWM")
        except OSError:
            return None
        del kept
        return max(most - before, 0)


def deviation(found, expected):
    """The largest difference of two arrays, as a share of the largest expected entry."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        raise ValueError(f"an array of shape {found.shape}, expected {expected.shape}")
    largest = np.abs(expected).max(initial=0.0)
    off = np.abs(found - expected).max(initial=0.0)
    return float(off / largest) if largest > 0 else float(off)


def duration(run, calls):
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begin) / calls


def warm_up(run, span):
    end = time.perf_counter() + span
    while time.perf_counter() < end:
        run()


def take_turns(answers, seconds):
    """The median time of each of the answers, which take turns, and how many turns they had."""
    once = {name: duration(of.run, 1) for name, of in answers.items()}
    calls = {name: max(1, round(LEAST_SPAN / max(took, 1e-7))) for name, took in once.items()}
    spans = {name: WARM_SPAN if took < 10 * WARM_SPAN else 0.0 for name, took in once.items()}
    times = {name: [] for name in answers}
    turns, end = 0, time.perf_counter() + seconds
    while turns < LEAST_TURNS or time.perf_counter() < end:
        turns += 1
        for name, of in answers.items():
            warm_up(of.run, spans[name])
            took = duration(of.run, calls[name])
            times[name].append(took - duration(of.less, calls[name]) if of.less else took)
    return {name: statistics.median(of) for name, of in times.items()}, turns


def measure(work, size, tools, seconds):
    """Of one size: {library: {time, memory, value, gradient}}, with the deviations from rankloss in double, or {library: {failed}}."""
    libraries = work.libraries(size, tools)
    found, made, answers = {}, {}, {}
    exact = None
    for name, prepare in libraries.items():
        try:
            of = prepare()
            answers[name] = of.read(of.run())  # compiles and warms up, too
            if name == "rankloss in double":
                exact = answers[name]
                continue
            found[name] = {"memory": tools.memory.of(of.cold) if of.cold else None}
            of.run()
            made[name] = of
        except Exception as failure:  # whatever a peer does must not end the others
            traceback.print_exc()
            found[name] = {"failed": f"{type(failure).__name__}: {failure}".splitlines()[0][:200]}
    if exact is None:
        raise RuntimeError("rankloss in double failed: " + str(found))
    times, turns = take_turns(made, seconds)
    for name, took in times.items():
        value, gradient = answers[name]
        found[name].update(time=took, turns=turns)
        if value is not None:
            found[name]["value"] = deviation(value, exact[0])
        if gradient is not None:
            found[name]["gradient"] = max(deviation(a, b) for a, b in zip(gradient, exact[1], strict=True))
    return found


def ends(work, tools):
    """The largest size, and the largest that another library is given, if that is another."""
    compared = [size for size in work.sizes if any(not name.startswith("rankloss") for name in work.libraries(size, tools))]
    return sorted({work.sizes[-1], compared[-1]})


def versions():
    from importlib import metadata
    names = ("numpy", "torch", "jax", "rax", "torchsort", "pytorch-metric-learning", "xgboost", "lightgbm", "pytrec_eval-terrier")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return found


def main():
    import works
    library, name, threads, seconds = sys.argv[1:]
    threads = int(threads)
    tools = works.tools(library, threads, memory())
    print(json.dumps({"versions": versions(), "processors": sorted(os.sched_getaffinity(0))}), flush=True)
    work = works.ALL[name]
    for size in work.sizes if threads == 1 else ends(work, tools):
        try:
            line = {"size": size, "libraries": measure(work, size, tools, float(seconds))}
        except Exception as failure:
            traceback.print_exc()
            line = {"size": size, "failed": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
