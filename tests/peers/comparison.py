#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests what bench/peers and bench/sweep.py make of their results, and that the pages of docs are what they make of those that are kept.

    comparison.py ROOT [LIBRARY]

LIBRARY is what bench/peers/*.cpp become: its functions are called, and their gradients held against differences of their values.
"""
import array
import ctypes
import json
import sys
import unittest
import xml.dom.minidom
from pathlib import Path

ROOT = Path(sys.argv[1])
LIBRARY = sys.argv[2] if len(sys.argv) > 2 else None
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "peers")]

import chart  # noqa: E402
import compare  # noqa: E402
import report  # noqa: E402
import sweep  # noqa: E402


def run(*sizes):
    return {"code": "c", "date": "2026-11-29", "machine": "m", "compiler": "g++", "versions": {"numpy": "2"}, "seconds": 2.0, "sizes": list(sizes)}


def took(time, memory=None, **off):
    return {"time": time, "turns": 5, "memory": memory, **off}


RESULTS = {"works": {"a": {"title": "A loss", "unit": "items", "what": "value", "notes": {"Peer": "computes something else."}},
                     "b": {"title": "Not measured", "unit": "items", "what": "value", "notes": {}}},
           "runs": {"a/1": run({"size": 10, "libraries": {"rankloss": took(1e-6, 0, value=1e-9), "Peer": took(3e-6, 2e6, value=0.5),
                                                          "Late": {"failed": "ImportError: a | b"}}},
                               {"size": 100, "libraries": {"rankloss": took(1e-5), "Peer": took(5e-6, value=float("nan"))}},
                               {"size": 1000, "libraries": {"rankloss": took(1e-4)}}),
                    "a/2": run({"size": 10, "failed": "no time"})}}


class numbers(unittest.TestCase):
    def test_durations_have_three_digits_and_a_unit(self):
        for seconds, text in ((0.0, "0 ns"), (1.234e-9, "1.23 ns"), (45.6e-9, "45.6 ns"), (999.96e-9, "1.00 us"), (1.5e-3, "1.50 ms"),
                              (0.1, "100 ms"), (12.34, "12.3 s"), (1234.0, "1230 s")):
            self.assertEqual(chart.duration(seconds), text)

    def test_a_ratio_is_bold_where_the_other_is_faster(self):
        self.assertEqual(report.ratio(3.0, 2.0), "1.50")
        self.assertEqual(report.ratio(1.0, 2.0), "**0.500**")
        self.assertEqual(report.ratio(27000.0, 1.0), "27000")

    def test_deviations_are_bold_where_it_is_another_number(self):
        self.assertEqual(report.off_text(3.2e-8), "3e-08")
        self.assertEqual(report.off_text(0.96), "**0.96**")
        self.assertEqual(report.off_text(float("nan")), "**not finite**")
        self.assertEqual(report.off_text(None), "")


class pages(unittest.TestCase):
    def test_the_overview_has_the_largest_size_that_was_compared(self):
        rows = [line for line in report.overview(RESULTS) if line.startswith("| A loss")]
        self.assertEqual(rows, ["| A loss | 100 | 1 | 10.0 us | Peer | 5.00 us | **0.500** |"])

    def test_the_page_has_every_library_and_what_failed(self):
        text = report.page(RESULTS)
        self.assertIn("| 10 | 1 | Peer | 3.00 us | 3.00 | 2.00 MB | **0.5** |  |", text)
        self.assertIn("| 10 | 1 | Late | not measured: ImportError: a / b |", text)
        self.assertIn("| 10 | 2 | | not measured: no time |", text)
        self.assertIn("Peer: computes something else.", text)
        self.assertNotIn("Not measured", text)

    def test_a_section_replaces_what_is_between_its_marks_alone(self):
        marks = "<!-- a -->", "<!-- b -->"
        self.assertEqual(chart.with_section("1\n<!-- a -->\nold\n<!-- b -->\n2", marks, ["<!-- a -->", "new", "<!-- b -->"]),
                         "1\n<!-- a -->\nnew\n<!-- b -->\n2")
        for text in ("", "<!-- a -->", "<!-- b --><!-- a -->", "<!-- a --><!-- b --><!-- b -->"):
            with self.assertRaisesRegex(ValueError, "once each"):
                chart.with_section(text, marks, [])


class pictures(unittest.TestCase):
    def test_points_lie_by_decades_and_labels_apart(self):
        svg = chart.chart("A & B", "items", {"x": [(10, 1e-6), (1000, 1e-4)], "y": [(10, 1e-6), (1000, 0.99e-4)]}, {"x": "#123456"}, "x")
        root = xml.dom.minidom.parseString(svg).documentElement
        lines = {line.getAttribute("stroke"): [tuple(map(float, p.split(","))) for p in line.getAttribute("points").split()]
                 for line in root.getElementsByTagName("polyline")}
        (x0, y0), (x1, y1) = lines["#123456"]
        self.assertEqual((x0, x1), (70.0, 560.0))
        self.assertEqual((y0, y1), (290.0, 40.0))  # from 1 us to 100 us
        names = [t for t in root.getElementsByTagName("text") if t.firstChild.data in "xy"]
        places = sorted(float(t.getAttribute("y")) for t in names)
        self.assertGreaterEqual(places[1] - places[0], 15.9)

    def test_there_is_a_picture_of_three_sizes_and_none_of_fewer(self):
        self.assertEqual([file for file, _, _ in report.charts(RESULTS)], ["peers_a.svg"])
        fewer = {**RESULTS, "runs": {"a/1": run(*RESULTS["runs"]["a/1"]["sizes"][:2])}}
        self.assertEqual(report.charts(fewer), [])


class sweeps(unittest.TestCase):
    OUTPUT = {"benchmarks": [{"run_name": f"sweep_a/float/{n}/1", "aggregate_name": "median", "items_per_second": 1e9 / t}
                             for n, t in ((16, 5.0), (256, 10.0), (257, 30.0), (4096, 20.0), (8192, 50.0))] +
              [{"run_name": "sweep_a/float/16/1", "aggregate_name": "mean", "items_per_second": 1.0}]}

    def test_the_worst_is_looked_for_behind_the_border(self):
        points = sweep.curves(sweep.times_of(self.OUTPUT)["a"])["1"]
        self.assertEqual([n for n, _ in points], [16, 256, 257, 4096, 8192])
        n, times = sweep.worst_behind(points)
        self.assertEqual(n, 257)
        self.assertAlmostEqual(times, 3.0)


class figures(unittest.TestCase):
    def test_they_are_of_the_headers_that_a_work_includes_and_of_no_others(self):
        found = compare.included(["rankloss/sndcg.hpp"])
        self.assertLessEqual({"rankloss/sndcg.hpp", "rankloss/cpu/sndcg.hpp", "rankloss/detail/sorting/argsort.hpp"}, found)
        self.assertNotIn("rankloss/gae.hpp", found)
        self.assertEqual(compare.code(["rankloss/sndcg.hpp"]), compare.code(["rankloss/sndcg.hpp"]))
        self.assertNotEqual(compare.code(["rankloss/sndcg.hpp"]), compare.code(["rankloss/gae.hpp"]))

    def test_a_header_of_no_work_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "which no work in works.py has"):
            compare.headers_of({"sndcg": ["sndcg"]})


class docs(unittest.TestCase):
    def held(self, files):
        for name, text in files.items():
            self.assertEqual((ROOT / "docs" / name).read_text(), text, f"docs/{name} is not what the kept results make; write it by --report")

    def test_they_show_the_results_that_are_kept(self):
        page = (ROOT / "docs" / "results.md").read_text()
        self.held(report.written(json.loads((ROOT / "bench" / "peers" / "results.json").read_text()), page))
        self.held(sweep.written(json.loads((ROOT / "bench" / "sweep.json").read_text()), page))


@unittest.skipUnless(LIBRARY, "no library was given")
class library(unittest.TestCase):
    def setUp(self):
        self.c = ctypes.CDLL(LIBRARY)
        self.c.peers_context.restype, self.c.peers_error.restype = ctypes.c_void_p, ctypes.c_char_p
        self.context = ctypes.c_void_p(self.c.peers_context(ctypes.c_size_t(2)))

    def tearDown(self):
        self.c.peers_release(self.context)

    @staticmethod
    def doubles(values):
        held = array.array("d", values)
        return held, ctypes.c_void_p(held.buffer_info()[0])

    def lists(self, name, scores, relevance, temperature=1.0):
        self.c.peers_lists.restype = ctypes.c_double
        kept = [self.doubles(x) for x in (scores, relevance, [0.0] * len(scores))]
        value = self.c.peers_lists(self.context, name, ctypes.c_bool(True), kept[0][1], kept[1][1], ctypes.c_size_t(len(scores)),
                                   ctypes.c_size_t(len(scores)), ctypes.c_double(temperature), kept[2][1], ctypes.c_void_p(None))
        return value, list(kept[2][0])

    def test_gradients_are_those_of_the_values(self):
        scores, relevance, step = [0.3, -1.0, 0.8, 0.1], [1.0, 0.0, 3.0, 2.0], 1e-5
        for name in (b"sndcg", b"ranknet", b"listmle", b"listnet", b"softmax_cross_entropy", b"neural_ndcg"):
            value, gradient = self.lists(name, scores, relevance)
            self.assertGreater(value, 0.0)
            for i in range(len(scores)):
                moved = [self.lists(name, [s + sign * step * (i == k) for k, s in enumerate(scores)], relevance)[0] for sign in (1, -1)]
                self.assertAlmostEqual(gradient[i], (moved[0] - moved[1]) / (2 * step), delta=1e-8)

    def test_an_error_has_its_text(self):
        value, _ = self.lists(b"no_loss", [1.0], [1.0])
        self.assertNotEqual(value, value)
        self.assertIn(b"no_loss", self.c.peers_error())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
