#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Trains two small networks of torch, for pictures and their captions, with losses of rankloss and with the same losses in torch.

The data are features of 1572 emoji and their captions, which come along. The table shows, for each loss, rsum on the emoji that are kept for
testing (the sum of Recall@1, 5 and 10 in both directions, in percent), and the time of the loss with its gradient in a step.

    train.py                                        half a minute on a CPU, and a minute more for compiling losses at the first time
    train.py --losses sndcg,sndcg_torch --batch 256
    train.py --device cuda
"""
import argparse
import statistics
import sys
import time
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "image_text_retrieval" / "data" / "emoji"
CAPTIONS = 4  # of each picture


class Failure(Exception):
    """Something that the user can put right; the message says what was expected."""


try:
    import numpy
    import torch
except ImportError as error:
    sys.exit(f"train.py: {error}, expected after: pip install torch numpy")

from rankloss_torch import EmbeddingLoss, ListLoss  # noqa: E402


def similarities(x, y):
    unit = torch.nn.functional.normalize
    return unit(x) @ unit(y).t()


def relevance_of(captions):
    """How relevant the picture of one caption is for another caption: as alike as the captions are, from 0 to 1, which matches have."""
    relevance = (1.0 + similarities(captions, captions)) / 2.0
    return relevance.clamp(0.0, 1.0).fill_diagonal_(1.0)


class Sndcg(torch.nn.Module):
    """S-NDCG of the matrix of similarities, by rows and by columns, each with half of the weight."""

    def __init__(self, temperature):
        super().__init__()
        self.loss = ListLoss("sndcg{.temperature = t}", t=temperature)

    def forward(self, x, y, captions):
        s, relevance = similarities(x, y), relevance_of(captions)
        return (self.loss(s, relevance) + self.loss(s.t(), relevance)) / 2

    def compile_for(self, device):
        self.loss.compile_for(device)


def sndcg_torch(temperature):
    """The same as it is written in torch: each item's rank is a sum over all others, so time and memory grow with the cube of the batch."""

    def of_rows(s, relevance):
        ranks = 0.5 + torch.sigmoid((s.unsqueeze(1) - s.unsqueeze(2)) / temperature).sum(-1)
        gain = 2.0**relevance - 1.0
        places = torch.arange(1, s.shape[1] + 1, device=s.device)
        ideal = (gain.sort(1, descending=True).values / torch.log2(1.0 + places)).sum(1)
        return 1.0 - ((gain / torch.log2(1.0 + ranks)).sum(1) / ideal).mean()

    def loss(x, y, captions):
        s, relevance = similarities(x, y), relevance_of(captions)
        return (of_rows(s, relevance) + of_rows(s.t(), relevance)) / 2

    return loss


def info_nce_torch(temperature):
    def loss(x, y, _):
        s, target = similarities(x, y) / temperature, torch.arange(len(x), device=x.device)
        cross_entropy = torch.nn.functional.cross_entropy
        return (cross_entropy(s, target) + cross_entropy(s.t(), target)) / 2

    return loss


def triplet_torch(margin):
    def loss(x, y, _):
        s = similarities(x, y)
        positive, others = torch.diagonal(s), s - 4.0 * torch.eye(len(s), device=s.device)
        hinge = torch.nn.functional.relu
        return (hinge(margin + others.amax(1) - positive).mean() + hinge(margin + others.amax(0) - positive).mean()) / 2

    return loss


class OfEmbeddings(EmbeddingLoss):
    """Row i matches column i, and captions say nothing more."""

    def forward(self, x, y, _):
        return super().forward(x, y)


LOSSES = {
    "info_nce": lambda: OfEmbeddings("info_nce{.temperature = t}", t=0.05),
    "info_nce_torch": lambda: info_nce_torch(0.05),
    "triplet": lambda: OfEmbeddings("triplet{.margin = m}", m=0.2),
    "triplet_torch": lambda: triplet_torch(0.2),
    "sndcg": lambda: Sndcg(0.01),
    "sndcg_torch": lambda: sndcg_torch(0.01),
}


class Data:
    def __init__(self, device):
        try:
            images, texts, is_test = (numpy.load(DATA / f"{name}.npy") for name in ("images", "texts", "is_test"))
        except OSError as problem:
            raise Failure(f"{problem}; expected the data of examples/image_text_retrieval") from None
        texts = texts.reshape(len(images), CAPTIONS, -1)

        def part(which):
            return torch.from_numpy(images[which]).to(device), torch.from_numpy(texts[which]).to(device)

        self.images, self.texts = part(is_test == 0)
        self.test_images, self.test_texts = part(is_test == 1)


def head(dimension):
    return torch.nn.Sequential(torch.nn.Linear(dimension, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))


