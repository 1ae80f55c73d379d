"""What reading a data set gives: its columns, and its rows for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from netspec.recipes import Column


class DataFault(Exception):
    """The files of a data set are at fault; ``message`` names the file and the row. ``help`` is a repair."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help


class Rows(Protocol):
    """Rows that can be had by number, a batch at a time."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """The rows of these numbers (int64, [n]): each column as one tensor, [n, …]."""


@dataclass(frozen=True, slots=True)
class TensorRows:
    """Rows that lie in memory, one tensor a column. Images are uint8 or float32, [n, C, H, W]."""

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def column(self, name: str) -> Tensor | None:
        """All values of a column, [n, …]; ``None`` where it is not there."""
        return self.tensors.get(name)

    def take(self, index: Tensor) -> dict[str, Tensor]:
        return {name: tensor.index_select(0, index) for name, tensor in self.tensors.items()}

    def to(self, device: torch.device) -> TensorRows:
        return TensorRows({name: tensor.to(device) for name, tensor in self.tensors.items()})


@dataclass(frozen=True, slots=True)
class Data:
    """A data set that has been read. ``words`` says what the whole numbers of a column stand for: classes, words;
    ``names`` what the features in a row of one are called, where its file says so.

    Bytes (uint8) in a column that is declared as ``float32`` are numbers from 0 to 255, and become 0 to 1; float64 is
    for numbers that transforms are to see with all their digits. ``file`` is what messages call the data.
    """

    columns: Mapping[str, Column]
    train: Rows
    validation: Rows | None = None
    test: Rows | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: str = "the data"
