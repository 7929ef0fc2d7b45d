#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Seeds small faults in headers, one at a time, and counts how many of them the tests notice.

For each fault include/ is copied to a temporary folder and changed there, in one place of one header; the test of the header's name is built
against that copy and run. The working tree is never written to. A fault is

    noticed            the test fails, crashes, or runs out of time or memory
    not noticed        the test passes
    does not compile   counted for itself
    without effect     named in the list of faults that change speed alone (--without-effect); neither built nor counted

and the share that matters is noticed / (noticed + not noticed). Only code is changed: no comments, strings, preprocessor lines, template
argument lists, attributes, or conditions that are checked at compile time anyway. Kinds of faults:

    arithmetic   + and -, * and /, += and -=, *= and /= take each other's place; % becomes /; a sign is left out
    comparison   < and <=, > and >= (the boundary moves by one), == and !=; each is negated as well; && and || take each other's place
    constant     an integer is one more or one less; a real number is doubled, and 0.0 becomes 1.0; true and false
    extreme      min and max take each other's place
    dropped      a term, a factor, or one side of && or || is left out
    negated      the condition of an if is negated, or a ! is left out

examples:
    scripts/seed_faults.py ppo --list                            every place, and what is done to it
    scripts/seed_faults.py ppo metrics/ndcg --sample 10          ten faults in each
    scripts/seed_faults.py --sample 10 --record faults.csv       in each of the core headers; goes on where it was stopped
    scripts/seed_faults.py sndcg --line 365 --tests evaluate     the faults of one line, against two tests
"""
import argparse
import csv
import dataclasses
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = pathlib.Path("include/rankloss")
CORE = ["cpu/sndcg", "detail/sigmoid/smooth_dcg", "detail/sigmoid/sorted_sums", "detail/sigmoid/cell_sums", "detail/pairs/pair_scan",
        "detail/pairs/pair_walk", "detail/pairs/pair_piece", "detail/pairs/pair_states", "detail/pairs/window_pairs", "detail/pairs/pair_series",
        "detail/band/neural_band", "detail/band/kept_band", "detail/band/sinkhorn_band",
        "detail/band/sinkhorn_pullback", "detail/lists/list_run", "detail/lists/output_sink", "detail/sorting/argsort",
        "detail/sorting/sort_network", "cpu/ppo", "cpu/partial_order", "metrics/ndcg", "detail/gains/tied_dcg"]
KINDS = ["arithmetic", "comparison", "constant", "extreme", "dropped", "negated"]
SAME_CODE = "the same object code"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NOTICED, MISSED, BROKEN, WITHOUT_EFFECT = "noticed", "not noticed", "does not compile", "without effect"


def test_of(header):
    """The test that a header belongs to: that of its own name, for an engine that of its face, and for a mechanism that was cut out of
    another header the one that tests/structure.cmake names."""
    name = header.removesuffix(".hpp")
    structure = (ROOT / "tests/structure.cmake").read_text()
    for mechanism, test in re.findall(r"^ +([\w/]+):([\w/]+)\)?$", structure, re.MULTILINE):
        if name == f"detail/{mechanism}":
            return test
    return name.removeprefix("cpu/")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One change: what stands from `begin` to `end` of the header becomes `new`. Named by the line's own text, so that it keeps its name
    when other lines come and go."""
    header: str
    line: int        # for people
    text: str        # the line, without the blanks around it
    occurrence: int  # of lines of that text in the header, from 1
    kind: str
    name: str        # "< -> <=", with " #2" where it is the second such in the line
    begin: int
    end: int
    new: str

    @property
    def key(self):
        return (self.header, self.text, str(self.occurrence), self.name)

    def order(self, seed):
        """A number that depends on the seed and on this fault alone, whatever other faults there are."""
        return hashlib.sha256("\0".join((str(seed),) + self.key).encode()).digest()


# ---- Where faults can be seeded ----

def blank(text, begin, end):
    """The text with [begin, end) replaced by blanks; lines stay lines."""
    return text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]