def rsum(towers, data):
    """The sum of Recall@1, 5 and 10 of pictures for captions and of captions for pictures, in percent."""
    with torch.no_grad():
        s = similarities(towers[0](data.test_images), towers[1](data.test_texts.flatten(0, 1)))
    own = torch.arange(len(s), device=s.device).repeat_interleave(CAPTIONS)
    own_score = s[own, torch.arange(len(own), device=s.device)]
    # How many are before the best caption of a picture, and before the picture of a caption.
    of_images = (s > own_score.reshape(-1, CAPTIONS).amax(1, keepdim=True)).sum(1)
    of_texts = (s > own_score).sum(0)
    return sum(100.0 * float((before < k).float().mean()) for before in (of_images, of_texts) for k in (1, 5, 10))


def train(loss, data, options, seed, progress):
    """rsum at the end, and the seconds of the loss and its gradient in each step."""
    torch.manual_seed(seed)
    device = data.images.device
    towers = torch.nn.ModuleList([head(data.images.shape[1]), head(data.texts.shape[2])]).to(device)
    batches = len(data.images) // options.batch
    optimizer = torch.optim.AdamW(towers.parameters(), lr=options.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * batches)
    random = torch.Generator().manual_seed(seed)
    seconds = []
    for epoch in range(options.epochs):
        order = torch.randperm(len(data.images), generator=random)
        caption = torch.randint(CAPTIONS, (len(order),), generator=random)
        for k in range(batches):
            rows = order[k * options.batch:(k + 1) * options.batch].to(device)
            captions = data.texts[rows, caption[rows.cpu()].to(device)]
            x, y = towers[0](data.images[rows]), towers[1](captions)
            # The loss by itself, so that its time is seen.
            leaves = [t.detach().requires_grad_() for t in (x, y)]
            started = clock(device)
            value = loss(*leaves, captions)
            value.backward()
            seconds.append(clock(device) - started)
            optimizer.zero_grad()
            torch.autograd.backward((x, y), [t.grad for t in leaves])
            optimizer.step()
            schedule.step()
        progress(epoch + 1, float(value.detach()))
    return rsum(towers, data), seconds


def clock(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def options_of(arguments):
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            raise Failure(f"{message} (--help lists the options)")

    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", default=",".join(LOSSES), help=f"some of {', '.join(LOSSES)}")
    parser.add_argument("--batch", type=int, default=128, help="pictures in a step, from 2 (default: 128)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the pictures (default: 20)")
    parser.add_argument("--rate", type=float, default=2e-3, help="of AdamW; falls to 0 along half a cosine (default: 2e-3)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each loss (default: 3)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    options = parser.parse_args(arguments)
    options.losses = options.losses.split(",")
    for name in options.losses:
        if name not in LOSSES:
            raise Failure(f"--losses: no loss '{name}', expected some of {', '.join(LOSSES)}")
    for name, least in (("batch", 2), ("epochs", 1), ("seeds", 1), ("threads", 1)):
        if getattr(options, name) < least:
            raise Failure(f"--{name}: {getattr(options, name)}, expected {least} or more")
    if not options.rate > 0.0:
        raise Failure(f"--rate: {options.rate}, expected more than 0")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise Failure("--device: torch finds no CUDA device, expected cpu")
    return options


def run(arguments):
    options = options_of(arguments)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    data = Data(device)
    if options.batch > len(data.images):
        raise Failure(f"--batch: {options.batch}, expected at most {len(data.images)}, as many as there are pictures to train with")
    print(f"{len(data.images)} emoji to train with and {len(data.test_images)} to test with, {CAPTIONS} captions each; batches of "
          f"{options.batch}, {options.epochs} epochs, {options.seeds} seeds\n")
    print(f"{'loss':<16}{'rsum':>8}{'deviation':>11}{'loss and gradient, ms a step':>30}", flush=True)
    for name in options.losses:
        loss = LOSSES[name]()
        if hasattr(loss, "compile_for"):
            say(f"{name}: compiling")
            loss.compile_for(device)
        results, seconds = [], []
        for seed in range(1, options.seeds + 1):
            result, took = train(loss, data, options, seed,
                                 lambda epoch, value: say(f"{name}: seed {seed} of {options.seeds}, epoch {epoch} of {options.epochs}, "  # noqa: B023
                                                          f"loss {value:.4f}"))
            results.append(result)
            seconds += took
        say("")
        deviation = f"{statistics.stdev(results):.1f}" if len(results) > 1 else "-"
        print(f"{name:<16}{statistics.mean(results):>8.1f}{deviation:>11}{1e3 * statistics.median(seconds):>30.2f}", flush=True)


def say(text):
    """Shows what is being done, where a person looks on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        run(sys.argv[1:])
    except Failure as failure:
        sys.exit(f"train.py: {failure}")
    except KeyboardInterrupt:
        sys.exit("train.py: stopped")
