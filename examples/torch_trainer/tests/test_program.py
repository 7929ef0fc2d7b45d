# SPDX-License-Identifier: BSL-1.0
"""Tests of train.py, run as a user would."""
import re
import subprocess
import sys
import unittest
from pathlib import Path

try:
    import numpy  # noqa: F401
    import torch  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

PROGRAM = Path(__file__).resolve().parents[1] / "train.py"


def run(*arguments):
    return subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)


class Program(unittest.TestCase):
    def test_training(self):
        done = run("--epochs", "8", "--seeds", "1", "--batch", "64", "--threads", "1")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout + done.stderr)
        rsum = {name: float(figure) for name, figure in re.findall(r"^(\w+) +([0-9.]+) +- +[0-9.]+$", done.stdout, re.MULTILINE)}
        self.assertEqual(len(rsum), 6, done.stdout)
        for name in ("info_nce", "triplet", "sndcg"):
            # The same loss, so the same training but for rounding.
            self.assertLess(abs(rsum[name] - rsum[f"{name}_torch"]), 12.0, done.stdout)
            self.assertGreater(rsum[name], 50.0, done.stdout)  # of guesses: 9

    def test_complaints(self):
        for words, *arguments in (("--losses: no loss 'x', expected some of info_nce", "--losses", "x"),
                                  ("--batch: 1, expected 2 or more", "--batch", "1"),
                                  ("--batch: 9999, expected at most 1172", "--batch", "9999"),
                                  ("unrecognized arguments: --nonsense", "--nonsense"),
                                  ("--rate: 0.0, expected more than 0", "--rate", "0")):
            with self.subTest(words):
                done = run(*arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, f"^train.py: [^\n]*{words}[^\n]*\n$")
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
