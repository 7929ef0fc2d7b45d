#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Compares metrics of random runs with trec_eval's own, by the package pytrec_eval (or pytrec-eval-terrier, which has the same module).

    trec_eval.py PROGRAM [RUNS]

PROGRAM is what trec_eval.cpp becomes. Runs are shorter and longer than the cutoffs, with scores that are equal, equal as floats only, or all
different; judgements of -2 to 3, documents without judgement, topics without an answer, topics without judgements. Each run is measured at a
relevance level of 1 and of 2, with all documents and with the judged ones. Ends with 0 where all values agree to 1e-12, with 77 where the
package is not installed, else with 1.
"""
import math
import os
import random
import subprocess
import sys
import tempfile

try:
    import pytrec_eval
except ImportError:
    print("skipped: no module pytrec_eval (pip install pytrec_eval, or pytrec-eval-terrier)")
    sys.exit(77)

CUTOFFS = "1,2,3,5,10,20,1000"
MEASURES = {"ndcg", "map", "recip_rank", "Rprec", "bpref"} | {f"{name}.{CUTOFFS}" for name in ("ndcg_cut", "map_cut", "P", "recall", "success")}
TOLERANCE = 1e-12


def score(kind, rng):
    if kind == "few":
        return rng.randrange(5) / 4
    if kind == "near":  # different doubles, of which many are one float
        return 1 + rng.randrange(40) * 1e-8
    return rng.uniform(-1e3, 1e3)


def make(number, rng):
    """A run and its judgements. Topics have names of their own: trec_eval keeps the last topic's lists by its name."""
    run, qrels = {}, {}
    for t in range(rng.randint(1, 6)):
        topic = f"r{number}t{t}"
        documents = [f"{rng.choice(['d', 'D', 'x-', 'é'])}{i}" for i in range(rng.choice([3, 12, 40, 120]))]
        if rng.random() < 0.9:
            judged = rng.sample(documents, rng.randint(1, len(documents)))
            least = rng.choice([-2, -1, 0, 0, 1])
            grades = {document: rng.randint(least, 3) for document in judged}
            if rng.random() < 0.15:
                grades = {document: min(grade, 0) for document, grade in grades.items()}  # nothing relevant
            if max(grades.values()) < 0:  # trec_eval reads memory that it has not set
                grades[judged[0]] = 0
            qrels[topic] = grades
        if rng.random() < 0.9:
            kind = rng.choice(["few", "near", "all"])
            answer = rng.sample(documents, rng.randint(1, len(documents)))
            if rng.random() < 0.15 and topic in qrels:  # nothing relevant retrieved
                answer = [d for d in answer if qrels[topic].get(d, 0) <= 0] or answer
            run[topic] = {document: score(kind, rng) for document in answer}
    return run, qrels


def write(folder, number, run, qrels, rng):
    run_lines = [f"{t} Q0 {d} {rng.randrange(99)} {s!r} tag\n" for t, answer in run.items() for d, s in answer.items()]
    qrels_lines = [f"{t} 0 {d} {y}\n" for t, grades in qrels.items() for d, y in grades.items()]
    rng.shuffle(run_lines)
    rng.shuffle(qrels_lines)
    paths = [os.path.join(folder, f"{number}.{kind}") for kind in ("run", "qrels")]
    for path, lines in zip(paths, (run_lines, qrels_lines)):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)
    return paths


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) == 3 else 400
    rng = random.Random(1)
    compared = wrong = topics = 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        data = [make(number, rng) for number in range(count)]
        paths = [path for number, (run, qrels) in enumerate(data) for path in write(folder, number, run, qrels, rng)]
        for level in (1, 2):
            for documents in ("all", "judged"):
                ours = {}
                for line in subprocess.run([program, str(level), documents, *paths], check=True, capture_output=True, text=True).stdout.splitlines():
                    topic, measure, value = line.split()
                    ours.setdefault(topic, {})[measure] = float(value)
                theirs = {}
                for run, qrels in data:
                    if run and qrels:
                        evaluator = pytrec_eval.RelevanceEvaluator(qrels, MEASURES, relevance_level=level, judged_docs_only_flag=documents == "judged")
                        theirs.update(evaluator.evaluate(run))
                if ours.keys() != theirs.keys():
                    print(f"level {level}, {documents} documents: topics differ: {sorted(ours.keys() ^ theirs.keys())[:5]}")
                    wrong += 1
                for topic in sorted(ours.keys() & theirs.keys()):
                    topics += 1
                    if ours[topic].keys() != theirs[topic].keys():
                        print(f"measures of {topic} differ: {sorted(ours[topic].keys() ^ theirs[topic].keys())}")
                        wrong += 1
                    for measure in ours[topic].keys() & theirs[topic].keys():
                        difference = abs(ours[topic][measure] - theirs[topic][measure])
                        compared += 1
                        worst = max(worst, difference)
                        if not difference <= TOLERANCE or math.isnan(difference):
                            wrong += 1
                            if wrong <= 20:
                                print(f"level {level}, {documents} documents, topic {topic}, {measure}: {ours[topic][measure]}, trec_eval {theirs[topic][measure]}")
    print(f"{count} runs, {topics} topics, {compared} values, {wrong} differ; greatest difference {worst:.2g}")
    return 0 if compared > 0 and wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
