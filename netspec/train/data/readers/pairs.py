"""Reads pairs of texts, of which the second is learned from the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.built_in import Dates
from netspec.recipes.data.files import Pairs
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import UNKNOWN as UNKNOWN_WORD
from netspec.train.data.meaning import Meaning, told_of_unknown
from netspec.train.data.paths import read_text
from netspec.train.data.readers.built_in import FILES
from netspec.train.data.readers.texts import split, vocabulary

SPECIAL = ("<pad>", "<bos>", "<eos>", UNKNOWN_WORD)
PAD, BOS, EOS, UNKNOWN = range(4)
HELD_BACK = 2000

Pair = tuple[Sequence[str], Sequence[str]]
"""The words, or the characters, of the one text and of the other."""


def read_dates(data_set: Dates, folder: Path) -> Data:
    """Read the dates by their characters; ``folder`` is not used."""
    lines = (FILES / "dates.tsv").read_text("utf-8").splitlines()
    pairs = [(source, target) for source, target in (line.split("\t") for line in lines)]
    return from_pairs(pairs[:-HELD_BACK], {"test": pairs[-HELD_BACK:]}, shared=True)


def read_pairs(data_set: Pairs, folder: Path, known: Meaning | None = None) -> Data:
    """Read the user's pairs, in words that are ``known``, if any. Raises ``DataFault`` for other lines."""
    paths = {"train": data_set.path, "validation": data_set.validation, "test": data_set.test}
    parts = {part: _user_pairs(path, data_set, folder) for part, path in paths.items() if path is not None}
    words = None if known is None else [known.words[side] for side in ("source", "target") if side in known.words]
    return from_pairs(parts.pop("train"), parts, data_set.least, data_set.shared, words)


def _user_pairs(path: str | list[str], data_set: Pairs, folder: Path) -> list[Pair]:
    lines = _lines(path, folder) if isinstance(path, str) else _two_files(path, folder)
    pairs = [(split(source, data_set.level), split(target, data_set.level)) for source, target in lines]
    longest = data_set.longest
    fitting = [pair for pair in pairs if longest is None or max(map(len, pair)) <= longest]
    name = path if isinstance(path, str) else path[0]
    if not fitting:
        few = f"has no pairs of at most {longest}" if pairs else "has no pairs"
        raise DataFault(f"{name} {few}")
    return [(source, target) for source, target in fitting]


def _lines(path: str, folder: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(read_text(path, folder).split("\n"), start=1):
        if not line.strip():
            continue
        source, tab, target = line.partition("\t")
        target = target.partition("\t")[0]  # what comes after a second tab tells where the pair is from
        if not tab or not source.strip() or not target.strip():
            raise DataFault(f"{path}, line {number}: two texts with a tab between them are expected")
        pairs.append((source.strip(), target.strip()))
    return pairs


def _two_files(paths: list[str], folder: Path) -> list[tuple[str, str]]:
    sides = [read_text(path, folder).rstrip("\n").split("\n") for path in paths]
    if len(sides[0]) != len(sides[1]):
        raise DataFault(f"{paths[0]} has {len(sides[0])} lines, but {paths[1]} has {len(sides[1])}")
    for number, both in enumerate(zip(*sides), start=1):
        empty = next((path for path, text in zip(paths, both) if not text.strip()), None)
        if empty is not None:
            raise DataFault(f"{empty}, line {number} is empty")
    return [(source.strip(), target.strip()) for source, target in zip(*sides)]


def from_pairs(
    train: Sequence[Pair],
    others: Mapping[str, Sequence[Pair]],
    least: int = 1,
    shared: bool = False,
    words: Sequence[tuple[str, ...]] | None = None,
) -> Data:
    """Return pairs as numbers: `source` [S], `target` [T] from `<bos>` on and `next` [T] up to `<eos>`.

    `lengths` [] and `source_padding` [S] say how much of a source is text. The words are those that occur ``least``
    times or more in the training pairs, on either side if they are ``shared``; others are `<unk>`. ``others`` has the
    pairs for validation and test, ``words`` the words of both sides, if they are known.
    """
    every = [*train, *(pair for pairs in others.values() for pair in pairs)]
    sizes = max(len(source) for source, _ in every), max(len(target) for _, target in every) + 1
    sides = ((0, 1), (0, 1)) if shared else ((0,), (1,))
    known = words is not None and len(words) == len(sides)
    if words is None or len(words) != len(sides):
        words = [vocabulary((pair[side] for pair in train for side in both), least, SPECIAL) for both in sides]
    columns = {
        "source": Column((sizes[0],), "int64", len(words[0]), padding=PAD),
        "source_padding": Column((sizes[0],), "bool", padding=1),
        "lengths": Column((), "int64"),
        "target": Column((sizes[1],), "int64", len(words[1]), padding=PAD),
        "next": Column((sizes[1],), "int64", len(words[1]), target=True, padding=PAD, shifted="target"),
    }
    every_part = {"train": train, **others}
    parts = {part: _rows(pairs, sizes, words) for part, pairs in every_part.items()}
    told = (
        told_of_unknown(f"`{name}` of {part}", [word for pair in pairs for word in pair[side]], {*words[side]})
        for part, pairs in every_part.items()
        for side, name in enumerate(("source", "target"))
        if known or part != "train"
    )
    meanings = {"source": words[0], "target": words[1], "next": words[1]}
    rows = (parts["train"], parts.get("validation"), parts.get("test"))
    return Data(columns, *rows, meanings, notes=tuple(filter(None, told)))


def _rows(pairs: Sequence[Pair], sizes: tuple[int, int], words: Sequence[Sequence[str]]) -> TensorRows:
    numbers = [{word: number for number, word in enumerate(each)} for each in words]
    sources = [[numbers[0].get(word, UNKNOWN) for word in source] for source, _ in pairs]
    targets = [[numbers[1].get(word, UNKNOWN) for word in target] for _, target in pairs]
    lengths = torch.tensor([len(source) for source in sources])
    return TensorRows(
        {
            "source": padded(sources, sizes[0]),
            "source_padding": torch.arange(sizes[0]) >= lengths[:, None],
            "lengths": lengths,
            "target": padded([[BOS, *target] for target in targets], sizes[1]),
            "next": padded([[*target, EOS] for target in targets], sizes[1]),
        }
    )


def padded(rows: Sequence[Sequence[int]], size: int) -> Tensor:
    """Return rows of different lengths as one tensor, int64, [n, size], padded with ``PAD``."""
    return torch.tensor([[*row, *[PAD] * (size - len(row))] for row in rows], dtype=torch.int64)
