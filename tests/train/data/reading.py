"""Reading data sets in tests, and what their faults say."""

from pathlib import Path
from typing import Any

import pytest

from netspec.recipes.data.base import DataSet
from netspec.train.data import Data, DataFault
from netspec.train.data.targets import as_classes
from netspec.train.names import resolve


def read(data_set: DataSet, folder: Path = Path()) -> Data:
    """The data set as the training reads it, where whole numbers in targets are classes."""
    data: Data = resolve(data_set.torch)(data_set, folder)
    for name, column in data.columns.items():
        if column.target and column.dtype == "int64":
            data = as_classes(data, name)
    return data


def fault(data_set: DataSet, folder: Path) -> str:
    """What is said of a data set that cannot be read, the repair on a line of its own."""
    with pytest.raises(DataFault) as caught:
        read(data_set, folder)
    return "\n".join(filter(None, (caught.value.message, caught.value.help)))


def fits(data: Data, data_set: DataSet) -> bool:
    """Whether the columns are as they were declared, and every part's rows are as the columns say."""
    declared: Any = data_set.columns() or data.columns
    for name, column in data.columns.items():
        before = declared[name]
        same = (column.dtype, column.target, column.padding, column.shifted) == (
            before.dtype,
            before.target,
            before.padding,
            before.shifted,
        )
        sizes = all(known in (None, size) for known, size in zip(before.shape, column.shape, strict=True))
        assert same
        assert sizes
        assert before.classes in (None, column.classes)
    return list(data.columns) == list(declared)
