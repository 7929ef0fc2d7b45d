# SPDX-License-Identifier: BSL-1.0
"""Tests of compiled.py, which needs no other package. `python test_compiled.py [CAPABILITY]`: with one, such as 9.0, the same on a CUDA device."""
import array
import ctypes
import math
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import compiled  # noqa: E402

CAPABILITY = None


class Host:
    """Arrays in the memory of the host."""

    where = 2  # threads

    @staticmethod
    def give(kind, numbers):
        numbers = array.array(kind, numbers)
        return numbers.buffer_info()[0], numbers

    @staticmethod
    def read(held):
        return held[1]


class Device:
    """Arrays in the memory of a device, by the CUDA runtime that the losses are linked with."""

    where = 0  # the default stream

    def __init__(self):
        # That of the losses, which is loaded with the first of them.
        compiled.compile("softmax_cross_entropy{.temperature = t}", "lists", {"t": False}, CAPABILITY)
        self.runtime = ctypes.CDLL(None)
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            if "libcudart" in line:
                self.runtime = ctypes.CDLL(line.split()[-1])

    def call(self, name, *arguments):
        status = getattr(self.runtime, name)(*arguments)
        if status:
            raise RuntimeError(f"{name}: error {status}")

    def give(self, kind, numbers):
        numbers, address = array.array(kind, numbers), ctypes.c_void_p()
        size = ctypes.c_size_t(len(numbers) * numbers.itemsize)
        self.call("cudaMalloc", ctypes.byref(address), size)
        self.call("cudaMemcpy", address, ctypes.c_void_p(numbers.buffer_info()[0]), size, 1)
        return address.value, numbers

    def read(self, held):
        address, numbers = held
        size = ctypes.c_size_t(len(numbers) * numbers.itemsize)
        self.call("cudaMemcpy", ctypes.c_void_p(numbers.buffer_info()[0]), ctypes.c_void_p(address), size, 2)
        return numbers


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Device() if CAPABILITY else Host()

    def close(self, numbers, expected, bound=1e-12):
        self.assertEqual(len(numbers), len(expected))
        scale = max(abs(x) for x in expected)
        for a, b in zip(numbers, expected):
            self.assertLessEqual(abs(a - b), bound * scale)


class Lists(Case):
    scores, relevance = [0.5, -1.0, 2.0, 0.25, 1.0], [1.0, 0.0, 3.0, 0.0, 2.0]

    @staticmethod
    def cross_entropy(scores, relevance, temperature):
        """Value and gradient of one list, by the formula."""
        powers = [math.exp(s / temperature) for s in scores]
        shares, targets = [p / sum(powers) for p in powers], [y / sum(relevance) for y in relevance]
        value = -sum(t * math.log(p) for t, p in zip(targets, shares))
        return value, [(p - t) / temperature for p, t in zip(shares, targets)]

    def test_two_lists(self):
        loss = compiled.compile("softmax_cross_entropy{.temperature = t}", "lists", {"t": False}, CAPABILITY)
        for kind, bound in (("f", 2e-6), ("d", 1e-13)):
            with self.subTest(kind):
                scores, relevance = self.place.give(kind, self.scores), self.place.give(kind, self.relevance)
                offsets, value = self.place.give("q", [0, 3, 5]), self.place.give("d", [0.0])
                gradient, per_list = self.place.give(kind, [0.0] * 5), self.place.give("d", [0.0] * 2)
                call = compiled.Lists(scores=scores[0], relevance=relevance[0], offsets=offsets[0], value=value[0], gradient=gradient[0],
                                      per_list=per_list[0], items=5, lists=2, longest=3, double_precision=kind == "d")
                for temperature in (0.5, 2.0):
                    loss.evaluate(call, {"t": temperature}, self.place.where)
                    first, slopes = self.cross_entropy(self.scores[:3], self.relevance[:3], temperature)
                    second, others = self.cross_entropy(self.scores[3:], self.relevance[3:], temperature)
                    self.close(self.place.read(per_list), [first, second], bound)
                    self.close(self.place.read(value), [(first + second) / 2], bound)
                    self.close(self.place.read(gradient), [g / 2 for g in slopes + others], bound)

    def test_a_bad_number(self):
        loss = compiled.compile("softmax_cross_entropy{.temperature = t}", "lists", {"t": False}, CAPABILITY)
        scores, relevance = self.place.give("d", [0.0, float("nan"), 1.0]), self.place.give("d", [1.0, 0.0, 0.0])
        value = self.place.give("d", [0.0])
        call = compiled.Lists(scores=scores[0], relevance=relevance[0], value=value[0], items=3, lists=1, double_precision=1)
        with self.assertRaisesRegex(ValueError, "scores: nan at list 0, item 1"):
            loss.evaluate(call, {"t": 1.0}, self.place.where)
            if CAPABILITY:
                self.assertTrue(math.isnan(self.place.read(value)[0]))
                loss.check(self.place.where)
        with self.assertRaisesRegex(ValueError, "temperature: 0, expected"):
            loss.evaluate(call, {"t": 0.0}, self.place.where)


