# SPDX-License-Identifier: BSL-1.0
"""A loss of rankloss as a function that Python can call: compiled at its first use, and kept for the next ones.

    loss = compiled.compile("sndcg{.temperature = t}", "lists", {"t": 0.1})
    loss.evaluate(compiled.Lists(scores=address, ...), {"t": 0.1}, threads=2)

This module knows neither torch nor NumPy: arrays are addresses. rankloss_torch.py has what a trainer in torch uses.
"""
import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
FOLDERS = ("", "ranks", "sorts", "pairs", "metrics")  # of include/rankloss, where a name may have its header
ERROR_SIZE = 1000

_pointer, _whole, _choice, _real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double


class Lists(ctypes.Structure):
    """adapter::lists of adapter.hpp, which says what the fields hold."""

    _fields_ = [*((name, _pointer) for name in ("scores", "relevance", "mask", "offsets", "lengths", "list_weights", "item_weights", "value",
                                                "gradient", "per_list")),
                *((name, _whole) for name in ("items", "lists", "length", "longest")),
                *((name, _choice) for name in ("reduction", "double_precision"))]


class Embeddings(ctypes.Structure):
    """adapter::embeddings of adapter.hpp."""

    _fields_ = [*((name, _pointer) for name in ("row_embeddings", "column_embeddings", "matches", "mask", "row_classes", "column_classes", "row_ids",
                                                "column_ids", "row_weights", "column_weights", "value", "row_gradient", "column_gradient",
                                                "temperature_gradient", "bias_gradient")),
                *((name, _real) for name in ("temperature", "bias")),
                *((name, _whole) for name in ("rows", "columns", "dimension")),
                *((name, _choice) for name in ("reduction", "similarity", "component", "without_diagonal", "extra_columns"))]


CALLS = {"lists": Lists, "embeddings": Embeddings}


class CompileError(ValueError):
    """The expression is no loss, or not one for this kind of batch or this device."""


def _header_of(name, folder, ending):
    """The header of a name, as it is included, or None."""
    for place in FOLDERS:
        header = Path("rankloss") / folder / place / (name + ending)
        if (INCLUDE / header).is_file():
            return header.as_posix()
    return None


def _headers_of(expression, kernels):
    """What has to be included: the headers of all names in the expression, and where `kernels`, those of their kernels."""
    found = []
    for name in dict.fromkeys(re.findall(r"[a-z_]\w*", expression)):
        face = _header_of(name, "", ".hpp")
        if face is None:
            continue
        found.append(face)
        if kernels:
            # Losses that are aliases, such as ranknet, have the kernels of what they are made of.
            parts = [name] + re.findall(r"^#include <rankloss/(?:\w+/)?(\w+)\.hpp>", (INCLUDE / face).read_text(encoding="utf-8"), re.MULTILINE)
            own = [header for part in parts if (header := _header_of(part, "cuda", ".cuh"))]
            found += own[:1]
    return list(dict.fromkeys(found))


def _source(expression, batch, numbers, kernels):
    unit = [f"#include <{header}>" for header in _headers_of(expression, kernels)]
    unit += [f'#include "{HERE / "adapter.hpp"}"', "", "namespace {", "auto make_loss([[maybe_unused]] const double* numbers) {"]
    for place, (name, value) in enumerate(numbers.items()):
        kind = "std::size_t" if isinstance(value, int) else "double"
        unit.append(f"  [[maybe_unused]] const auto {name} = static_cast<{kind}>(numbers[{place}]);")
    unit += ["  using namespace rankloss;", f"  return {expression};", "}", "}  // namespace", "",
             f'extern "C" int evaluate(const adapter::{batch}* call, const double* numbers, std::int64_t where, char* text, int size) {{',
             "  return adapter::evaluate(call, numbers, where, text, size, make_loss);", "}", ""]
    return "\n".join(unit)


def _command(capability):
    """How a loss is compiled: for this processor, or for a device of a compute capability such as "9.0"."""
    include = ["-I", str(INCLUDE), *shlex.split(os.environ.get("RANKLOSS_FLAGS", "-isystem /usr/include/eigen3"))]
    if capability is None:
        return [os.environ.get("CXX", "c++"), "-std=c++20", "-O3", "-march=native", "-shared", "-fPIC", "-pthread", *include]
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    number = capability.replace(".", "")
    # The libraries of the runtime are shared, so that all losses see the same state of a device.
    return [nvcc, "-std=c++20", "-O3", f"--generate-code=arch=compute_{number},code=[compute_{number},sm_{number}]", "-cudart", "shared",
            "-forward-unknown-to-host-compiler", "-shared", "-Xcompiler=-fPIC", "-Xlinker", f"-rpath={Path(nvcc).parents[1] / 'lib64'}", *include]


