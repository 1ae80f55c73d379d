"""Pairs of texts, to learn the one from the other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data_sets import Dates
from netspec.train.data.base import Data, TensorRows
from netspec.train.data.built_in import FILES

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
PAD, BOS, EOS, UNKNOWN = range(4)
HELD_BACK = 2000

Pair = tuple[Sequence[str], Sequence[str]]
"""The words, or the characters, of the one text and of the other."""


def read_dates(data_set: Dates, folder: Path) -> Data:
    """The dates by their characters; ``folder`` does not matter."""
    lines = (FILES / "dates.tsv").read_text("utf-8").splitlines()
    pairs = [(source, target) for source, target in (line.split("\t") for line in lines)]
    return from_pairs(pairs[:-HELD_BACK], {"test": pairs[-HELD_BACK:]})


def from_pairs(train: Sequence[Pair], others: dict[str, Sequence[Pair]], least: int = 1) -> Data:
    """Pairs as numbers: `source` [S], `lengths` [], `target` [T] from `<bos>` on and `next` [T] up to `<eos>`.

    The words are those of the training pairs that occur ``least`` times or more there; others are `<unk>`. ``others``
    has the pairs for validation and test.
    """
    every = [*train, *(pair for pairs in others.values() for pair in pairs)]
    sizes = max(len(source) for source, _ in every), max(len(target) for _, target in every) + 1
    words = _words((pair[0] for pair in train), least), _words((pair[1] for pair in train), least)
    columns = {
        "source": Column((sizes[0],), "int64", len(words[0]), padding=PAD),
        "lengths": Column((), "int64"),
        "target": Column((sizes[1],), "int64", len(words[1]), padding=PAD),
        "next": Column((sizes[1],), "int64", len(words[1]), target=True, padding=PAD, shifted="target"),
    }
    parts = {part: _rows(pairs, sizes, words) for part, pairs in {"train": train, **others}.items()}
    meanings = {"source": words[0], "target": words[1], "next": words[1]}
    return Data(columns, parts["train"], parts.get("validation"), parts.get("test"), meanings)


def _words(texts: Iterable[Sequence[str]], least: int) -> tuple[str, ...]:
    """The special words, then those of the texts, the most frequent first."""
    counts = Counter(word for text in texts for word in text)
    found = (word for word, count in counts.items() if count >= least and word not in SPECIAL)
    return (*SPECIAL, *sorted(found, key=lambda word: (-counts[word], word)))


def _rows(pairs: Sequence[Pair], sizes: tuple[int, int], words: tuple[Sequence[str], Sequence[str]]) -> TensorRows:
    numbers = [{word: number for number, word in enumerate(each)} for each in words]
    sources = [[numbers[0].get(word, UNKNOWN) for word in source] for source, _ in pairs]
    targets = [[numbers[1].get(word, UNKNOWN) for word in target] for _, target in pairs]
    return TensorRows(
        {
            "source": padded(sources, sizes[0]),
            "lengths": torch.tensor([len(source) for source in sources]),
            "target": padded([[BOS, *target] for target in targets], sizes[1]),
            "next": padded([[*target, EOS] for target in targets], sizes[1]),
        }
    )


def padded(rows: Sequence[Sequence[int]], size: int) -> Tensor:
    """Rows of different lengths as one tensor, int64, [n, size], with ``PAD`` behind."""
    return torch.tensor([[*row, *[PAD] * (size - len(row))] for row in rows], dtype=torch.int64)
