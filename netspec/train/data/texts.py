"""Texts as numbers, in windows of one length, each with the same window one place on."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from netspec.recipes.data_sets import Alice
from netspec.train.data.base import Data, TensorRows
from netspec.train.data.built_in import FILES

LETTERS = " abcdefghijklmnopqrstuvwxyz"


def read_alice(data_set: Alice, folder: Path) -> Data:
    """The book's letters; ``folder`` does not matter."""
    text = re.sub("[^a-z]+", " ", (FILES / "alice.txt").read_text("ascii").lower()).strip()
    tokens = encoded(text, {letter: number for number, letter in enumerate(LETTERS)})
    train, test = tokens[: len(tokens) * 9 // 10], tokens[len(tokens) * 9 // 10 :]
    words = dict.fromkeys(("tokens", "next"), tuple(LETTERS))
    return Data(data_set.columns(), windows(train, data_set.length), None, windows(test, data_set.length), words)


def encoded(text: Sequence[str], numbers: Mapping[str, int], unknown: int = 0) -> Tensor:
    """The words of a text as their numbers, int64, [n]."""
    return torch.tensor([numbers.get(word, unknown) for word in text], dtype=torch.int64)


def windows(tokens: Tensor, length: int) -> TensorRows:
    """All full windows, one after another: `tokens` and `next`, both [n, length]."""
    count = max(0, (len(tokens) - 1) // length)
    size = count * length
    return TensorRows({"tokens": tokens[:size].view(count, length), "next": tokens[1 : size + 1].view(count, length)})
