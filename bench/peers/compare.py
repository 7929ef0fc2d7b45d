#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Measures rankloss beside other libraries, on the same data and in the same process, and writes tables and charts of what came out.

    bench/peers/compare.py [--works REGEX] [--threads 1,2] [--seconds 2]

The first run installs the other libraries from PyPI into build/peers (some 3 GB, of which most is PyTorch) and builds rankloss_peers, the
library as functions of C. What was measured is kept in bench/peers/results.json, work by work, so that a run that was stopped goes on where
it was; a work is measured anew when a header that it includes or the comparison has changed. docs/peers.md, docs/pictures/peers_*.svg and a section of
docs/results.md are written from that file alone; --report writes them without measuring.

The machine should do nothing else meanwhile. Every library has as many processors as threads, and takes turns with the others.
"""
import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # for chart.py

import report  # noqa: E402

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "peers"
LIMIT = 1200  # seconds for a work


def fail(text):
    sys.exit(f"compare.py: {text}")


def included(names):
    """The files of rankloss that these include, and they themselves; names are as in #include <...>."""
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += re.findall(r"^#include <(rankloss/[^>]+)>", (ROOT / "include" / name).read_text(), re.MULTILINE)
    return found


def code(headers):
    """What the figures of a work are of: the headers that it includes, and the comparison itself."""
    comparison = [*HERE.glob("*.[ch]pp"), HERE / "works.py", HERE / "measure.py", HERE / "requirements.txt"]
    found = hashlib.sha256()
    for path in sorted([*(ROOT / "include" / name for name in included(headers)), *comparison]):
        found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def headers_of(works):
    """By work: the names of its headers. Each header that the comparison includes has to be of a work."""
    headers = {name: [f"rankloss/{header}.hpp" for header in of] for name, of in works.items()}
    known = {"rankloss/context.hpp", "rankloss/threads.hpp"}.union(*headers.values())
    for path in HERE.glob("*.[ch]pp"):
        for name in re.findall(r"^#include <(rankloss/[^>]+)>", path.read_text(), re.MULTILINE):
            if name not in known:
                fail(f"{path.name} includes {name}, which no work in works.py has among its headers")
    return headers


def requirements():
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def install(venv):
    """Each library by itself, so that one which cannot be had does not keep the others out. Returns the interpreter."""
    python = venv / "bin" / "python"
    if not python.exists():
        print(f"Creating {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    listed = subprocess.run([str(python), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], check=True, text=True,
                            capture_output=True).stdout.lower().replace("_", "-").split()
    for requirement in requirements():
        if requirement.lower().replace("_", "-") in listed:
            continue
        print(f"Installing {requirement}", flush=True)
        options, environment = [], dict(os.environ)
        if requirement.startswith("torchsort"):
            # It is compiled against the PyTorch that is there.
            subprocess.run([str(python), "-m", "pip", "install", "-q", "setuptools", "wheel", "ninja"], check=False)
            options = ["--no-build-isolation"]
            environment.setdefault("TORCH_CUDA_ARCH_LIST", "9.0")
            environment["PATH"] = f"{venv / 'bin'}:{environment['PATH']}"
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", *options, requirement], env=environment, check=False)
        if done.returncode != 0:
            print(f"{requirement} could not be installed; it is left out", flush=True)
    return python


def build():
    for command in (["cmake", "--preset", "release", "-D", "RANKLOSS_BUILD_TESTS=OFF", "-D", "RANKLOSS_BUILD_EXAMPLES=OFF", "-B", str(BUILD / "cmake")],
                    ["cmake", "--build", str(BUILD / "cmake"), "--target", "rankloss_peers"]):
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            fail(f"failed: {' '.join(command)}")
    return BUILD / "cmake" / "bench" / "librankloss_peers.so"


