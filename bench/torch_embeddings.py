#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Times losses from embeddings in rankloss_bench and in PyTorch, in turns, on one thread, and their memory.

    bench/torch_embeddings.py build/release/bench/rankloss_bench [--turns 5]

Both compute the value and both gradients for 4096 pairs of 256 floats. The memory is what a process needs
more at its peak than with the embeddings and the gradients alone. PyTorch's time depends on the BLAS that it
is linked with (on Debian: apt-get install python3-torch libopenblas0-pthread); its version is printed.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

LOSSES = ("info_nce", "siglip", "triplet")
PAIRS, DIMENSION = 4096, 256


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def torch_child(name):
    """One process: prints the time of a step in ms and the memory that it needs at its peak."""
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(PAIRS, DIMENSION, requires_grad=True)
    y = torch.randn(PAIRS, DIMENSION, requires_grad=True)
    labels = torch.arange(PAIRS)

    def info_nce(s):
        s = s / 0.07
        return (functional.cross_entropy(s, labels) + functional.cross_entropy(s.T, labels)) / 2

    def siglip(s):
        signs = 2 * torch.eye(PAIRS) - 1
        return -functional.logsigmoid(signs * (s / 0.1 - 10)).sum() / PAIRS

    def triplet(s):
        positives = s.diag()
        negatives = s.masked_fill(torch.eye(PAIRS, dtype=torch.bool), -torch.inf)
        rows = (0.2 - positives + negatives.max(1).values).clamp(min=0).mean()
        columns = (0.2 - positives + negatives.max(0).values).clamp(min=0).mean()
        return (rows + columns) / 2

    loss = {"info_nce": info_nce, "siglip": siglip, "triplet": triplet}[name]

    def step():
        x.grad = y.grad = None
        s = functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).T
        loss(s).backward()

    x.grad, y.grad = torch.zeros_like(x), torch.zeros_like(y)
    small = torch.randn(64, 64, requires_grad=True)  # so that what every step loads is loaded
    functional.cross_entropy(functional.normalize(small, dim=1) @ small.T, torch.arange(64)).backward()
    before = peak_mb()
    step()
    memory = peak_mb() - before
    begin = time.perf_counter()
    step()
    print(json.dumps({"ms": (time.perf_counter() - begin) * 1e3, "MB": memory, "version": torch.__version__}))


def run_torch(name):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    done = subprocess.run([sys.executable, __file__, "--child", name], env=environment, check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def run_rankloss(program, name):
    done = subprocess.run([program, f"--benchmark_filter=^{name}_embeddings/float/{PAIRS}x{DIMENSION}/gradient$",
                           "--benchmark_format=json", "--benchmark_min_time=0.1"], check=True,
                          capture_output=True, text=True)
    entry = json.loads(done.stdout)["benchmarks"][0]
    return {"ms": entry["real_time"] / 1e3, "MB": entry["scratch_MB"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="rankloss_bench")
    parser.add_argument("--turns", type=int, default=5, help="of each, medians are shown (default 5)")
    parser.add_argument("--child", choices=LOSSES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return torch_child(arguments.child)
    if not arguments.program or not os.access(arguments.program, os.X_OK):
        parser.error(f"program: {arguments.program}, expected the path of rankloss_bench")
    if arguments.turns < 1:
        parser.error(f"--turns: {arguments.turns}, expected at least 1")
    print(f"{PAIRS} x {PAIRS} pairs, {DIMENSION} floats, value and gradients, one thread, "
          f"medians of {arguments.turns} turns")
    print(f"{'loss':<10}{'rankloss':>12}{'PyTorch':>12}{'ratio':>8}{'scratch':>12}{'memory':>12}{'ratio':>8}")
    version = "?"
    for name in LOSSES:
        ours, theirs = [], []
        for _ in range(arguments.turns):
            ours.append(run_rankloss(arguments.program, name))
            theirs.append(run_torch(name))
        version = theirs[0]["version"]
        median = {key: [statistics.median(run[key] for run in runs) for runs in (ours, theirs)] for key in ("ms", "MB")}
        (a, b), (m, n) = median["ms"], median["MB"]
        print(f"{name:<10}{a:>9.0f} ms{b:>9.0f} ms{b / a:>8.2f}{m:>9.0f} MB{n:>9.0f} MB{n / m:>8.1f}")
    print(f"PyTorch {version}")


if __name__ == "__main__":
    main()
