"""Tables as they are in their files, and the numbers that their values are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netspec.diagnostics import nearest
from netspec.recipes.data.files import Parquet
from netspec.text.quoting import visible
from netspec.train.data.arrays import LARGEST, Array
from netspec.train.data.base import DataFault
from netspec.train.data.paths import decoding, guard_memory, opened, package, there
from netspec.train.data.readers.tables.lines import cut_lines, number_of

MISSING = {"", "nan", "NaN", "NAN", "-nan", "-NaN", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "null", "NULL"}
"""Spellings of missing values by other programs. A class may be called `None`, or `Na`."""
FILL = "`missing: fill` puts the median of a column there, or its most frequent word; or leave the row out"
"""The repair of a feature that is missing."""
LEFT_OUT = "a value that is missing is to be filled in, or its row left out"
"""The repair of a target that is missing."""
A_VALUE = 64
"""Bytes that a value of a Parquet file takes while it is read."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as it is in its file. ``numbers`` has the number of each row there; ``unit`` names them in messages."""

    file: str
    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    unit: str = "line"
    decimal: str = "."

    def place(self, row: int) -> str:
        """Return the position of a row in its file, for a message."""
        return f"{self.file}, {self.unit} {self.numbers[row]}"

    def column(self, name: str) -> Sequence[Any]:
        """Return a column's values. Raises ``DataFault`` if there is no such column."""
        if name not in self.columns:
            names = [*map(visible, self.columns)]
            close = nearest(name, names)
            help = f"its columns are {', '.join(f'`{each}`' for each in names)}"
            raise DataFault(
                f"{self.file} has no column `{name}`", help if close is None else f"did you mean `{close}`?"
            )
        return self.columns[name]


def parquet_table(path: str, folder: Path) -> RawTable:
    """Read a table from a Parquet file. Raises ``DataFault`` if it cannot be read."""
    parquet, name = package("pyarrow.parquet", "pyarrow", Parquet.name), visible(path)
    with opened(there(path, folder), name) as file, decoding(name):
        whole = parquet.ParquetFile(file)
        guard_memory(A_VALUE * whole.metadata.num_rows * whole.metadata.num_columns, f"{name}, unpacked,")
        arrow = whole.read()
        columns = {each: arrow.column(each).to_pylist() for each in arrow.column_names}
        return RawTable(name, columns, range(1, arrow.num_rows + 1), "row")


def csv_table(file: str, text: str, separator: str | None = None, decimal: str = ".") -> RawTable:
    """Read a table from text. Raises ``DataFault`` if the lines differ in length."""
    lines = cut_lines(file, text, separator)
    if not lines:
        raise DataFault(f"{file} is empty")
    (first, head), *rest = lines
    names = [name.strip() for name in head]
    double = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if double is not None:
        called = f"called `{visible(double)}`" if double else "without a name"
        raise DataFault(f"{file}, line {first}: two columns are {called}", "the first line names the columns")
    for number, row in rest:
        if len(row) != len(names):
            count = f"{len(row)} value{'s' * (len(row) != 1)}"
            named = f"{len(names)} column{'s' * (len(names) != 1)}"
            raise DataFault(
                f"{file}, line {number}: {count}, but the first line names {named}",
                "leave lines of comments out" if head[0].startswith("#") or row[0].startswith("#") else None,
            )
    columns = {name: [row[at] for _, row in rest] for at, name in enumerate(names)}
    return RawTable(file, columns, [number for number, _ in rest], "line", decimal)


def numbers_in(table: RawTable, name: str, help: str | None = None, of_gap: str = FILL) -> Array:
    """Return a column's numbers, float64, [n]. Raises ``DataFault`` for other values, with ``help`` for words and
    ``of_gap`` for those that are missing.
    """
    values = table.column(name)
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        number = number_of(value, table.decimal)
        if number is None or not abs(number) <= LARGEST:
            mend = repair(value, table, of_gap) or (help if number is None else None)
            raise DataFault(f"{table.place(row)}: `{name}` is {shown(value)}, but a number is expected", mend)
        numbers[row] = number
    return numbers


def repair(value: Any, table: RawTable, of_gap: str = FILL) -> str | None:
    """Return a repair of a value that is not a number; ``of_gap`` of one that is missing."""
    text = text_of(value)
    if text in MISSING:
        return of_gap
    if re.fullmatch(r"[-+]?\d[\d.,'_ ]*%?", text) and re.search(r"[,'_ %]|\..*\.", text):
        if text.endswith("%"):
            return "write shares as numbers, 0.5 for 50%"
        if table.unit == "line" and table.decimal == "." and re.fullmatch(r"[-+]?\d+,\d+", text):
            return "write it with a point; where a comma stands before the decimals, say `decimal: ','`"
        return "write it without marks between its digits, but for the one before the decimals"
    return None


def shown(value: Any) -> str:
    """Return a value for a message."""
    if value is None or value == "":
        return "empty"
    text = visible(str(value))
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def text_of(value: Any) -> str:
    """Return a value as text, empty for none."""
    return "" if value is None else str(value).strip()


def is_missing(value: Any) -> bool:
    """Return whether a value is none, or spells that."""
    return value is None or text_of(value) in MISSING
