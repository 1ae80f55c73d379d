"""Digests of a run's rows, by which changed data are noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from netspec.train.data.base import Data, Rows, TensorRows

AT_ONCE = 2**30
"""Bytes that are read for a digest; of larger data, evenly spaced rows."""
SAMPLE = 256
"""Rows that are read for a digest if they are not in memory."""

Digests = Mapping[str, Mapping[str, Any]]
"""``{"rows": …, "sha256": …}`` of each part of the data."""


def digests_of(data: Data) -> dict[str, dict[str, Any]]:
    """Return the number of rows and a digest of each part of a data set."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {part: {"rows": len(rows), "sha256": digest_of(rows)} for part, rows in parts.items() if rows is not None}


def digest_of(rows: Rows) -> str:
    """Return the SHA-256 of rows, of their types and shapes."""
    own = getattr(rows, "digest", None)
    told: str | None = None if own is None else own()
    if told is not None:
        return told
    if isinstance(rows, TensorRows):
        size = sum(tensor.numel() * tensor.element_size() for tensor in rows.tensors.values())
        every = -(-size // AT_ONCE) or 1
        return digest_of_tensors((name, tensor[::every]) for name, tensor in sorted(rows.tensors.items()))
    count = len(rows)
    tensors = rows.take(torch.arange(count)[:: -(-count // SAMPLE) or 1])
    return digest_of_tensors(sorted(tensors.items()))


def digest_of_tensors(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of tensors with their names, types and shapes."""
    sha256 = hashlib.sha256()
    for name, tensor in tensors:
        sha256.update(f"{name} {tensor.dtype} {[*tensor.shape]}\n".encode())
        sha256.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def differences(was: Digests, now: Digests) -> list[str]:
    """Return the differences between two data sets, a sentence each."""
    told = []
    for part in {**was, **now}:
        before, after = was.get(part), now.get(part)
        if before is None or after is None:
            told.append(f"there are no rows for `{part}` any more" if after is None else f"there are rows for `{part}`")
        elif before["rows"] != after["rows"]:
            told.append(f"`{part}` has {after['rows']:,} rows, not {before['rows']:,}")
        elif before["sha256"] != after["sha256"]:
            told.append(f"the {after['rows']:,} rows of `{part}` have other values, or another order")
    return told
