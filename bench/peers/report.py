# SPDX-License-Identifier: BSL-1.0
"""Writes the tables and charts of a comparison from its results; see compare.py."""
import math

from chart import chart, duration, number, size_text, with_section

MARKS = "<!-- peers: begin; written by bench/peers/compare.py -->", "<!-- peers: end -->"
OURS = "rankloss"
# Where a value or a gradient is so far from that of rankloss in double, it is not the same number any more.
OFF = 1e-3
COLOURS = {OURS: "#1b6ca8", "PyTorch": "#c1440e", "PyTorch, compiled": "#d98f2b", "JAX": "#3f8f3f", "Rax": "#7d5ba6", "NumPy": "#666666"}


def ratio(theirs, ours):
    """How many times our time another took; in bold where it took less."""
    text = number(theirs / ours)
    return text if theirs >= ours else f"**{text}**"


def bytes_text(count):
    if count is None:
        return ""
    return "0" if count < 5e3 else f"{number(count / 1e6)} MB"


def off_text(off):
    if off is None:
        return ""
    if not math.isfinite(off):
        return "**not finite**"
    text = f"{off:.0e}" if off else "0"
    return text if off <= OFF else f"**{off:.2g}**"


def of_threads(results, name):
    """The runs of a work by their number of threads."""
    found = {int(key.split("/")[1]): run for key, run in results["runs"].items() if key.split("/")[0] == name}
    return dict(sorted(found.items()))


def peers_of(libraries):
    return {name: of for name, of in libraries.items() if name != OURS and "time" in of}


def works(results):
    """The works that were measured, in their order."""
    return [(name, of) for name, of in results["works"].items() if of_threads(results, name)]


def facts(results):
    """Of the machine, compiler, versions and dates, each once."""
    runs = results["runs"].values()

    def all_of(field):
        return sorted({run[field] for run in runs})
    versions = {}
    for run in runs:
        for name, version in run["versions"].items():
            versions.setdefault(name, set()).add(version)
    dates = all_of("date")
    return {"date": dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}", "machine": "; ".join(all_of("machine")),
            "compiler": "; ".join(all_of("compiler")), "seconds": ", ".join(number(s) for s in all_of("seconds")),
            "versions": ", ".join(f"{name} {' and '.join(sorted(of))}" for name, of in sorted(versions.items(), key=lambda v: v[0].lower()))}


def header(results):
    of = facts(results)
    return [f"{of['date']}; {of['machine']}; {of['compiler']}, -O3 -march=native; {of['versions']}.", ""]


def wrapped(text, width=110):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return lines + [line]


def overview(results):
    """The section of docs/results.md: of each work the largest size that another library computed as well."""
    lines = [MARKS[0], "", *wrapped(header(results)[0]), "", "The fastest of the other libraries, at the largest size that one of them was given. Above 1: rankloss is "
             "faster;", "in bold: it is slower.", "", "| work | size | threads | rankloss | fastest other | its time | in ours |",
             "|---|---:|---:|---:|---|---:|---:|"]
    for name, work in works(results):
        for threads, run in of_threads(results, name).items():
            compared = [s for s in run["sizes"] if "time" in s.get("libraries", {}).get(OURS, {}) and peers_of(s["libraries"])]
            if not compared:
                continue
            last = max(compared, key=lambda s: s["size"])
            ours = last["libraries"][OURS]["time"]
            best, of = min(peers_of(last["libraries"]).items(), key=lambda p: p[1]["time"])
            lines.append(f"| {work['title']} | {size_text(last['size'])} | {threads} | {duration(ours)} | {best} | {duration(of['time'])} "
                         f"| {ratio(of['time'], ours)} |")
    lines += ["", "[peers.md](peers.md) has every size, library, memory and deviation.", ""]
    for name, _, picture in charts(results):
        lines.append(f"![{picture}](pictures/{name})")
    return lines + ["", MARKS[1]]


