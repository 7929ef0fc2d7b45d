#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What ptxas says of the kernels that a file of the tests instantiates: registers, shared memory and spills, and the occupancy of the
cards by them.

    scripts/kernel_resources.py [tests/cuda/NAME.cu ...] [--arch 75 90 ...] [--csv FILE]     # no file: all

Exits with 1 if a kernel of floats spills registers. The occupancy is what registers and static shared memory leave; teams that keep
lists in dynamic shared memory are bounded by that as well (docs/algorithms/on_a_device.md).
"""

import argparse
import concurrent.futures
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CARDS = ("T4", "A100", "H100")  # in the order of occupancy.cpp
ENTRY = re.compile(r"Compiling entry function '(?P<name>\S+)' for 'sm_(?P<arch>\d+)'")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
BOUND = re.compile(r"\.entry (\S+?)\(.*?\.maxntid (\d+)", re.DOTALL)  # in the file between nvcc and ptxas


def compiled(nvcc, source, arch):
    """ptxas's report of one file for one architecture, and the launch bounds of its kernels."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([nvcc, "-std=c++20", "-O3", f"-arch=sm_{arch}", "-Xptxas", "-v", "-Werror", "all-warnings",
                               f"-I{ROOT / 'include'}", f"-I{ROOT / 'tests'}", "-cubin", str(source), "-o", f"{folder}/x.cubin", "--keep", "--keep-dir", folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"kernel_resources.py: {source} for sm_{arch}: nvcc says\n{done.stderr}")
        middle = "".join(p.read_text(encoding="utf-8") for p in pathlib.Path(folder).glob("*.ptx"))
    entries = re.split(r"(?=\.entry )", middle)
    bounds = {m[1]: int(m[2]) for entry in entries if (m := BOUND.match(entry))}
    return done.stderr + done.stdout, bounds


def kernels(report, bounds):
    """One dictionary a kernel."""
    found = []
    for line in report.splitlines():
        if match := ENTRY.search(line):
            found.append({"mangled": match["name"], "arch": int(match["arch"]), "shared": 0})
        elif match := SPILLS.search(line):
            found[-1]["spills"] = int(match[1]) + int(match[2])
        elif match := USED.search(line):
            found[-1]["registers"] = int(match[1])
            if shared := SHARED.search(line):
                found[-1]["shared"] = int(shared[1])
    for k in found:
        k["threads"] = bounds.get(k["mangled"], 256)
    return [k for k in found if "registers" in k]


def name_them(found):
    """Readable names: the kernel and what it is a template of, without namespaces."""
    names = subprocess.run(["c++filt"], input="\n".join(k["mangled"] for k in found), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    for kernel, name in zip(found, names):
        name = re.sub(r"^void ", "", name)
        name = re.sub(r"(?:\w+::)+", "", name)
        depth, end = 0, len(name)
        for i, c in enumerate(name):
            depth += (c == "<") - (c == ">")
            if c == "(" and depth == 0:
                end = i
                break
        kernel["kernel"] = name[:end].replace(" >", ">")
        kernel["float"] = "float" in name[:end] and "double" not in name[:end]


def add_occupancy(found, toolkit):
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/occupancy"
        subprocess.run(["g++", "-std=c++20", "-O1", "-isystem", f"{toolkit}/include", str(ROOT / "scripts/occupancy.cpp"), "-o", program],
                       check=True)
        lines = subprocess.run([program], input="\n".join(f"{k['threads']} {k['registers']} {k['shared']} 0" for k in found),
                               capture_output=True, text=True, check=True).stdout.splitlines()
    for kernel, line in zip(found, lines):
        kernel.update(zip(CARDS, map(int, line.split())))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("sources", nargs="*", type=pathlib.Path)
    parser.add_argument("--arch", nargs="+", type=int, default=[75, 80, 86, 89, 90, 100, 120])
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    toolkit = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    nvcc = f"{toolkit}/bin/nvcc"
    if not pathlib.Path(nvcc).is_file():
        sys.exit(f"kernel_resources.py: there is no {nvcc}; CUDA_HOME names the folder of the toolkit")
    sources = args.sources or sorted((ROOT / "tests/cuda").rglob("*.cu"))
    for source in sources:
        if not source.is_file():
            sys.exit(f"kernel_resources.py: {source}: there is no such file")

    rows = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [(source, arch, pool.submit(compiled, nvcc, source, arch)) for source in sources for arch in args.arch]
        for source, arch, job in jobs:
            found = kernels(*job.result())
            name_them(found)
            add_occupancy(found, toolkit)
            rows += [{"file": source.stem, **k} for k in found]
            most = max(found, key=lambda k: k["registers"], default=None)
            spilling = sum(k["spills"] > 0 for k in found)
            print(f"{source.stem:24} sm_{arch:<4} {len(found):4} kernels, at most {most['registers'] if most else 0:3} registers, "
                  f"{max((k['shared'] for k in found), default=0):6} bytes of static shared memory, {spilling} spill", flush=True)

    if args.csv:
        fields = ["file", "kernel", "arch", "threads", "registers", "shared", "spills", *CARDS]
        with args.csv.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, fields, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    bad = [k for k in rows if k["spills"] > 0]
    for k in bad:
        print(f"{'SPILLS' if k['float'] else 'spills'} {k['spills']} bytes: {k['file']} {k['kernel']} for sm_{k['arch']}")
    sys.exit(1 if any(k["float"] for k in bad) else 0)


if __name__ == "__main__":
    main()
