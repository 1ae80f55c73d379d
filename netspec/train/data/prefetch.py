"""Prefetching: worker processes read rows from disk while the network learns from those before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from netspec.train.data import DataFault, Rows

MOST = 8
"""The largest number of workers by default: a disk seldom keeps more busy."""


class RowsByIndex(Dataset[dict[str, Tensor] | DataFault]):
    """Rows by lists of their numbers. An error is returned rather than raised: a worker would lose its message."""

    def __init__(self, rows: Rows):
        self.rows = rows

    def __getitem__(self, index: list[int]) -> dict[str, Tensor] | DataFault:
        try:
            return self.rows.take(torch.tensor(index))
        except DataFault as error:
            return error


def prefetch(rows: Rows, batches: Sequence[Tensor], workers: int, pinned: bool) -> Iterator[dict[str, Tensor]]:
    """Yield the rows of each batch (their numbers, int64, [n]), in order, in pinned memory if ``pinned``.

    Raises ``DataFault`` at the batch whose rows cannot be read.
    """
    loader = DataLoader(
        RowsByIndex(rows),
        batch_size=None,
        sampler=[batch.tolist() for batch in batches],
        num_workers=min(workers, len(batches)),
        pin_memory=pinned,
        generator=torch.Generator(),  # else it would draw from the numbers that dropout draws from
    )
    for rows_of_batch in loader:
        if isinstance(rows_of_batch, DataFault):
            raise rows_of_batch
        yield rows_of_batch


def chosen_workers(asked: int | None, processes: int) -> int:
    """Return the number of workers of this process: as ``asked``, or its share of the cores less one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, max(1, cores // processes - 1)) if asked is None else asked