def compiler():
    text = (BUILD / "cmake" / "CMakeCache.txt").read_text()
    found = re.search(r"^CMAKE_CXX_COMPILER:.*=(.*)$", text, re.MULTILINE)
    return subprocess.run([found[1], "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0] if found else "?"


def machine():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = Path("/proc/cpuinfo").read_text()
    widest = "AVX-512" if " avx512f" in flags else "AVX2" if " avx2" in flags else platform.machine()
    return f"{model[1] if model else platform.processor()}, {widest}, {len(os.sched_getaffinity(0))} processors"


def measure(python, library, name, threads, seconds):
    """One work in a process of its own, on its processors. Returns the lines that it printed."""
    processors = sorted(os.sched_getaffinity(0))[:threads]
    environment = dict(os.environ, PYTHONPATH=str(HERE), XLA_FLAGS="--xla_force_host_platform_device_count=1", JAX_PLATFORMS="cpu",
                       CUDA_VISIBLE_DEVICES="", TORCHINDUCTOR_CACHE_DIR=str(BUILD / f"inductor_{threads}"),
                       **{f"{prefix}_NUM_THREADS": str(threads) for prefix in ("OMP", "MKL", "OPENBLAS")})
    logs = BUILD / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with open(logs / f"{name}.{threads}.log", "w") as log:
        try:
            done = subprocess.run([str(python), str(HERE / "measure.py"), str(library), name, str(threads), str(seconds)], env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=log, timeout=LIMIT, check=False,
                                  preexec_fn=lambda: os.sched_setaffinity(0, processors))
        except subprocess.TimeoutExpired:
            fail(f"{name} with {threads} threads: did not end within {LIMIT} s; what it said is in {log.name}")
    if done.returncode != 0:
        fail(f"{name} with {threads} threads: ended with {done.returncode}; what it said is in {log.name}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def save(path, results):
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n")
    new.replace(path)


def list_of_works(python):
    script = "import json, works; print(json.dumps({n: [w.title, w.unit, w.what, w.notes, w.headers] for n, w in works.ALL.items()}))"
    return json.loads(subprocess.run([str(python), "-c", script], cwd=HERE, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default="", help="measure only works whose name matches this regular expression")
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default 1,2)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long the libraries take turns at one size (default 2)")
    parser.add_argument("--venv", type=Path, default=BUILD / "venv", help="virtual environment (default build/peers/venv)")
    parser.add_argument("--results", type=Path, default=HERE / "results.json", help="default bench/peers/results.json")
    parser.add_argument("--again", action="store_true", help="measure what has been measured on this code, too")
    parser.add_argument("--report", action="store_true", help="write tables and charts from the results that there are")
    arguments = parser.parse_args()
    try:
        wanted = re.compile(arguments.works)
        counts = [int(n) for n in arguments.threads.split(",")]
    except (re.error, ValueError) as error:
        parser.error(str(error))
    here = len(os.sched_getaffinity(0))
    if not counts or min(counts) < 1:
        parser.error(f"--threads: {arguments.threads}, expected numbers from 1, such as 1,2")
    if max(counts) > here and not arguments.report:
        parser.error(f"--threads: {max(counts)}, but this process has {here} processors")
    if not arguments.seconds > 0:
        parser.error(f"--seconds: {arguments.seconds}, expected a number above 0")

    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {"works": {}, "runs": {}}
    if not arguments.report:
        BUILD.mkdir(parents=True, exist_ok=True)
        python = install(arguments.venv.absolute())
        library = build()
        works = list_of_works(python)
        results["works"] = {name: dict(zip(("title", "unit", "what", "notes"), of)) for name, of in works.items()}
        results["runs"] = {key: run for key, run in results["runs"].items() if key.split("/")[0] in works}
        chosen = [name for name in works if wanted.search(name)]
        if not chosen:
            parser.error(f"--works: no work matches {arguments.works}; there are {', '.join(works)}")
        headers = headers_of({name: of[4] for name, of in works.items()})
        left = [(name, n) for name in chosen for n in counts]
        for done, (name, threads) in enumerate(left, 1):
            key, now = f"{name}/{threads}", code(headers[name])
            if not arguments.again and results["runs"].get(key, {}).get("code") == now:
                continue
            begin = time.monotonic()
            print(f"[{done}/{len(left)}] {key} ...", end=" ", flush=True)
            first, *sizes = measure(python, library, name, threads, arguments.seconds)
            results["runs"][key] = {"code": now, "date": datetime.date.today().isoformat(), "machine": machine(), "compiler": compiler(),
                                    "versions": {"Python": platform.python_version(), **first["versions"]}, "seconds": arguments.seconds,
                                    "sizes": sizes}
            save(arguments.results, results)
            print(f"{time.monotonic() - begin:.0f} s", flush=True)
    if not results["runs"]:
        fail(f"{arguments.results}: no results to report; run without --report first")
    for path in report.write(results, ROOT):
        print(path)


if __name__ == "__main__":
    main()