class Embeddings(Case):
    def test_info_nce(self):
        loss = compiled.compile("info_nce{}", "embeddings", {}, CAPABILITY)
        x, y = [[1.0, 0.5], [-0.5, 2.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 1.5], [-1.0, 0.5]]

        def expected(x, y, temperature):
            unit = [[[c / math.hypot(*v) for c in v] for v in side] for side in (x, y)]
            s = [[sum(a * b for a, b in zip(u, v)) / temperature for v in unit[1]] for u in unit[0]]
            lines = [(line, k) for k, line in enumerate(s)] + [(line, k) for k, line in enumerate(zip(*s))]
            return sum(math.log(sum(map(math.exp, line))) - line[k] for line, k in lines) / 6

        flat = [c for v in x for c in v]
        rows, columns = self.place.give("d", flat), self.place.give("d", [c for v in y for c in v])
        value, gradient, by_temperature = self.place.give("d", [0.0]), self.place.give("d", [0.0] * 6), self.place.give("d", [0.0])
        loss.evaluate(compiled.Embeddings(row_embeddings=rows[0], column_embeddings=columns[0], value=value[0], row_gradient=gradient[0],
                                          temperature_gradient=by_temperature[0], temperature=0.5, has_temperature=1, rows=3, columns=3, dimension=2,
                                          component=1), {}, self.place.where)
        self.close(self.place.read(value), [expected(x, y, 0.5)])
        step = 1e-6

        def moved(k, by):
            changed = [flat[i] + by * (i == k) for i in range(6)]
            return expected([changed[0:2], changed[2:4], changed[4:6]], y, 0.5)

        self.close(self.place.read(gradient), [(moved(k, step) - moved(k, -step)) / (2 * step) for k in range(6)], 1e-8)
        self.close(self.place.read(by_temperature), [(expected(x, y, 0.5 + step) - expected(x, y, 0.5 - step)) / (2 * step)], 1e-8)


class Compiling(unittest.TestCase):
    def refused(self, error, words, *arguments):
        with self.subTest(words), self.assertRaisesRegex(error, words):
            compiled.compile(*arguments)

    def test_what_is_no_loss(self):
        with tempfile.TemporaryDirectory() as cache:
            kept, os.environ["RANKLOSS_CACHE"] = os.environ.get("RANKLOSS_CACHE"), cache
            try:
                self.refused(ValueError, "sndgc{}: does not compile: .*sndgc.*all of it is in", "sndgc{}", "lists", {}, CAPABILITY)
                log, = Path(cache).glob("*.log")
                self.assertIn("return sndgc{};", log.read_text(encoding="utf-8"))
                if CAPABILITY:
                    self.refused(ValueError, "this loss has no kernel for this batch here", "cmpc{}", "embeddings", {}, CAPABILITY)
                compiler, os.environ["CXX"] = os.environ.get("CXX"), "no-such-compiler"
                self.refused(ValueError, "no-such-compiler: not found, expected a compiler of C", "sndcg{}", "lists", {})
                del os.environ["CXX"]
                if compiler is not None:
                    os.environ["CXX"] = compiler
                self.assertEqual(list(Path(cache).glob("*.so")), [])
            finally:
                del os.environ["RANKLOSS_CACHE"]
                if kept is not None:
                    os.environ["RANKLOSS_CACHE"] = kept

    def test_numbers(self):
        place = Device() if CAPABILITY else Host()
        loss = compiled.compile("softmax_cross_entropy{.temperature = t}", "lists", {"t": True}, CAPABILITY)
        value = place.give("d", [1.0])
        call = compiled.Lists(value=value[0])
        loss.evaluate(call, {"t": 2}, place.where)
        self.assertEqual(place.read(value)[0], 0.0)
        for number in (0.5, -1, math.nan):
            with self.assertRaisesRegex(ValueError, f"t: {number}, expected a whole number"):
                loss.evaluate(call, {"t": number}, place.where)
        if not CAPABILITY:  # whose flags may be those of nvcc
            self.refused(ValueError, "narrowing", "sndcg{.cutoff = k}", "lists", {"k": False})
        with self.assertRaisesRegex(TypeError, "a b: expected a name of C"):
            compiled.is_whole("a b", 1.0)
        with self.assertRaisesRegex(TypeError, "t: True, expected a number"):
            compiled.is_whole("t", True)

    def test_headers_are_found(self):
        for expression, header in (("sndcg{}", "sndcg"), ("pointwise_squared{}", "pointwise"), ("metrics::dcg{}", "metrics/ndcg"),
                                   ("lambdarank_map{}", "lambdarank"), ("pairwise<pairs::hinge>{}", "pairs/function"),
                                   ("smooth_ap{.ranks = {.temperature = t}}", "smooth_ap")):
            self.assertIn(f"rankloss/{header}.hpp", compiled._headers_of(expression, False))
        self.assertEqual([header for header in compiled._headers_of("pairwise<pairs::hinge>{}", False) if "hosts" in header], [])
        self.assertIn("rankloss/cuda/pairwise.cuh", compiled._headers_of("ranknet{}", True))

    def test_a_folder_that_cannot_be_written(self):
        kept, os.environ["RANKLOSS_CACHE"] = os.environ.get("RANKLOSS_CACHE"), "/dev/null/losses"
        try:
            self.refused(ValueError, "/dev/null/losses: cannot be written", "listnet{}", "lists", {})
        finally:
            del os.environ["RANKLOSS_CACHE"]
            if kept is not None:
                os.environ["RANKLOSS_CACHE"] = kept


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1][:1].isdigit():
        CAPABILITY = sys.argv.pop(1)
    unittest.main(verbosity=2)
