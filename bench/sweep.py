#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the benchmarks sweep_*, which time lists of 8 to 8192 items, and draws the time of an item against the length.

    bench/sweep.py build/release/bench/rankloss_bench [--losses REGEX] [--repetitions 3]

An algorithm that changes with the length has an edge where it changes; here it is seen. What was measured is kept in bench/sweep.json, from
which docs/pictures/sweep_*.svg and a section of docs/results.md are written; --report writes them without measuring.
"""
import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

from chart import chart, duration, number, with_section

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
MARKS = "<!-- sweep: begin; written by bench/sweep.py -->", "<!-- sweep: end -->"
COLOURS = {"0.01": "#1b6ca8", "0.1": "#c1440e", "1": "#3f8f3f", "whole": "#1b6ca8"}
# Up to 256 items a list has the plain algorithm of most losses; behind it none should cost much more.
BORDER, LAST = 256, 4096


def curves(times):
    """{temperature: [(length, seconds an item)]} of {"length/temperature": seconds an item}."""
    found = {}
    for name, seconds in times.items():
        length, temperature = name.split("/")
        found.setdefault(temperature, []).append((int(length), seconds))
    return {temperature: sorted(points) for temperature, points in sorted(found.items())}


def times_of(output):
    """{loss: {"length/temperature": seconds an item}}, medians, from the output of Google Benchmark."""
    found = {}
    for run in output["benchmarks"]:
        if run.get("aggregate_name") == "median":
            loss, _, length, temperature = run["run_name"].split("/")
            found.setdefault(loss.removeprefix("sweep_"), {})[f"{length}/{temperature}"] = 1.0 / run["items_per_second"]
    return found


def worst_behind(points):
    """The longest time of an item of lists between the border and the last length, and its length, by the time at the border."""
    at = dict(points)
    worst = max((n for n in at if BORDER < n <= LAST), key=lambda n: at[n])
    return worst, at[worst] / at[BORDER]


def label(temperature):
    return "no cutoff" if temperature == "whole" else f"t = {temperature}"


def section(kept):
    lines = [MARKS[0], "", "One thread, value and gradient, float, CPU time of an item. In bold: where a length costs more than 1.5 times what a list of",
             f"{BORDER} items costs.", "", f"| loss | temperature | 16 items | {BORDER} items | worst from {BORDER + 1} to {LAST} | of that at {BORDER} |",
             "|---|---|---:|---:|---:|---:|"]
    measured = {}
    for loss, of in kept.items():
        measured.setdefault(f"{of['date']}; {of['machine']}; medians of {of['repetitions']}", []).append(loss)
        for temperature, points in curves(of["times"]).items():
            at = dict(points)
            n, times = worst_behind(points)
            lines.append(f"| {loss} | {temperature if temperature != 'whole' else ''} | {duration(at[16])} | {duration(at[BORDER])} "
                         f"| {duration(at[n])} ({n} items) | {number(times) if times <= 1.5 else f'**{number(times)}**'} |")
    lines += ["", *(f"{', '.join(losses)}: {how}." for how, losses in measured.items()), ""]
    lines += [f"![{loss}: time of an item against the length of its list](pictures/sweep_{loss}.svg)" for loss in kept]
    return lines + ["", MARKS[1]]


def written(kept, results_page):
    """{path below docs: text}"""
    files = {"results.md": with_section(results_page, MARKS, section(kept))}
    for loss, of in kept.items():
        lines = {label(t): points for t, points in curves(of["times"]).items()}
        files[f"pictures/sweep_{loss}.svg"] = chart(f"{loss}: time of an item, value and gradient, one thread", "items of a list", lines,
                                                    {label(t): colour for t, colour in COLOURS.items()})
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="rankloss_bench")
    parser.add_argument("--losses", default="[a-z_]+", help="measure only losses whose name matches this regular expression")
    parser.add_argument("--repetitions", type=int, default=3, help="of each, medians are kept (default 3)")
    parser.add_argument("--report", action="store_true", help="draw what bench/sweep.json has")
    arguments = parser.parse_args()
    results = HERE / "sweep.json"
    kept = json.loads(results.read_text()) if results.exists() else {}
    if not arguments.report:
        if not arguments.program:
            parser.error("program: expected the path of rankloss_bench, or --report")
        if arguments.repetitions < 2:
            parser.error(f"--repetitions: {arguments.repetitions}, expected at least 2")
        command = [arguments.program, f"--benchmark_filter=^sweep_({arguments.losses})/", "--benchmark_format=json", "--benchmark_min_time=0.01",
                   f"--benchmark_repetitions={arguments.repetitions}", "--benchmark_enable_random_interleaving=true",
                   "--benchmark_report_aggregates_only=true"]
        try:
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"sweep.py: {arguments.program}: {error}")
        if not done.stdout.startswith("{"):
            sys.exit(f"sweep.py: --losses {arguments.losses}: {done.stdout.strip()}")
        measured = times_of(json.loads(done.stdout))
        model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        how = {"date": datetime.date.today().isoformat(), "machine": model[1] if model else "?", "repetitions": arguments.repetitions}
        kept.update({loss: {**how, "times": times} for loss, times in measured.items()})
        results.write_text(json.dumps(kept, indent=1) + "\n")
    for name, text in written(kept, (DOCS / "results.md").read_text()).items():
        (DOCS / name).write_text(text)
        print(DOCS / name)


if __name__ == "__main__":
    main()
