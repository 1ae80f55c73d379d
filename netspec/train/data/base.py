"""Data sets in memory or on disk: columns, and rows for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.table_column import TableColumn


class DataFault(Exception):
    """An error in the files of a data set; ``message`` names the file and the row, ``help`` is a repair."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help


class Rows(Protocol):
    """Rows that are read by their numbers, a batch at a time."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """Return the rows of ``index`` (int64, [n]): each column as one tensor, [n, …]."""


@dataclass(frozen=True, slots=True)
class TensorRows:
    """Rows in memory, one tensor for each column. Images are uint8 or float32, [n, C, H, W]."""

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def column(self, name: str) -> Tensor | None:
        """Return all values of a column, [n, …]; ``None`` if there is no such column."""
        return self.tensors.get(name)

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """Return the rows of ``index`` (int64, [n], on the device of the columns), [n, …] each."""
        return {name: tensor.index_select(0, index) for name, tensor in self.tensors.items()}

    def to(self, device: torch.device) -> TensorRows:
        """Return the rows on another device."""
        return TensorRows({name: tensor.to(device) for name, tensor in self.tensors.items()})


@dataclass(frozen=True, slots=True)
class Data:
    """A data set. ``words`` has the names of the classes, or the words, that a column's whole numbers stand for;
    ``names`` the names of the features in a row of a column, if the file has them.

    Bytes (uint8) in a column that is declared as ``float32`` are numbers from 0 to 255 and become 0 to 1; float64 is
    for numbers that transforms need with all their digits. ``file`` is the name of the data in messages, ``files`` are
    those of the rows, by part, where each has one of its own. ``table`` has the columns of a table whose features these
    are, ``notes`` say what was done to them, and ``cautions`` are warnings.
    """

    columns: Mapping[str, Column]
    train: Rows
    validation: Rows | None = None
    test: Rows | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: str = "the data"
    table: tuple[TableColumn, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
