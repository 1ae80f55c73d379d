"""Targets as their losses need them: only these say whether numbers are classes, and how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.losses import Loss
from netspec.train.data.base import Data, DataFault, Rows, TensorRows


def judged(
    data: Data, losses: Mapping[str, Loss], ranks: Mapping[str, int], trained: bool = False, repair: str | None = None
) -> Data:
    """Return the data with the targets of ``losses`` as these need them; ``ranks`` has the dimensions of each output.

    ``repair`` is the help for numbers that are not truths. Raises ``DataFault`` for values that are not classes or
    truths; and for classes without training rows, unless a network has been ``trained`` on others.
    """
    only = [name for name, column in data.columns.items() if column.target]
    for output, loss in losses.items():
        name = loss.target if loss.target is not None else only[0] if len(only) == 1 else None
        if not loss.compares or name is None or name not in data.columns or not _in_memory(data):
            continue
        if loss.per_class:
            data = as_classes(data, name, getattr(loss, "ignore_index", None), ranks[output] - 2, trained)
        elif loss.task == "binary":
            data = as_truths(data, name, loss, repair)
    return data


def as_classes(
    data: Data, name: str, ignored: int | None = None, rank: int | None = None, trained: bool = False
) -> Data:
    """Return the data with the numbers of a column as classes, counted without those that are ``ignored``.

    Bytes become classes; of a row with a dimension more than ``rank``, one of size 1 is removed. A column whose classes
    have been counted is unchanged.
    """
    column = data.columns[name]
    if column.classes is not None or (column.dtype != "int64" and not _holds_bytes(data, name)):
        return data
    data = _changed(data, name, Tensor.long, replace(column, dtype="int64"))
    shape = column.shape
    if rank is not None and len(shape) == rank + 1 and 1 in shape:
        dim = shape.index(1)
        short = replace(data.columns[name], shape=shape[:dim] + shape[dim + 1 :])
        data = _changed(data, name, lambda tensor: tensor.squeeze(dim + 1), short)
    classes = max(_count(tensor, name, data.file, ignored) for tensor in _tensors(data, name))
    counted = replace(data.columns[name], classes=classes or None)
    if not counted.shape and not trained:
        _guard_none_absent(data, name, classes, ignored)
    return _changed(data, name, lambda tensor: tensor, counted)


def as_truths(data: Data, name: str, loss: Loss, repair: str | None = None) -> Data:
    """Return the data with a column of 0, 1, or probabilities; bytes may be 0 and 255 instead.

    A column whose classes have been counted is unchanged, as that is checked elsewhere.
    """
    if len(words := data.words.get(name, ())) == 1:
        raise DataFault(
            f"{data.file}: every row of `{name}` is `{words[0]}`, but `{loss.name}` tells two classes apart"
        )
    if data.columns[name].classes is not None:
        return data
    white = _holds_bytes(data, name) and max(int(tensor.max()) for tensor in _tensors(data, name)) > 1
    if _holds_bytes(data, name) and not white:
        data = _changed(data, name, Tensor.long, replace(data.columns[name], dtype="int64"))
    between = ", 1 or what lies between" if loss.odds else " and 1"
    for tensor in _tensors(data, name):
        truths = tensor / 255 if white else tensor
        wrong = (truths < 0) | (truths > 1)
        wrong = wrong if loss.odds else wrong | ((truths > 0) & (truths < 1))
        _guard_place(tensor, wrong, name, data.file, f"but `{loss.name}` compares with 0{between}", repair)
    column = data.columns[name]
    if column.dtype != "int64":
        return data
    return _changed(data, name, lambda tensor: tensor, replace(column, classes=2))


def _count(tensor: Tensor, name: str, file: str, ignored: int | None) -> int:
    """Return the largest class plus one; 0 if all are ignored. Raises ``DataFault`` for a negative class."""
    counts = torch.ones_like(tensor, dtype=torch.bool) if ignored is None else tensor != ignored
    why = "but classes are whole numbers from 0 on"
    help = "real numbers are no classes: store them as float32; what is to be left out, `ignore_index` names"
    _guard_place(tensor, (tensor < 0) & counts, name, file, why, help)
    counted = tensor[counts]
    return int(counted.max()) + 1 if counted.numel() else 0


def _guard_place(tensor: Tensor, wrong: Tensor, name: str, file: str, why: str, help: str | None = None) -> None:
    """Guard: no value is ``wrong``. The error names the position of the first."""
    if bool(wrong.any()):
        position = tuple(wrong.nonzero()[0].tolist())
        value = tensor[position].item()
        text = f"{value:g}" if isinstance(value, float) else str(value)
        raise DataFault(f"{file}: `{name}[{', '.join(map(str, position))}]` is {text}, {why}", help)


def _guard_none_absent(data: Data, name: str, classes: int, ignored: int | None) -> None:
    """Guard: the training rows have at least one of each class."""
    rows = _tensors(data, name)[0]
    there = torch.unique(rows if ignored is None else rows[rows != ignored])
    if ignored is not None and 0 <= ignored < classes:
        there = torch.cat([there, there.new_tensor([ignored])]).sort().values
    if len(there) == classes:
        return
    gaps = (there != torch.arange(len(there))).nonzero()
    absent = int(gaps[0]) if len(gaps) else len(there)
    help = f"classes are the whole numbers from 0 to the largest, {classes - 1}"
    raise DataFault(f"{data.file}: class {absent} of `{name}` is in none of the training rows", help)


def _parts(data: Data) -> dict[str, Rows]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {part: rows for part, rows in parts.items() if rows is not None}


def _in_memory(data: Data) -> bool:
    return all(isinstance(rows, TensorRows) for rows in _parts(data).values())


def _tensors(data: Data, name: str) -> list[Tensor]:
    """Return a column's values in each part, those for training first."""
    return [rows.tensors[name] for rows in _parts(data).values() if isinstance(rows, TensorRows)]


def _holds_bytes(data: Data, name: str) -> bool:
    return all(tensor.dtype == torch.uint8 for tensor in _tensors(data, name))


def _changed(data: Data, name: str, change: Callable[[Tensor], Tensor], column: Column) -> Data:
    """Return the data with another column of this name, its values changed in every part."""
    train, validation, test = (
        TensorRows({**rows.tensors, name: change(rows.tensors[name])}) if isinstance(rows, TensorRows) else None
        for rows in (data.train, data.validation, data.test)
    )
    assert train is not None
    columns = {**data.columns, name: column}
    return replace(data, columns=columns, train=train, validation=validation, test=test)
