#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Times what PyTorch users write for the same work, on the GPU that is there, and writes a file of results.

    bench/cuda/torch_peers.py results.json [--filter REGEX] [--repetitions 15]

Names, shapes and data are those of rankloss_cuda_bench. Each row is value and gradient, measured by events of the
stream, warm, as a median, over copies of the data that are together larger than the cache of the device. An
operation whose matrix does not fit into the memory of the device is left out, and the file says so.
"""

import argparse
import json
import re
import statistics
import sys

import torch
import torch.nn.functional as functional


def s_ndcg(scores, grades, temperature=0.1):
    """S-NDCG as its paper's code forms it: a sigmoid of every pair of items of a list."""
    gains = torch.exp2(grades.float()) - 1
    ranks = 0.5 + torch.sigmoid((scores[:, None, :] - scores[:, :, None]) / temperature).sum(2)
    dcg = (gains / torch.log2(1 + ranks)).sum(1)
    best = gains.sort(1, descending=True).values
    ideal = (best / torch.log2(2 + torch.arange(scores.shape[1], device=scores.device))).sum(1)
    return (1 - dcg / ideal.clamp(min=1e-30)).mean()


def softmax_cross_entropy(scores, grades):
    return -(grades * functional.log_softmax(scores, 1)).sum(1).mean()


def list_mle(scores, grades):
    order = grades.sort(1, descending=True, stable=True).indices
    s = scores.gather(1, order)
    rest = s.flip(1).logcumsumexp(1).flip(1)
    return (rest - s).sum(1).mean()


def ranknet(scores, grades):
    wins = grades[:, :, None] > grades[:, None, :]
    terms = functional.softplus(scores[:, None, :] - scores[:, :, None])
    return torch.where(wins, terms, 0).sum((1, 2)).mean()


def info_nce(x, y):
    s = functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).T / 0.07
    labels = torch.arange(len(x), device=x.device)
    return (functional.cross_entropy(s, labels) + functional.cross_entropy(s.T, labels)) / 2


def siglip(x, y):
    s = functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).T / 0.1 - 10
    signs = 2 * torch.eye(len(x), device=x.device, dtype=s.dtype) - 1
    return -functional.logsigmoid(signs * s).sum() / len(x)


def triplet(x, y):
    s = functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).T
    positives = s.diag()
    negatives = s.masked_fill(torch.eye(len(x), dtype=torch.bool, device=x.device), -torch.inf)
    rows = (0.2 - positives + negatives.max(1).values).clamp(min=0).mean()
    columns = (0.2 - positives + negatives.max(0).values).clamp(min=0).mean()
    return (rows + columns) / 2


def median_us(work, copies, repetitions):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    times = []
    for _ in range(repetitions):
        begin.record()
        for k in range(copies):
            work(k)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3 / copies)
    return statistics.median(times)


def measure(name, make, step, repetitions):
    """make(copy) -> the tensors of a call; step(*tensors) runs it."""
    first = make(0)
    size = sum(t.numel() * t.element_size() for t in first)
    cache = torch.cuda.get_device_properties(0).L2_cache_size
    copies = max(1, min(64, 2 * cache // max(size, 1) + 1))
    data = [first] + [make(k) for k in range(1, copies)]
    for tensors in data:
        step(*tensors)
    torch.cuda.synchronize()
    return {"name": name, "copies": copies, "queued_us": median_us(lambda k: step(*data[k]), copies, repetitions)}


def generator(seed):
    return torch.Generator(device="cuda").manual_seed(seed)


def list_rows():
    for lists, length in ((65536, 64), (4096, 256), (1024, 1024), (1, 100000), (1, 1048576), (8, 32)):
        def make(seed, lists=lists, length=length):
            scores = torch.randn(lists, length, device="cuda", generator=generator(seed), requires_grad=True)
            return scores, torch.randint(0, 5, (lists, length), device="cuda", generator=generator(seed + 1))

        shape = f"float/{lists}x{length}"
        for loss_name, loss in (("sndcg", s_ndcg), ("softmax_cross_entropy", softmax_cross_entropy),
                                ("listmle", list_mle), ("ranknet", ranknet)):
            # torch.compile leaves nothing of pairs in memory where it can; a list of 10^5 is beyond either form.
            if loss in (s_ndcg, ranknet) and length > 4096:
                continue
            for compiled in (False, True):
                form = torch.compile(loss) if compiled else loss

                def step(scores, grades, form=form):
                    scores.grad = None
                    form(scores, grades).backward()

                yield f"{loss_name}{'_compiled' if compiled else ''}/{shape}/gradient", make, step
        yield f"sort/{shape}", make, lambda scores, grades: torch.sort(scores.detach(), 1, descending=True)


def embedding_rows():
    for kind, pairs, dimension in ((torch.float, 64, 256), (torch.float, 4096, 256), (torch.float, 16384, 256),
                                   (torch.bfloat16, 65536, 768)):
        def make(seed, kind=kind, pairs=pairs, dimension=dimension):
            return tuple(torch.randn(pairs, dimension, device="cuda", generator=generator(2 * seed + k))
                         .to(kind).requires_grad_() for k in (0, 1))

        for loss in (info_nce, siglip, triplet):
            def step(x, y, loss=loss):
                x.grad = y.grad = None
                loss(x, y).backward()

            name = "bfloat16" if kind == torch.bfloat16 else "float"
            yield f"{loss.__name__}/{name}/{pairs}x{dimension}/gradient", make, step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results")
    parser.add_argument("--filter", default=".")
    parser.add_argument("--repetitions", type=int, default=15)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch_peers.py: torch sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = False  # float means float
    rows = []
    for name, make, step in (*list_rows(), *embedding_rows()):
        if not re.search(args.filter, name):
            continue
        try:
            row = measure(name, make, step, args.repetitions)
            print(f"{name:52} {row['queued_us']:12.2f} us", flush=True)
        except torch.OutOfMemoryError:
            row = {"name": name, "left_out": "out of memory"}
            print(f"{name:52} out of memory", flush=True)
        torch.cuda.empty_cache()
        rows.append(row)
        with open(args.results, "w", encoding="utf-8") as out:  # what is there counts, if time runs out
            json.dump({"version": torch.__version__, "card": torch.cuda.get_device_name(0), "results": rows}, out)
    if not rows:
        sys.exit(f"torch_peers.py: --filter: no operation matches '{args.filter}'")


if __name__ == "__main__":
    main()