def _newest_header():
    return max(path.stat().st_mtime_ns for path in (*INCLUDE.rglob("*.[hc][pu][ph]"), HERE / "adapter.hpp"))


def _library(expression, batch, numbers, capability):
    """The shared library of a loss, compiled if it is not there."""
    source = _source(expression, batch, numbers, capability is not None)
    command = _command(capability)
    key = hashlib.sha256("\0".join([source, *command, str(_newest_header())]).encode()).hexdigest()[:20]
    folder = Path(os.environ.get("RANKLOSS_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rankloss_torch")
    library = folder / f"{key}.so"
    if library.is_file():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which(command[0]) is None:
        raise CompileError(f"{command[0]}: not found, expected a compiler of {'CUDA' if capability else 'C++20'}"
                           f"{'' if capability else '; the variable CXX may name one'}")
    # Another process may compile the same loss: each makes its own file, and the last one stays.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unit = Path(scratch) / ("loss.cpp" if capability is None else "loss.cu")
        unit.write_text(source, encoding="utf-8")
        made = Path(scratch) / "loss.so"
        done = subprocess.run([*command, str(unit), "-o", str(made)], capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        if done.returncode != 0:
            log = folder / f"{key}.log"
            log.write_text(f"{shlex.join(command)}\n\n{source}\n{done.stderr}{done.stdout}", encoding="utf-8")
            raise CompileError(f"{expression}: {_first_error(done.stderr + done.stdout)}; all of it is in {log}")
        os.replace(made, library)
    return library


def _first_error(output):
    """The library's own sentence, or else the compiler's first error."""
    own = re.search(r"rankloss: [^\n\"]*", output)
    if own:
        return own[0].removeprefix("rankloss: ")
    first = re.search(r"error: ([^\n]*)", output)
    return f"does not compile: {first[1] if first else output.strip().splitlines()[-1:] or 'no output'}"


class Loss:
    """A compiled loss. Addresses are of the host, or where it was compiled for a device, of that device."""

    def __init__(self, expression, batch, names, library):
        self.expression, self.names = expression, tuple(names)
        self._library = ctypes.CDLL(str(library))
        self._evaluate = self._library.evaluate
        self._evaluate.argtypes = [ctypes.POINTER(CALLS[batch]), ctypes.POINTER(_real), _whole, ctypes.c_char_p, ctypes.c_int]

    def evaluate(self, call, numbers, where):
        """Value and gradients go to the addresses in the call. `where` is the number of threads, or the stream of a device."""
        values = (_real * max(1, len(self.names)))(*(numbers[name] for name in self.names))
        self._report(self._evaluate, ctypes.byref(call), values, where)

    def check(self, stream):
        """Waits for the stream of a device; a ValueError names the first bad number of the calls since the last check."""
        self._report(self._library.check, _whole(stream))

    @staticmethod
    def _report(function, *arguments):
        text = ctypes.create_string_buffer(ERROR_SIZE)
        kind = function(*arguments, text, ERROR_SIZE)
        if kind:
            raise (ValueError if kind == 1 else RuntimeError)(text.value.decode(errors="replace"))


_losses = {}


def compile(expression, batch, numbers, capability=None):  # noqa: A001
    """The loss that an expression of C++ makes, such as "sndcg{.temperature = t}", where `numbers` has the t.

    Names are those of the namespace rankloss. A float is a double, an int a std::size_t. `batch` is "lists" or "embeddings". With a
    `capability`, such as "9.0", it is compiled for devices, else for this processor.
    """
    for name, value in numbers.items():
        if not name.isidentifier() or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name}: {value!r}, expected a name of C++ and a number")
        if isinstance(value, int) and not 0 <= value < 2**53:
            raise ValueError(f"{name}: {value}, expected a whole number from 0 to 2^53, or a real one such as {float(value)}")
    kinds = tuple((name, isinstance(value, int)) for name, value in numbers.items())
    key = (expression, batch, kinds, capability)
    if key not in _losses:
        _losses[key] = Loss(expression, batch, numbers, _library(expression, batch, numbers, capability))
    return _losses[key]
