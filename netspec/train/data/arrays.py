"""Data from numpy arrays, one a column: what each holds is told by its dtype and shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netspec.recipes import Column
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import Meaning

Array = NDArray[Any]
PARTS = ("train", "validation", "test")


def from_arrays(
    arrays: Mapping[str, Array],
    target: str,
    file: str,
    words: Mapping[str, tuple[str, ...]] | None = None,
    known: Meaning | None = None,
) -> Data:
    """Data from arrays called `<column>`, or `<column>_train`, `<column>_validation` and `<column>_test`.

    Real numbers become float32; bytes of two or three dimensions a row are images; whole numbers become int64, and in
    the target they are classes. Raises ``DataFault`` for parts that do not go together and for numbers that are none;
    and for classes without rows, unless a network has been trained, which is what is ``known``.
    """
    parts = _parts(arrays, file)
    if target not in parts["train"]:
        found = ", ".join(f"`{name}`" for name in parts["train"])
        raise DataFault(f"{file} has no array for the target `{target}`", f"there are {found}" if found else None)
    for part, values in parts.items():
        guard_equal_lengths(values, file)
        if {*values} != {*parts["train"]}:
            raise DataFault(f"{file} has other arrays for `{part}` than for `train`")
    columns: dict[str, Column] = {}
    for name in parts["train"]:
        columns[name] = _column(name, [part[name] for part in parts.values()], name == target, file)
    if known is None:
        guard_classes(columns[target], parts["train"][target], target, file)
    rows = {part: TensorRows({name: _tensor(array) for name, array in each.items()}) for part, each in parts.items()}
    return Data(columns, rows["train"], rows.get("validation"), rows.get("test"), words or {})


def guard_equal_lengths(arrays: Mapping[str, Array], file: str) -> None:
    """Guard: every column has as many rows, and there are some."""
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise DataFault(f"{file}: `{first}` has {lengths[first]} rows, but `{name}` has {length}")
    if not lengths[first]:
        raise DataFault(f"{file}: `{first}` has no rows")


def guard_classes(column: Column, train: Array, name: str, file: str) -> None:
    """Guard: the training rows have at least one of each class, where a row is of one class."""
    if column.classes is None or column.shape:
        return
    absent = np.flatnonzero(np.bincount(train, minlength=column.classes) == 0)
    if len(absent):
        help = f"classes are the whole numbers from 0 to the largest, {column.classes - 1}"
        raise DataFault(f"{file}: class {absent[0]} of `{name}` is in none of the training rows", help)


def guard_finite(array: Array, name: str, file: str) -> None:
    """Guard: no value is infinite or NaN."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = ", ".join(map(str, bad[0]))
        raise DataFault(f"{file}: `{name}[{place}]` is {array[tuple(bad[0])]}, which is no number to learn from")


def _parts(arrays: Mapping[str, Array], file: str) -> dict[str, dict[str, Array]]:
    """The arrays by part and column; those without a part in their name are for training."""
    parts: dict[str, dict[str, Array]] = {"train": {}}
    for name, array in arrays.items():
        column, _, part = name.rpartition("_")
        if part not in PARTS or not column:
            column, part = name, "train"
        if column in parts.setdefault(part, {}):
            raise DataFault(f"{file} has both `{column}` and `{column}_{part}`", "leave one of them out")
        parts[part][column] = _as_images(array)
    return parts


def _as_images(array: Array) -> Array:
    """Grey images with their one channel."""
    return array[:, None] if array.dtype == np.uint8 and array.ndim == 3 else array


def _column(name: str, parts: list[Array], target: bool, file: str) -> Column:
    shape = _row(parts[0])
    kind = parts[0].dtype.kind
    for array in parts:
        if array.dtype.kind not in "biuf":
            raise DataFault(f"{file}: `{name}` holds {array.dtype}, but numbers are wanted")
        if _row(array) != shape:
            rows = " and ".join(str(list(each)) for each in (shape, _row(array)))
            raise DataFault(f"{file}: rows of `{name}` are {rows}, in different parts")
        guard_finite(array, name, file)
    if kind == "f" or (parts[0].dtype == np.uint8 and len(shape) == 3):
        return Column(shape, target=target)
    if not target:
        return Column(shape, "int64")
    for array in parts:
        bad = np.argwhere(array < 0)
        if len(bad):
            place = ", ".join(map(str, bad[0]))
            message = f"{file}: `{name}[{place}]` is {array[tuple(bad[0])]}, but classes are whole numbers from 0 on"
            raise DataFault(message, "real numbers are no classes: store them as float32")
    return Column(shape, "int64", max(int(array.max()) for array in parts) + 1, target=True)


def _row(array: Array) -> tuple[int, ...]:
    return tuple(array.shape[1:])


def _tensor(array: Array) -> torch.Tensor:
    """Its values as float32 or int64; images stay bytes."""
    if array.dtype.kind == "f":
        return torch.from_numpy(array.astype(np.float32))
    if array.dtype == np.uint8 and array.ndim == 4:
        return torch.from_numpy(np.ascontiguousarray(array))
    return torch.from_numpy(array.astype(np.int64))