def page(results):
    """docs/peers.md."""
    lines = ["# Beside other libraries", "",
             *wrapped("Every table has the median time of a call of each library, on the same data, in one process, in turns. `python3 bench/peers/compare.py` "
                      "measures and writes this page; no figure is typed by hand. The comparison is in [bench/peers](../bench/peers/README.md)."), "",
             *wrapped(header(results)[0]), "",
             *wrapped("\"PyTorch\" and \"JAX\" (compiled, as always) are the formula as a reader of the paper writes it down; other names are the library's own "
                      "function. \"In ours\" is the time divided by that of rankloss on as many threads: in bold where the other library is faster. Memory is "
                      "what a call needs at its peak beyond what was held before it, where it keeps no scratch of earlier calls. \"Value off\" and "
                      "\"gradient off\" are the largest differences from rankloss in double, by the largest entry: in bold where they are above 1e-3. Of a "
                      "loss with kinks, such as that of a critic, one of a million items that lies on a kink to within a float's digits is enough for "
                      "that. All compute in float, but for the inner rounds of the boosters; their time is that of a round without splits, less that of one with squared "
                      "error."), ""]
    pictures = {work: (file, text) for file, work, text in charts(results)}
    for name, work in works(results):
        lines += [f"## {work['title']}", "", f"Size: {work['unit']}. Computed: {work['what']}.", ""]
        for library, note in work["notes"].items():
            lines += [*wrapped(f"{library}: {note}"), ""]
        if name in pictures:
            lines += [f"![{pictures[name][1]}](pictures/{pictures[name][0]})", ""]
        lines += ["| size | threads | library | time | in ours | memory | value off | gradient off |", "|---:|---:|---|---:|---:|---:|---:|---:|"]
        for threads, run in of_threads(results, name).items():
            for of_size in run["sizes"]:
                head = f"| {size_text(of_size['size'])} | {threads} "
                if "failed" in of_size:
                    lines.append(f"{head}| | not measured: {of_size['failed']} | | | | |")
                    continue
                ours = of_size["libraries"].get(OURS, {}).get("time")
                for library, of in of_size["libraries"].items():
                    if "failed" in of:
                        lines.append(f"{head}| {library} | not measured: {of['failed'].replace('|', '/')} | | | | |")
                        continue
                    lines.append(f"{head}| {library} | {duration(of['time'])} | {ratio(of['time'], ours) if ours and library != OURS else ''} "
                                 f"| {bytes_text(of['memory'])} | {off_text(of.get('value'))} | {off_text(of.get('gradient'))} |")
        lines.append("")
    return "\n".join(lines)


def lines_of(run):
    """{library: [(size, time)]} of what was measured."""
    found = {}
    for of_size in run["sizes"]:
        for library, of in of_size.get("libraries", {}).items():
            if "time" in of:
                found.setdefault(library, []).append((of_size["size"], of["time"]))
    return {library: sorted(points) for library, points in found.items()}


def charts(results):
    """(file, work, what it shows) of each work that has three sizes or more."""
    found = []
    for name, work in works(results):
        run = of_threads(results, name).get(1)
        if run and len(lines_of(run).get(OURS, ())) >= 3:
            found.append((f"peers_{name}.svg", name, f"{work['title']}: time by {work['unit']}, one thread"))
    return found


def written(results, results_page):
    """{path below docs: text} of everything that is written; `results_page` is docs/results.md as it is."""
    files = {"results.md": with_section(results_page, MARKS, overview(results)), "peers.md": page(results)}
    for file, name, _ in charts(results):
        work = results["works"][name]
        files[f"pictures/{file}"] = chart(work["title"], work["unit"], lines_of(of_threads(results, name)[1]), COLOURS, OURS)
    return files


def write(results, root):
    """Writes them; returns the paths."""
    docs = root / "docs"
    files = written(results, (docs / "results.md").read_text())
    for old in docs.glob("pictures/peers_*.svg"):
        if f"pictures/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        (docs / name).write_text(text)
    return [docs / name for name in files]
