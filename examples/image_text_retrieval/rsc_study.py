#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Measures whether the RSC of a sentence encoder is better than that of the captions' own features.

rsc_study.py agreement --data DIR --vectors DIR
    How far RSC agrees with people on Flickr8k: Spearman's rank correlation and Kendall's tau-b (by SciPy) of
    RSC with judgements.csv, for the LSA features *_captions.npy and for the vectors that sentence_vectors.py
    wrote. Experts and crowd stand apart. Pairs of an image and its own caption, whose RSC is 1 by definition,
    are left out; --all takes them in. "within images" is the mean of Spearman's correlation over the images
    with at least three pairs that differ in grade and in RSC: S-NDCG orders the captions of an image, so that
    is what it learns from. The 95 % intervals come from a bootstrap over images, each drawn with all its
    pairs; --by captions draws captions instead, but for "within images". Last comes the NDCG by people's
    grades that RSC itself has as a ranking; with --all it is of the lists on which image_text_retrieval
    measures.

rsc_study.py compare OTHER BASE
    What RSC does in training. OTHER and BASE are files of image_text_retrieval, both of --queries or both of
    --csv, with the same seeds. Of --queries: the difference in NDCG of the same query, averaged over the
    seeds, with a bootstrap over images, each drawn with all its queries. Of --csv: the difference in rsum and
    in NDCG after the last epoch, paired by seed, with the interval of Student's t over the seeds.