def closing(text, at):
    """Where the bracket that opens at `at` closes, or None."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return None


def closing_angle(text, at):
    """Where the template argument list that opens at `at` closes, or None where it is none."""
    depth = 0
    i = at
    while i < len(text):
        c = text[i]
        if c in "([{":
            i = closing(text, i)
            if i is None:
                return None
        elif c == "<":
            depth += 1
        elif c == ">" and text[i - 1] != "-":
            depth -= 1
            if depth == 0:
                return i
        elif c in ";)]}":
            return None
        i += 1
    return None


RAW_STRING = r'(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]*)\(.*?\)(?P=delimiter)"'
LITERALS = re.compile(r"//[^\n]*|/\*.*?\*/|" + RAW_STRING + r"""|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""", re.S)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
CHECKED_BY_COMPILER = re.compile(r"\b(?:static_assert|noexcept|decltype|alignas|sizeof|requires)\s*\(")
DECLARATIONS = re.compile(r"\b(?:using|concept|namespace|friend|enum)\b[^;{]*")


def code_of(text):
    """The text with all that is not code in blanks, each character where it was."""
    for pattern in (LITERALS, PREPROCESSOR):
        for match in pattern.finditer(text):
            text = blank(text, *match.span())
    text = re.sub(r"\[\[.*?\]\]", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for match in DECLARATIONS.finditer(text):
        text = blank(text, *match.span())
    for match in CHECKED_BY_COMPILER.finditer(text):
        end = closing(text, match.end() - 1)
        if end is not None:
            text = blank(text, match.end() - 1, end + 1)
    text = re.sub(r"\boperator\s*(?:[-+*/%<>=!&|~]+|\(\))", lambda m: " " * len(m.group()), text)
    # Template lists: the blank before < is clang-format's, which sets none before an argument list and one on each side of a comparison.
    for match in re.finditer(r"\btemplate <|(?<=\w)<(?![<=])", text):
        at = match.end() - 1
        if text[at] == "<":
            end = closing_angle(text, at)
            if end is not None:
                text = blank(text, at, end + 1)
    return text


# The longer comes first. clang-format sets blanks on both sides of these (at a line's end, a newline behind), and never on both sides of
# *, & and && where they make a pointer or a reference.
BINARY = re.compile(r"(?<=\s)(<<=|>>=|<=>|\+=|-=|\*=|/=|%=|<=|>=|==|!=|&&|\|\||<<|>>|[-+*/%<>])(?=\s)")
UNARY_MINUS = re.compile(r"(?:(?<=[(\[{])|(?<=[(,=?:<>*/+&|] )|(?<=return ))-(?=[\w(])")
NUMBER = re.compile(r"(?<![\w.])(0[xX][0-9a-fA-F']+|(?:\d[\d']*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([uUlLzZfF]*)(?![\w.])")
EXTREME = re.compile(r"\b(?:std|xsimd)::(min|max)\s*\((?!\s*\))")
SWAPPED = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "<<": ">>", ">>": "<<"}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
NEGATION = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
LOGIC = {"&&": "||", "||": "&&"}
PRECEDENCE = {"*": 9, "/": 9, "%": 9, "+": 8, "-": 8, "<<": 7, ">>": 7, "<": 6, "<=": 6, ">": 6, ">=": 6, "==": 5, "!=": 5, "&&": 2, "||": 1}


def end_of_operand(code, at, precedence):
    """Where the right operand of a binary operator ends, whose text begins at `at`."""
    i = at
    while i < len(code):
        c = code[i]
        if c in "([{":
            i = closing(code, i)
            if i is None:
                return None
        elif c in ")]};,?:" and code[i:i + 2] != "::" and code[i - 1:i + 1] != "::":
            break
        elif c == "=" and code[i - 1] == " " and code[i + 1] == " ":
            break
        else:
            match = BINARY.match(code, i)
            if match:
                if PRECEDENCE.get(match.group(), 0) <= precedence:
                    break
                i = match.end() - 1
        i += 1
    return len(code[:i].rstrip())


def changed_numbers(digits, suffix):
    """What a number becomes."""
    plain = digits.replace("'", "")
    real = ("." in plain or "e" in plain.lower()) and not plain.lower().startswith("0x")
    if not real:
        value = int(plain, 0) if plain.lower().startswith("0x") else int(plain)
        return [f"{v}{suffix}" for v in ([value + 1, value - 1] if value > 0 else [value + 1])]
    value = float(plain)
    return [f"{1.0 if value == 0.0 else 2.0 * value!r}{suffix}"]


def changes(code):
    """(kind, begin, end, new) of every fault that can be seeded."""
    for match in BINARY.finditer(code):
        op = match.group()
        for kind, table in (("arithmetic", SWAPPED), ("comparison", BOUNDARY), ("comparison", NEGATION), ("comparison", LOGIC)):
            if op in table:
                yield kind, *match.span(), table[op]
        if op in "+-*" or op in LOGIC:
            end = end_of_operand(code, match.end(), PRECEDENCE[op])
            if end is not None and end > match.end():
                yield "dropped", match.start() - 1, end, ""
    for match in UNARY_MINUS.finditer(code):
        yield "arithmetic", *match.span(), ""
    for match in NUMBER.finditer(code):
        for new in changed_numbers(*match.groups()):
            if not (match.group() == "1" and new == "0" and code[match.start() - 3:match.start()] in (" + ", " - ")):  # that is a dropped term
                yield "constant", *match.span(), new
    for match in re.finditer(r"\b(true|false)\b", code):
        yield "constant", *match.span(), "false" if match.group() == "true" else "true"
    for match in EXTREME.finditer(code):
        yield "extreme", *match.span(1), "min" if match.group(1) == "max" else "max"
    for match in re.finditer(r"\bif (?:constexpr )?\(", code):
        end = closing(code, match.end() - 1)
        if end is not None and not re.search(r"[;]", code[match.end():end]):
            yield "negated", match.end() - 1, end + 1, "(!" + code[match.end() - 1:end + 1] + ")"
    for match in re.finditer(r"(?<![\w)\]])!(?=[\w(])", code):
        yield "negated", *match.span(), ""


def faults_of(name):
    """Every fault that can be seeded in a header, in the order of its lines."""
    path = ROOT / INCLUDE / f"{name}.hpp"
    text = path.read_text(encoding="utf-8")
    code = code_of(text)
    lines = [line.strip() for line in text.split("\n")]
    occurrences = [lines[:i + 1].count(line) for i, line in enumerate(lines)]
    found, seen = [], {}
    for kind, begin, end, new in sorted(changes(code), key=lambda change: change[1:]):
        line = text.count("\n", 0, begin) + (1 if text[begin] == "\n" else 0)
        old = re.sub(r"\s+", " ", text[begin:end]).strip()
        if kind == "negated" and new:
            new, title = "(!" + text[begin:end] + ")", "negate the condition"
        elif kind == "arithmetic" and not new:
            title = "drop the sign -"
        elif not new:
            title = f"drop {old}"
        else:
            title = f"{old} -> {new}"
        number = seen[line, title] = seen.get((line, title), 0) + 1
        title = title if number == 1 else f"{title} #{number}"
        found.append(Fault(f"{name}.hpp", line + 1, lines[line], occurrences[line], kind, title, begin, end, new))
    return found


def sample_of(faults, seed, size):
    """The kinds take turns, so that a table of constants does not drown the rest; a larger sample holds the smaller."""
    kinds = {}
    for fault in sorted(faults, key=lambda fault: fault.order(seed)):
        kinds.setdefault(fault.kind, []).append(fault)
    turns = sorted((turn, kind) for kind, those in kinds.items() for turn in range(len(those)))
    return sorted((kinds[kind][turn] for turn, kind in turns[:size]), key=lambda fault: fault.begin)


# ---- Faults that are known to change no result ----

def read_without_effect(path):
    """{(header, line text, fault): reason}. Records of `header:`, `line:`, one or more `fault:` and `reason:`, apart by empty lines; the fault
    `any` is every fault of such a line, # begins a comment, and a line that begins with a blank goes on with the field before."""
    known = {}
    fields = {}

    def close(number):
        if not fields:
            return
        for field in ("header", "line", "fault", "reason"):
            if not fields.get(field):
                sys.exit(f"{path}:{number}: a record without `{field}:`")
        for fault in fields["fault"]:
            known[fields["header"][0], fields["line"][0], fault] = fields["reason"][0]
        fields.clear()

    number = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            close(number)
        elif line[0] == " " and fields:
            last = list(fields.values())[-1]
            last[-1] += " " + line.strip()
        else:
            field, colon, value = line.partition(":")
            if not colon or field not in ("header", "line", "fault", "reason"):
                sys.exit(f"{path}:{number}: {line!r}, expected header:, line:, fault: or reason:")
            fields.setdefault(field, []).append(value.strip())
    close(number)
    return known


