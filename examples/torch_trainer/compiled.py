# SPDX-License-Identifier: BSL-1.0
"""A loss of rankloss as a function that Python can call: compiled at its first use, and kept for the next ones.

    loss = compiled.compile("sndcg{.temperature = t}", "lists", {"t": 0.1})
    loss.evaluate(compiled.Lists(scores=address, ...), {"t": 0.1}, threads)

This module knows neither torch nor NumPy: arrays are addresses. rankloss_torch.py has what a trainer in torch uses.
"""
import ctypes
import fcntl
import functools
import hashlib
import numbers as kinds
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
RANKLOSS = INCLUDE / "rankloss"
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
                *((name, _choice) for name in ("reduction", "similarity", "component", "without_diagonal", "extra_columns", "has_temperature",
                                               "has_bias"))]


CALLS = {"lists": Lists, "embeddings": Embeddings}


class CompileError(ValueError):
    """The expression is no loss, or not one for this kind of batch or this device."""


@functools.cache
def _headers_by_name():
    """Of each name of the library that an expression may have, the headers that declare it."""
    found = {}
    for header in sorted(RANKLOSS.rglob("*.hpp")):
        place = header.relative_to(RANKLOSS)
        if place.parts[0] in ("cpu", "cuda", "detail") or place.name in ("rankloss.hpp", "eigen.hpp", "xtensor.hpp"):
            continue
        declared = re.findall(r"^(?:struct|class|using|enum class|inline constexpr auto) (\w+)", header.read_text(encoding="utf-8"), re.MULTILINE)
        for name in dict.fromkeys(declared):
            found.setdefault(name, []).append(place.as_posix())
    return found


def _headers_of(expression, kernels):
    """What has to be included: the headers of all names in the expression, and where `kernels`, those of their kernels."""
    found, names = [], dict.fromkeys(re.findall(r"(?<![.\w])[a-z_]\w*", expression))
    for name in names:
        for face in _headers_by_name().get(name, []):
            if face.startswith(("hosts/", "conventions/")) and Path(face).stem not in names:
                continue  # of another namespace, such as xgboost::pairwise
            found.append(f"rankloss/{face}")
            if kernels:
                # A loss that is made of others, such as ranknet, has their kernels.
                parts = [face, *re.findall(r"^#include <rankloss/(.+\.hpp)>", (RANKLOSS / face).read_text(encoding="utf-8"), re.MULTILINE)]
                own = [f"rankloss/cuda/{part[:-4]}.cuh" for part in parts if (RANKLOSS / "cuda" / f"{part[:-4]}.cuh").is_file()]
                found += own[:1]
    return list(dict.fromkeys(found))


def _source(expression, batch, whole, kernels):
    unit = [f"#include <{header}>" for header in _headers_of(expression, kernels)]
    unit += [f'#include "{HERE / "adapter.hpp"}"', "", "namespace {", "auto make_loss([[maybe_unused]] const double* numbers) {"]
    for place, (name, is_whole) in enumerate(whole.items()):
        value = f"numbers[{place}]"
        if is_whole:
            value = f"adapter::whole_number{{static_cast<std::size_t>({value})}}"
        unit.append(f"  [[maybe_unused]] const auto {name} = {value};")
    unit += ["  using namespace rankloss;", f"  return {expression};", "}", "}  // namespace", "",
             f'extern "C" int evaluate(const adapter::{batch}* call, const double* numbers, std::int64_t where, char* text, int size) {{',
             "  return adapter::evaluate(call, numbers, where, text, size, make_loss);", "}",
             'extern "C" int has_gradient() { return adapter::has_gradient<decltype(make_loss(nullptr))>; }', ""]
    return "\n".join(unit)


def _command(capability):
    """How a loss is compiled: for this processor, or for a device of a compute capability such as "9.0"."""
    include = ["-I", str(INCLUDE), *shlex.split(os.environ.get("RANKLOSS_FLAGS", "-isystem /usr/include/eigen3"))]
    if capability is None:
        return [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++20", "-O3", "-march=native", "-Werror=narrowing", "-shared", "-fPIC", "-pthread",
                *include]
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    number = capability.replace(".", "")
    # The libraries of the runtime are shared, so that all losses see the same state of a device.
    return [nvcc, "-std=c++20", "-O3", f"--generate-code=arch=compute_{number},code=[compute_{number},sm_{number}]", "-cudart", "shared",
            "-forward-unknown-to-host-compiler", "-shared", "-Xcompiler=-fPIC", "-Xlinker", f"-rpath={Path(nvcc).parents[1] / 'lib64'}", *include]


