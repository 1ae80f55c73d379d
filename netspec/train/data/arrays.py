"""Data from numpy arrays, one for each column, interpreted by dtype and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netspec.recipes import Column
from netspec.train.data.base import Data, DataFault, TensorRows

Array = NDArray[Any]
PARTS = ("train", "validation", "test")
LARGEST, LARGEST_WHOLE = float(np.finfo(np.float32).max), np.uint64(2**63 - 1)
BLURRED = 100
"""The ratio of the distance from 0 to the range of numbers from which float32 has too few digits for them."""


def from_arrays(
    arrays: Mapping[str, Array], targets: Sequence[str], file: str, words: Mapping[str, tuple[str, ...]] | None = None
) -> Data:
    """Return data from arrays called `<column>`, or `<column>_train`, `<column>_validation` and `<column>_test`.

    Real numbers become float32, or stay float64 if that has too few digits; bytes of two or three dimensions a row stay
    bytes, as images or masks; whole numbers become int64. Raises ``DataFault`` for parts that do not fit together and
    for numbers that are not finite.
    """
    parts = parts_of(arrays, targets, file)
    columns: dict[str, Column] = {}
    for name in parts["train"]:
        if name not in targets:
            for values in parts.values():
                values[name] = _as_images(values[name])
        columns[name] = _column(name, [values[name] for values in parts.values()], name in targets, file)
    rows = {
        part: TensorRows({name: _tensor(array, columns[name]) for name, array in each.items()})
        for part, each in parts.items()
    }
    return Data(columns, rows["train"], rows.get("validation"), rows.get("test"), words or {}, file=file)


def parts_of(arrays: Mapping[str, Array], targets: Sequence[str], file: str) -> dict[str, dict[str, Array]]:
    """Return arrays by part and column. Raises ``DataFault`` if their names and shapes do not fit together."""
    parts = _parts(arrays, file)
    for target in targets:
        if target not in parts["train"]:
            names = ", ".join(f"`{name}`" for name in parts["train"])
            raise DataFault(f"{file} has no array for the target `{target}`", f"there are {names}" if names else None)
    for part, values in parts.items():
        guard_equal_lengths(values, file)
        if {*values} != {*parts["train"]}:
            raise DataFault(f"{file} has other arrays for `{part}` than for `train`")
    return parts


def guard_equal_lengths(arrays: Mapping[str, Array], file: str) -> None:
    """Guard: all columns have the same number of rows, and there are some."""
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise DataFault(f"{file}: `{first}` has {lengths[first]} rows, but `{name}` has {length}")
    if not lengths[first]:
        raise DataFault(f"{file}: `{first}` has no rows")


def guard_numbers(array: Array, name: str, file: str) -> None:
    """Guard: no value is infinite or NaN, or larger than float32 or int64 can hold."""
    if not array.size or array.dtype.kind not in "fu":
        return
    if array.dtype.kind == "u":
        bad = array.astype(np.uint64) > LARGEST_WHOLE
    else:
        if float(array.min()) >= -LARGEST and float(array.max()) <= LARGEST:  # NaN is neither
            return
        bad = ~(np.abs(array.astype(np.float64)) <= LARGEST)
    if not bad.any():
        return
    position = tuple(np.argwhere(bad)[0])
    index = ", ".join(map(str, position))
    why = "which is too large a number" if np.isfinite(array[position]) else "which is no number to learn from"
    raise DataFault(f"{file}: `{name}[{index}]` is {array[position]}, {why}")


def real(array: Array) -> torch.Tensor:
    """Return real numbers as float32, or as float64 if a feature is so far from 0 that float32 would blur it.

    Features are along the last dimension of tables, and along the channels of images, as for `standardize`.
    """
    if array.dtype.itemsize <= 4 or not array.size:
        return torch.from_numpy(array.astype(np.float32))
    feature = {1: None, 4: 1}.get(array.ndim, array.ndim - 1)
    others = tuple(axis for axis in range(array.ndim) if axis != feature)
    low, high = array.min(others), array.max(others)
    blurred = np.maximum(np.abs(low), np.abs(high)) > BLURRED * (high - low)
    with np.errstate(over="ignore"):  # who reads numbers guards that they are finite
        short = array.astype(np.float32)
    if blurred.any() and bool((blurred & (short != array).any(others)).any()):
        return torch.from_numpy(array.astype(np.float64))
    return torch.from_numpy(short)


def _parts(arrays: Mapping[str, Array], file: str) -> dict[str, dict[str, Array]]:
    """Return the arrays by part and column; those without a part in their name are for training."""
    parts: dict[str, dict[str, Array]] = {"train": {}}
    for name, array in arrays.items():
        column, _, part = name.rpartition("_")
        if part not in PARTS or not column:
            column, part = name, "train"
        if column in parts.setdefault(part, {}):
            raise DataFault(f"{file} has both `{column}` and `{column}_{part}`", "leave one of them out")
        parts[part][column] = array
    if not parts["train"]:
        raise DataFault(f"{file} has no arrays for training")
    return parts


def _as_images(array: Array) -> Array:
    """Return grey images with a channel dimension."""
    return array[:, None] if array.dtype == np.uint8 and array.ndim == 3 else array


def _column(name: str, parts: list[Array], target: bool, file: str) -> Column:
    shape = _row(parts[0])
    for array in parts:
        if array.dtype.kind not in "biuf":
            raise DataFault(f"{file}: `{name}` holds {array.dtype}, but numbers are expected")
        if (array.dtype.kind == "f") != (parts[0].dtype.kind == "f"):
            kinds = " and ".join(str(each.dtype) for each in (parts[0], array))
            raise DataFault(f"{file}: `{name}` holds {kinds}, in different parts")
        if _row(array) != shape:
            rows = " and ".join(str(list(each)) for each in (shape, _row(array)))
            raise DataFault(f"{file}: rows of `{name}` are {rows}, in different parts")
        guard_numbers(array, name, file)
    if parts[0].dtype.kind == "f" or all(_is_bytes(array, target) for array in parts):
        return Column(shape, target=target)
    return Column(shape, "int64", target=target)


def _is_bytes(array: Array, target: bool) -> bool:
    """Return whether an array is of images, or of masks: of a target it is decided once its loss is known."""
    return array.dtype == np.uint8 and array.ndim in ((3, 4) if target else (4,))


def _row(array: Array) -> tuple[int, ...]:
    return tuple(array.shape[1:])


def _tensor(array: Array, column: Column) -> torch.Tensor:
    """Return the array as float32, float64 or int64; images and masks stay bytes."""
    if array.dtype.kind == "f":
        return real(array)
    return torch.from_numpy(np.ascontiguousarray(array) if column.dtype == "float32" else array.astype(np.int64))
