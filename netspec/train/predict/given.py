"""Rows that Python has in memory, as a run's network reads them: tensors, arrays, tables of values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.train.data import DataFault
from netspec.train.data.readers.tables.form import TableForm
from netspec.train.data.readers.tables.raw import RawTable, without_gaps
from netspec.train.predict.answers import Answer, Predictor
from netspec.train.predict.inputs import InputReader, PredictInputs

NAME = "rows"
"""The name of rows in memory, where those of a file have that one's."""

GivenRows: TypeAlias = "str | os.PathLike[str] | Sequence[object] | Mapping[str, object] | Tensor | np.ndarray | object"
"""Rows to predict for: a file, a folder or a text; a tensor or an array, [n, …]; tensors or arrays by the names of
columns; a table as a list of rows, each a mapping, as lists by the names of columns, or as a data frame; a picture of
Pillow's.
"""


def answers_for(predictor: Predictor, rows: GivenRows) -> Iterator[Answer]:
    """Yield the answer for each row. Raises ``UsageError`` for rows that the network does not read."""
    if isinstance(rows, (str, os.PathLike)):
        yield from predictor.answers(os.fspath(rows))
        return
    if isinstance(rows, list) and rows and all(isinstance(each, (str, os.PathLike)) for each in rows):
        for each in rows:
            yield from predictor.answers(os.fspath(each))
        return
    if isinstance(rows, (list, tuple)) and rows and all(map(_is_picture, rows)):
        for each in rows:
            yield from answers_for(predictor, each)
        return
    try:
        inputs = in_memory(predictor.reader, rows)
    except DataFault as fault:
        raise UsageError(f"{fault.message}{f': {fault.help}' if fault.help else ''}") from None
    yield from predictor.answers_of(predictor.reader.checked(inputs, NAME))


def in_memory(reader: InputReader, rows: Any) -> PredictInputs:
    """Return rows in memory, as if they had been read from a file."""
    path, columns = Path(NAME), reader.table_columns()
    if _is_picture(rows):
        return reader.picture(rows, path)
    if columns and (table := table_of(rows, reader.form)) is not None:
        return reader.of_table(table, columns, path)
    if isinstance(rows, Mapping):
        return reader.of_arrays({name: array_of(each) for name, each in rows.items()}, path)
    if len(reader.read) != 1:
        names = ", ".join(f"`{name}`" for name in reader.read)
        raise UsageError(f"the network reads {names}: give a mapping with an array of each")
    return reader.of_arrays({reader.read[0]: array_of(rows)}, path)


def table_of(rows: Any, form: TableForm) -> RawTable | None:
    """Return rows as a table whose texts are written as those of a file, if they are one: a list of mappings, a mapping
    of columns, a data frame.
    """
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        columns = {str(name): [*map(_plain, rows[name])] for name in rows.columns}
    elif isinstance(rows, Mapping):
        values = {name: [each] if _is_value(each) else [*each] for name, each in rows.items()}
        columns = {name: [_plain(value) for value in each] for name, each in values.items()}
    elif isinstance(rows, Sequence) and rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
    else:
        return None
    counts = {len(values) for values in columns.values()}
    if len(counts) > 1:
        raise UsageError(f"the columns have different numbers of rows: {sorted(counts)}")
    return RawTable(NAME, without_gaps(columns, form), range(1, max(counts, default=0) + 1), "row", form)


def array_of(value: Any) -> np.ndarray:
    """Return a tensor, an array or nested lists as an array."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    return np.array(value)  # its own: what others hold may not be written to


def _plain(value: Any) -> Any:
    """Return a number of NumPy's or PyTorch's, or a time of NumPy's, as one of Python's."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()  # of nanoseconds it would be a number
    return value.item() if hasattr(value, "item") else value


def _is_picture(value: Any) -> bool:
    """Return whether something is a picture of Pillow's, which need not be loaded to tell."""
    return hasattr(value, "getbands") and hasattr(value, "getexif")


def _is_value(value: Any) -> bool:
    """Return whether something is one value, rather than a column of them."""
    return isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0