def reason_of(fault, known):
    """Why a fault has no effect, or None where that is not known."""
    return known.get((fault.header, fault.text, fault.name), known.get((fault.header, fault.text, "any")))


# ---- Building and running ----

def sources(test):
    """What a test is compiled from: the losses that the promises are about lie in files of their own."""
    catalogue = sorted((ROOT / "tests/promises/catalogue").glob("*.cpp")) if test.startswith("promises/") else []
    return [ROOT / "tests" / f"{test}.test.cpp", *catalogue]


class Workplace:
    """A temporary folder with objects that all builds share, and one copy of include/ for each job."""

    def __init__(self, folder, args, sanitizers=()):
        self.folder = folder
        self.compiler = shlex.split(args.compiler)
        self.flags = ["-std=c++20", *shlex.split(args.flags), "-Wfatal-errors", "-DRANKLOSS_TESTS_SHARE_NOTHING", *sanitizers]
        self.time_limit = args.time_limit
        # The address sanitizer sets aside more addresses than there is memory.
        self.memory = "unlimited" if sanitizers else args.memory << 20
        self.local = threading.local()
        self.copies = 0
        self.lock = threading.Lock()
        self.locks = {}
        self.baselines = {}
        self.support = []
        folder.mkdir()
        self.build_support()

    def compile(self, source, out, folder):
        """As `command`. Headers are found relative to the folder, so that copies of one header in other folders give the same object."""
        return self.command([*self.compiler, *self.flags, "-Iinclude", f"-I{ROOT / 'tests'}", f'-DRANKLOSS_ROOT="{ROOT}"', "-c", str(source), "-o", out], folder, None)

    def build_support(self):
        for source in sorted((ROOT / "tests/support").glob("*.cpp")):
            out = self.folder / f"{source.stem}.o"
            status, printed, _ = self.compile(source, str(out), self.copy())
            if status != 0:
                sys.exit(f"{source.relative_to(ROOT)}: does not compile:\n{printed}")
            self.support.append(str(out))

    def copy(self):
        """This thread's folder, with include/ as the tree has it."""
        if not hasattr(self.local, "folder"):
            with self.lock:
                self.copies += 1
                self.local.folder = self.folder / f"job{self.copies}"
            (self.local.folder / "tmp").mkdir(parents=True)
            shutil.copytree(ROOT / "include", self.local.folder / "include")
        return self.local.folder

    def command(self, command, folder, limit):
        """(exit status or None for out of time, what was printed, seconds)"""
        if limit is not None:  # a test; a compiler may take what it needs
            command = ["sh", "-c", f'ulimit -c 0; ulimit -v {self.memory}; exec "$0" "$@"', *command]
        start = time.monotonic()
        environment = dict(os.environ, TMPDIR=str(folder / "tmp" if (folder / "tmp").exists() else folder), LC_ALL="C")
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, env=environment, text=True, errors="replace")
        try:
            printed, _ = process.communicate(timeout=limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            status = None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return status, printed, time.monotonic() - start

    def build(self, test):
        """Builds a test against this thread's include/; (the program or None, what was printed, the objects' digest)."""
        folder = self.copy()
        program = folder / "test"
        objects, digest = [], hashlib.sha256()
        for source in sources(test):
            objects.append(f"{source.stem}.o")
            status, printed, _ = self.compile(source, objects[-1], folder)
            if status != 0:
                return None, printed, None
            digest.update((folder / objects[-1]).read_bytes())
        status, printed, _ = self.command([*self.compiler, *self.flags, *objects, *self.support, "-o", "test", "-pthread"], folder, None)
        return (program if status == 0 else None), printed, digest.digest()

    def baseline(self, test):
        """Builds and runs a test against the headers as they are, once: (digest, seconds). It must pass."""
        with self.lock_of(test):
            if test not in self.baselines:
                program, printed, digest = self.build(test)
                if program is None:
                    sys.exit(f"tests/{test}.test.cpp: does not compile without any fault:\n{printed}")
                status, printed, seconds = self.command([str(program), "--abort"], self.copy(), 3600)
                if status != 0:
                    sys.exit(f"tests/{test}.test.cpp: fails without any fault:\n{printed[-4000:]}")
                self.baselines[test] = (digest, seconds)
        return self.baselines[test]

    def lock_of(self, test):
        with self.lock:
            return self.locks.setdefault(test, threading.Lock())

    def attempt(self, fault, tests):
        """(outcome, note)"""
        baselines = [self.baseline(test) for test in tests]
        folder = self.copy()
        header = folder / INCLUDE / fault.header
        original = header.read_text(encoding="utf-8")
        header.write_text(original[:fault.begin] + fault.new + original[fault.end:], encoding="utf-8")
        try:
            same = True
            for test, (whole, seconds) in zip(tests, baselines):
                program, printed, digest = self.build(test)
                if program is None:
                    return BROKEN, next((line for line in printed.split("\n") if "error" in line), "")[:200]
                if digest == whole:  # the compiler made the same code: nothing of this test can tell
                    continue
                same = False
                limit = self.time_limit or 10.0 + 5.0 * seconds
                status, printed, _ = self.command([str(program), "--abort"], folder, limit)
                if status is None:
                    return NOTICED, f"{test}: out of time"
                if status < 0:
                    return NOTICED, f"{test}: {signal.Signals(-status).name}"
                if status > 0 and ("Sanitizer" in printed or "runtime error:" in printed):
                    return NOTICED, f"{test}: by a sanitizer"
                if status > 0:
                    where = re.search(r"(\S+\.(?:cpp|hpp):\d+): FAILED", printed)
                    return NOTICED, f"{test}: {pathlib.Path(where.group(1)).name if where else 'failed'}"
            return MISSED, SAME_CODE if same else ""
        finally:
            header.write_text(original, encoding="utf-8")


# ---- The record, and the table ----

COLUMNS = ["header", "line", "text", "occurrence", "kind", "fault", "outcome", "note", "tests"]


def read_record(path, tests, again):
    """{fault's key: (outcome, note)} of a record of earlier runs with the same tests."""
    done = {}
    if not path.exists():
        return done
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            sys.exit(f"{path}: columns {rows.fieldnames}, expected {COLUMNS}: a record that this script wrote")
        for row in rows:
            key = (row["header"], row["text"], row["occurrence"], row["fault"])
            if row["tests"] == tests(row["header"]) and not (again and row["outcome"] == MISSED):
                done[key] = (row["outcome"], row["note"])
            else:
                done.pop(key, None)
    return done


def table_of(counts):
    titles = ["header", "seedable", "seeded", NOTICED, MISSED, BROKEN, WITHOUT_EFFECT, "share noticed"]
    rows = []
    total = {}
    for header, count in counts.items():
        for key, value in count.items():
            total[key] = total.get(key, 0) + value
        rows.append((header, count))
    if len(rows) > 1:
        rows.append(("all", total))
    out = ["| " + " | ".join(titles) + " |", "|---" + "|---:" * (len(titles) - 1) + "|"]
    for header, count in rows:
        tried = count[NOTICED] + count[MISSED]
        share = f"{100.0 * count[NOTICED] / tried:.0f} %" if tried else ""
        cells = [header, *(str(count[title]) for title in titles[1:-1]), share]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}, expected at least 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(usage="seed_faults.py [options] [NAME ...]", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("headers", nargs="*", metavar="NAME", help="headers below include/rankloss, such as ppo or detail/pairs/pair_scan; none: the core headers")
    add("--tests", nargs="+", default=[], metavar="NAME",
        help="further tests for faults that the test of the header's name does not notice, such as evaluate")
    add("--sample", type=positive, metavar="N", help="so many faults of each header, drawn at random; without it all of them")
    add("--seed", type=int, default=1, help="which sample; one of 20 faults holds that of 10 (default 1)")
    add("--line", type=positive, action="append", metavar="N", help="only faults that begin in this line; may be given again")
    add("--kind", choices=KINDS, action="append", help="only faults of this kind; may be given again")
    add("--list", action="store_true", help="print the faults and end; fails where the list of faults without effect names one that is not there")
    add("--compiler", default="g++", metavar="COMMAND", help="(default g++)")
    add("--flags", default="-O1 -march=native", metavar="FLAGS",
        help='(default "-O1 -march=native": -O0 compiles in three quarters of the time and runs 10 to 300 times as long)')
    add("--jobs", type=positive, default=1, metavar="N", help="how many faults are tried at the same time (default 1)")
    add("--sanitize", action="store_true",
        help="try a fault that is not noticed once more with the address and undefined behaviour sanitizers, as the preset debug runs the tests")
    add("--time-limit", type=float, metavar="SECONDS", help="for one run of a test (default: 10, and five times what it takes without a fault)")
    add("--memory", type=positive, default=4, metavar="GIB", help="for one run of a test (default 4)")
    add("--record", type=pathlib.Path, metavar="FILE.csv", help="write each outcome there at once, and take from it what is there already")
    add("--again", action="store_true", help="with --record: try the faults once more that were not noticed")
    add("--without-effect", type=pathlib.Path, default=ROOT / "tests/seeded_faults_without_effect.txt", metavar="FILE",
        help="faults that are known to change no result (default: tests/seeded_faults_without_effect.txt)")
    args = parser.parse_args()

    args.headers = [name.removesuffix(".hpp") for name in args.headers or CORE]
    for name in args.headers:
        if not (ROOT / INCLUDE / f"{name}.hpp").is_file():
            parser.error(f"{name}: there is no {INCLUDE}/{name}.hpp")
    for name in [test_of(header) for header in args.headers] + args.tests:
        if not args.list and not (ROOT / "tests" / f"{name}.test.cpp").is_file():
            parser.error(f"{name}: there is no tests/{name}.test.cpp")
    if args.line and len(args.headers) != 1:
        parser.error("--line: expected one header")
    if args.again and not args.record:
        parser.error("--again: expected --record too")
    if not args.without_effect.is_file():
        parser.error(f"--without-effect: there is no file {args.without_effect}")
    if args.time_limit is not None and not args.time_limit > 0:
        parser.error(f"--time-limit: {args.time_limit}, expected a number above 0")
    compiler = shlex.split(args.compiler)
    if not args.list and (not compiler or shutil.which(compiler[0]) is None):
        parser.error(f"--compiler: {args.compiler!r} is not found")
    return args


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the temporary folder goes too
    known = read_without_effect(args.without_effect)
    seedable, chosen = {}, {}
    stale = False
    for name in args.headers:
        faults = faults_of(name)
        seedable[name] = len(faults)
        header = f"{name}.hpp"
        there = {(fault.header, fault.text, name) for fault in faults for name in (fault.name, "any")}
        for entry in known:
            if entry[0] == header and entry not in there:
                stale = True
                print(f"{args.without_effect.name}: nothing in {header} is `{entry[1]}` with the fault `{entry[2]}`", file=sys.stderr)
        faults = [fault for fault in faults if (not args.line or fault.line in args.line) and (not args.kind or fault.kind in args.kind)]
        if args.sample is not None:
            faults = sample_of(faults, args.seed, args.sample)
        chosen[name] = faults

    if args.list:
        for faults in chosen.values():
            for fault in faults:
                mark = "  (without effect)" if reason_of(fault, known) else ""
                print(f"{fault.header}:{fault.line}: {fault.name}{mark}\n    {fault.text}")
        return 1 if stale else 0

    tests_of = lambda header: " ".join(dict.fromkeys([test_of(header), *args.tests]))
    done = read_record(args.record, tests_of, args.again) if args.record else {}
    counts = {name: {"seedable": seedable[name], "seeded": len(faults), **dict.fromkeys((NOTICED, MISSED, BROKEN, WITHOUT_EFFECT), 0)}
              for name, faults in chosen.items()}
    missed = []

    def count(fault, outcome, note):
        counts[fault.header.removesuffix(".hpp")][outcome] += 1
        if outcome == MISSED:
            missed.append((fault, note))
        print(f"{fault.header}:{fault.line}: {fault.name}: {outcome}{f' ({note})' if note else ''}", flush=True)

    open_faults = []
    for faults in chosen.values():
        for fault in faults:
            reason = reason_of(fault, known)
            if reason is not None:
                count(fault, WITHOUT_EFFECT, reason)
            elif fault.key in done:
                count(fault, *done[fault.key])
            else:
                open_faults.append(fault)

    if open_faults:
        with tempfile.TemporaryDirectory(prefix="seeded_faults_") as folder, ThreadPoolExecutor(args.jobs) as pool:
            places = [Workplace(pathlib.Path(folder, "plain"), args)]
            if args.sanitize:
                places.append(Workplace(pathlib.Path(folder, "sanitized"), args, SANITIZERS))

            def attempt(fault):
                for place in places:
                    outcome, note = place.attempt(fault, tests_of(fault.header).split())
                    if outcome != MISSED or note == SAME_CODE:
                        break
                return outcome, note

            running = {pool.submit(attempt, fault): fault for fault in open_faults}
            try:
                for future in as_completed(running):
                    fault = running[future]
                    outcome, note = future.result()
                    count(fault, outcome, note)
                    if args.record:
                        new = not args.record.exists()
                        with args.record.open("a", encoding="utf-8", newline="") as file:
                            writer = csv.writer(file)
                            if new:
                                writer.writerow(COLUMNS)
                            writer.writerow([fault.header, fault.line, fault.text, fault.occurrence, fault.kind, fault.name, outcome, note,
                                             tests_of(fault.header)])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    if missed:
        print("\nNot noticed:")
        for fault, note in sorted(missed, key=lambda entry: (entry[0].header, entry[0].begin)):
            print(f"{fault.header}:{fault.line}: {fault.name}{f' ({note})' if note else ''}\n    {fault.text}")
    print("\n" + table_of(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
