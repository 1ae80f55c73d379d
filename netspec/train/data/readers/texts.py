"""Reads texts as numbers, in windows of one length, each with the same window shifted by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from netspec.recipes.data.built_in import Alice
from netspec.recipes.data.files import Text
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import UNKNOWN, Meaning, listed, told_of_unknown
from netspec.train.data.paths import read_text as text_of
from netspec.train.data.readers.built_in import FILES

LETTERS = " abcdefghijklmnopqrstuvwxyz"


def read_alice(data_set: Alice, folder: Path) -> Data:
    """Read the book's letters; ``folder`` is not used."""
    text = re.sub("[^a-z]+", " ", (FILES / "alice.txt").read_text("ascii").lower()).strip()
    tokens = encoded(text, {letter: number for number, letter in enumerate(LETTERS)})
    train, test = tokens[: len(tokens) * 9 // 10], tokens[len(tokens) * 9 // 10 :]
    words = dict.fromkeys(("tokens", "next"), tuple(LETTERS))
    return Data(data_set.columns(), windows(train, data_set.length), None, windows(test, data_set.length), words)


def read_text(data_set: Text, folder: Path, known: Meaning | None = None) -> Data:
    """Read the user's text, in words that are ``known``, if any. Raises ``DataFault`` for too short a text."""
    paths = {"train": data_set.path, "validation": data_set.validation, "test": data_set.test}
    texts = {part: split(text_of(path, folder), data_set.level) for part, path in paths.items() if path is not None}
    words = known.words.get("tokens") if known is not None else None
    words = words or vocabulary([texts["train"]], data_set.least, (UNKNOWN,))
    numbers = {word: number for number, word in enumerate(words)}
    parts, notes = {}, []
    for part, text in texts.items():
        guard_known(text, numbers, paths[part] or "")
        if (known is not None or part != "train") and (told := told_of_unknown(str(paths[part]), text, numbers)):
            notes.append(told)
        parts[part] = windows(encoded(text, numbers, numbers.get(UNKNOWN, 0)), data_set.length)
        if not len(parts[part]):
            unit = {"char": "characters", "word": "words"}[data_set.level]
            message = (
                f"{paths[part]} has {len(text)} {unit}, but one window and the next word are {data_set.length + 1}"
            )
            raise DataFault(message, "a smaller `length` makes more windows")
    columns = {name: replace(column, classes=len(words)) for name, column in data_set.columns().items()}
    meanings = dict.fromkeys(columns, words)
    rows = (parts["train"], parts.get("validation"), parts.get("test"))
    return Data(columns, *rows, meanings, notes=tuple(notes))


def split(text: str, level: Literal["char", "word"]) -> Sequence[str]:
    """Return a text's characters, or its words and punctuation marks."""
    return text if level == "char" else re.findall(r"\w+|[^\w\s]", text)


def vocabulary(texts: Iterable[Sequence[str]], least: int, special: tuple[str, ...]) -> tuple[str, ...]:
    """Return the special words, then those that occur ``least`` times or more, the most frequent first."""
    counts = Counter(word for text in texts for word in text)
    frequent = (word for word, count in counts.items() if count >= least and word not in special)
    return (*special, *sorted(frequent, key=lambda word: (-counts[word], word)))


def guard_known(text: Sequence[str], numbers: Mapping[str, int], file: str) -> None:
    """Guard: a vocabulary without a word for unknown ones has every word of a text."""
    if UNKNOWN not in numbers and (missing := sorted({*text} - {*numbers})):
        raise DataFault(
            f"{file} has {listed(missing)}, which the network was not trained on", f"it knows {listed(numbers)}"
        )


def encoded(text: Sequence[str], numbers: Mapping[str, int], unknown: int = 0) -> Tensor:
    """Return the words of a text as their numbers, int64, [n]."""
    return torch.tensor([numbers.get(word, unknown) for word in text], dtype=torch.int64)


def windows(tokens: Tensor, length: int) -> TensorRows:
    """Return all full windows, one after another: `tokens` and `next`, both int64, [n, length]."""
    count = max(0, (len(tokens) - 1) // length)
    size = count * length
    return TensorRows({"tokens": tokens[:size].view(count, length), "next": tokens[1 : size + 1].view(count, length)})