Needs Python 3.10, numpy and scipy.
"""
import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

try:
    import numpy as np
    from scipy import stats
except ImportError as missing:
    sys.exit(f"rsc_study.py: {missing}, expected after: pip install numpy scipy")


class Failure(Exception):
    """Something that the user can put right; the message says what was expected."""


def read_csv(path, columns):
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(columns) <= set(reader.fieldnames or ()):
                raise Failure(f"{path}: the first line does not name {', '.join(columns)}")
            return list(reader)
    except OSError:
        raise Failure(f"{path}: cannot be read, expected a .csv file") from None


def read_vectors(path, rows):
    try:
        vectors = np.load(path).astype(np.float64)
    except (OSError, ValueError):
        raise Failure(f"{path}: cannot be read, expected a .npy file (see sentence_vectors.py)") from None
    if vectors.ndim != 2 or len(vectors) != rows:
        raise Failure(f"{path}: shape {list(vectors.shape)}, expected {rows} rows as there are captions")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def judged_pairs(folder, captions, take_own):
    """{source: arrays of the image's first caption, the caption, the score, whether it is the image's own}"""
    first = {"train": 0, "test": captions["train"]}  # captions of both halves in one row after the other
    found = defaultdict(list)
    for row in read_csv(folder / "judgements.csv",
                        ("source", "image_split", "image_row", "caption_split", "caption_row", "score")):
        own = first[row["image_split"]] + 5 * int(row["image_row"])
        caption = first[row["caption_split"]] + int(row["caption_row"])
        match = own <= caption < own + 5
        if take_own or not match:
            found[row["source"]].append((own, caption, float(row["score"]), match))
    return {source: tuple(map(np.array, zip(*rows))) for source, rows in sorted(found.items())}


def rsc_of(vectors, own, caption, match):
    cosines = np.einsum("pkd,pd->pk", vectors[own[:, None] + np.arange(5)], vectors[caption])
    return np.where(match, 1.0, 0.5 + 0.5 * cosines.max(1))


def spearman(a, b):
    return stats.spearmanr(a, b).statistic


def tau_b(a, b):
    return stats.kendalltau(a, b).statistic


def within_images(images, scores, rsc):
    """(the images that have a correlation, those correlations)"""
    order = np.argsort(images, kind="stable")
    names, starts = np.unique(images[order], return_index=True)
    kept, values = [], []
    for name, rows in zip(names, np.split(order, starts[1:])):
        if len(rows) >= 3 and np.ptp(scores[rows]) > 0 and np.ptp(rsc[rows]) > 0:
            kept.append(name)
            values.append(spearman(scores[rows], rsc[rows]))
    return kept, np.array(values)


def interval(values):
    return np.quantile(values, (0.025, 0.975))


def line(name, count, values, resampled):
    """Both kinds of RSC and their difference, each with its interval."""
    text = f"  {name:<14}{count:>6}"  # of pairs, images or queries
    for value, draws in ((values[0], resampled[:, 0]), (values[1], resampled[:, 1]),
                         (values[1] - values[0], resampled[:, 1] - resampled[:, 0])):
        low, high = interval(draws)
        text += f"   {value:6.3f} [{low:6.3f}, {high:6.3f}]"
    print(text)


def agreement(options):
    folder = options.data if (options.data / "judgements.csv").exists() else options.data / "flickr8k_clip"
    halves = ("train", "test")
    captions = {}
    for half in halves:
        try:
            captions[half] = len((folder / f"{half}_captions.txt").read_text(encoding="utf-8").splitlines())
        except OSError:
            raise Failure(f"{folder / half}_captions.txt: cannot be read, "
                          "expected Flickr8k in --data") from None
    lsa = np.concatenate([read_vectors(folder / f"{half}_captions.npy", captions[half]) for half in halves])
    encoder = np.concatenate(
        [read_vectors(options.vectors / f"flickr8k_{half}.npy", captions[half]) for half in halves])

    judged = judged_pairs(folder, captions, options.all)
    for source, (own, caption, scores, match) in judged.items():
        both = [rsc_of(vectors, own, caption, match) for vectors in (lsa, encoder)]
        units = own if options.by == "images" else caption
        names, inverse = np.unique(units, return_inverse=True)
        rows_of = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
        random = np.random.default_rng(1)
        draws = [np.concatenate([rows_of[u] for u in random.integers(len(names), size=len(names))])
                 for _ in range(options.resamples)]
        print(f"{source}: {len(own)} pairs, {len(np.unique(own))} images, "
              f"{len(np.unique(caption))} captions\n"
              f"{'':25}{'LSA':<26}{'encoder':<26}encoder - LSA")
        for name, measure in (("Spearman", spearman), ("Kendall tau-b", tau_b)):
            line(name, len(own), [measure(scores, rsc) for rsc in both],
                 np.array([[measure(scores[rows], rsc[rows]) for rsc in both] for rows in draws]))
        # Images in which one kind of RSC has no correlation are left out for both: the comparison is paired.
        per_image = [dict(zip(*within_images(own, scores, rsc))) for rsc in both]
        common = sorted(per_image[0].keys() & per_image[1].keys())
        if len(common) > 1:
            table = np.array([[values[image] for values in per_image] for image in common])
            line("within images", len(common), table.mean(0),
                 np.array([table[random.integers(len(table), size=len(table))].mean(0)
                           for _ in range(options.resamples)]))
    kinds = [lambda *pairs, vectors=vectors: rsc_of(vectors, *pairs) for vectors in (lsa, encoder)]
    as_rankings(judged, captions["train"], kinds, options.resamples)


def ndcg(grades, scores):
    gains, discounts = 2.0 ** grades - 1, 1 / np.log2(np.arange(len(grades)) + 2)
    ranked, best = gains[np.argsort(-scores, kind="stable")], np.sort(gains)[::-1]
    return (ranked * discounts).sum() / (best * discounts).sum()


def as_rankings(judged, test_begins, rsc_of_kinds, resamples):
    """NDCG of RSC itself as the ranking, over the lists that image_text_retrieval measures its NDCG on."""
    grades = {}  # where both judged a pair the experts are believed, as there
    for source in ("crowd", "expert"):
        own, caption, scores, match = judged.get(source, ((), (), (), ()))
        for pair in zip(own, caption, scores, match):
            if min(pair[:2]) >= test_begins:
                grades[pair[:2]] = (pair[2] - 1 if source == "expert" else 3 * pair[2], pair[3])
    own, caption = (np.array([pair[k] for pair in grades]) for k in (0, 1))
    grade, match = (np.array([value[k] for value in grades.values()]) for k in (0, 1))
    both = [rsc_of_one(own, caption, match) for rsc_of_one in rsc_of_kinds]
    print("NDCG of RSC as a ranking, by people's grades, queries of the test set")
    for name, query in (("image to text", own), ("text to image", caption)):
        lists = [np.flatnonzero(query == q) for q in np.unique(query)]
        lists = [rows for rows in lists if grade[rows].max() > 0]
        table = np.array([[100 * ndcg(grade[rows], rsc[rows]) for rsc in both] for rows in lists])
        random = np.random.default_rng(1)
        line(name, len(lists), table.mean(0),
             np.array([table[random.integers(len(table), size=len(table))].mean(0)
                       for _ in range(resamples)]))


def paired_seeds(options):
    names = ("image_ndcg", "text_ndcg", "rsum")
    runs = []
    for path in (options.other, options.base):
        last = {}
        for row in read_csv(path, ("loss", "seed", "epoch") + names):
            last[row["loss"], row["seed"]] = [float(row[name]) for name in names]  # a later epoch replaces it
        runs.append(last)
    losses = list(dict.fromkeys(loss for loss, _ in runs[0]))
    for loss in losses:
        of_base = options.against or loss
        seeds = sorted(seed for of, seed in runs[0] if of == loss and (of_base, seed) in runs[1])
        if len(seeds) < 2:
            raise Failure(f"{loss}: {len(seeds)} seeds are in both files, expected two or more")
        table = np.array([[run[of, seed] for seed in seeds] for run, of in zip(runs, (loss, of_base))])
        difference = table[0] - table[1]
        half = stats.t.ppf(0.975, len(seeds) - 1) * difference.std(0, ddof=1) / np.sqrt(len(seeds))
        for column, name in enumerate(names):
            mean = difference[:, column].mean()
            print(f"{loss:<10}{name:<16}{len(seeds):>6} seeds  {table[0][:, column].mean():8.2f}"
                  f"{table[1][:, column].mean():8.2f}   {mean:+.2f} [{mean - half[column]:+.2f}, "
                  f"{mean + half[column]:+.2f}]")


def paired_queries(options):
    runs = []
    for path in (options.other, options.base):
        found = defaultdict(lambda: defaultdict(dict))
        for row in read_csv(path, ("loss", "seed", "direction", "query", "image", "ndcg")):
            found[row["loss"], row["direction"]][row["query"], row["image"]][row["seed"]] = float(row["ndcg"])
        runs.append(found)
    for (loss, direction), queries in runs[0].items():
        base = runs[1].get((options.against or loss, direction), {})
        if {q: s.keys() for q, s in queries.items()} != {q: s.keys() for q, s in base.items()}:
            raise Failure(f"{options.base}: other losses, queries or seeds than in {options.other}, "
                          "expected the same")
        means = np.array([[np.mean(list(run[q].values())) for q in queries] for run in (queries, base)])
        difference = means[0] - means[1]
        # The captions of an image are not independent queries: they are drawn together.
        _, image = np.unique([image for _, image in queries], return_inverse=True)
        sums, counts = np.bincount(image, difference), np.bincount(image)
        random = np.random.default_rng(1)
        draws = random.integers(len(sums), size=(options.resamples, len(sums)))
        low, high = interval(sums[draws].sum(1) / counts[draws].sum(1))
        print(f"{loss:<10}{direction:<16}{len(difference):>6} queries{means[0].mean():8.2f}"
              f"{means[1].mean():8.2f}   {difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]")


def compare(options):
    with_queries = "ndcg" in next(iter(read_csv(options.other, ("loss", "seed"))), {})
    print(f"{'loss':<40}{'other':>8}{'base':>8}   other - base, 95 %", flush=True)
    (paired_queries if with_queries else paired_seeds)(options)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="agreement | compare")
    one = commands.add_parser("agreement", help="RSC and people's judgements")
    one.add_argument("--data", metavar="DIR", type=Path, required=True,
                     help="folder with flickr8k_clip in it")
    one.add_argument("--vectors", metavar="DIR", type=Path, required=True, help="OUT of sentence_vectors.py")
    one.add_argument("--all", action="store_true", help="also an image's own captions")
    one.add_argument("--by", choices=("images", "captions"), default="images",
                     help="what the bootstrap draws; default: images")
    one.set_defaults(action=agreement)
    two = commands.add_parser("compare", help="two runs of image_text_retrieval")
    two.add_argument("other", metavar="OTHER", type=Path)
    two.add_argument("base", metavar="BASE", type=Path)
    two.add_argument("--against", metavar="LOSS", help="compare with this loss of BASE; default: the same")
    two.set_defaults(action=compare)
    for command in (one, two):
        command.add_argument("--resamples", type=int, default=1000,
                             help="draws of the bootstrap; default: 1000")
    options = parser.parse_args()
    options.action(options)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"rsc_study.py: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