@functools.cache
def _compiler_and_processor(compiler):
    """What a library depends on besides its source: a folder may be shared by machines."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        processor = re.search(r"^(flags|Features)\b.*$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        processor = None
    return version + (processor[0] if processor else "")


def _headers_as_they_are(kernels):
    found = hashlib.sha256()
    for path in [*sorted(RANKLOSS.rglob("*.?pp")), *(sorted(RANKLOSS.rglob("*.cuh")) if kernels else []), HERE / "adapter.hpp"]:
        found.update(path.read_bytes())
    return found.hexdigest()


def _library(expression, batch, whole, capability):
    """The shared library of a loss, compiled if it is not there."""
    source = _source(expression, batch, whole, capability is not None)
    command = _command(capability)
    compiler = command[:command.index("-std=c++20")]
    if shutil.which(compiler[0]) is None:
        raise CompileError(f"{compiler[0]}: not found, expected a compiler of {'CUDA' if capability else 'C++20'}"
                           f"{'' if capability else '; the variable CXX may name one'}")
    parts = [source, *command, _compiler_and_processor(tuple(compiler)), _headers_as_they_are(capability is not None)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    folder = Path(os.environ.get("RANKLOSS_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rankloss_torch")
    folder = folder.expanduser().resolve()
    library = folder / f"{key}.so"
    if library.is_file():
        return library
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / f"{key}.lock", "w", encoding="utf-8")
    except OSError as error:
        raise CompileError(f"{folder}: cannot be written ({error.strerror}), expected a folder for compiled losses; RANKLOSS_CACHE may name "
                           "another one") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes wait for the first one
        if library.is_file():
            return library
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
    return f"does not compile: {first[1] if first else (output.strip().splitlines() or ['no output'])[-1]}"


class Loss:
    """A compiled loss. Addresses are of the host, or where it was compiled for a device, of that device."""

    def __init__(self, expression, batch, whole, library):
        self.expression, self._whole = expression, dict(whole)
        self._library = ctypes.CDLL(str(library))
        self._evaluate = self._library.evaluate
        self._evaluate.argtypes = [ctypes.POINTER(CALLS[batch]), ctypes.POINTER(_real), _whole, ctypes.c_char_p, ctypes.c_int]
        self.has_gradient = bool(self._library.has_gradient())

    def evaluate(self, call, numbers, where):
        """Value and gradients go to the addresses in the call. `where` is the number of threads, or the stream of a device."""
        values = (_real * max(1, len(self._whole)))(*(_number(name, numbers[name], is_whole) for name, is_whole in self._whole.items()))
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


def is_whole(name, value):
    """Whether a number is a whole one by its type, as Python's and NumPy's are."""
    if not str(name).isidentifier():
        raise TypeError(f"{name}: expected a name of C++")
    if isinstance(value, bool) or not (isinstance(value, kinds.Real) or hasattr(value, "item")):
        raise TypeError(f"{name}: {value!r}, expected a number")
    return isinstance(value.item() if hasattr(value, "item") else value, kinds.Integral)


def _number(name, value, whole):
    if whole and not (is_whole(name, value) and 0 <= int(value) < 2**53):
        raise ValueError(f"{name}: {value}, expected a whole number from 0 to 2^53; for an option that is a real number, make the loss with one, "
                         "such as 1.0")
    return float(value)


_losses, _compiling = {}, threading.Lock()


def compile(expression, batch, whole, capability=None):  # noqa: A001
    """The loss that an expression of C++ makes, such as "sndcg{.temperature = t}", where `whole` is {"t": False}.

    Names are those of the namespace rankloss, and those in `whole`, which says which of them are whole numbers; `evaluate` gives their values.
    `batch` is "lists" or "embeddings". With a `capability`, such as "9.0", it is compiled for devices, else for this processor.
    """
    key = (expression, batch, tuple(whole.items()), capability)
    with _compiling:
        if key not in _losses:
            _losses[key] = Loss(expression, batch, whole, _library(expression, batch, whole, capability))
        return _losses[key]
