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
from netspec.train.data.meaning import class_key, listed
from netspec.train.data.paths import decoding, guard_memory, opened, package, read_text, there
from netspec.train.data.readers.tables.dates import DAY, SHORT
from netspec.train.data.readers.tables.form import LIKE_A_NUMBER, MARKS, USUAL_FORM, TableForm, number_of, thousands_in
from netspec.train.data.readers.tables.lines import cut_lines

MISSING = {"", "nan", "NaN", "NAN", "-nan", "-NaN", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "null", "NULL", "NaT"}
"""Spellings of missing values by other programs. A class may be called `None`, or `Na`."""
FILL = "`missing: fill` puts the median of a column there, or its most frequent word; or leave the row out"
"""The repair of a feature that is missing."""
AMOUNT = re.compile(r"([$€£¥]|[A-Z]{3}) ?[-+]?\d[\d.,' ]*|[-+]?\d[\d.,' ]* ?([$€£¥]|[A-Z]{3})")
TRAINED_WITHOUT = "the network was trained without gaps: give a value there, or leave the row out"
LEFT_OUT = "a value that is missing is to be filled in, or its row left out"
"""The repair of a target that is missing."""
A_VALUE = 64
"""Bytes that a value of a Parquet file takes while it is read."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as it is in its file, but for values that are none. ``numbers`` has the number of each row there;
    ``unit`` names them in messages.
    """

    file: str
    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    unit: str = "line"
    form: TableForm = USUAL_FORM

    def place(self, row: int) -> str:
        """Return the position of a row in its file, for a message."""
        return f"{self.file}, {self.unit} {self.numbers[row]}"

    def column(self, name: str) -> Sequence[Any]:
        """Return a column's values. Raises ``DataFault`` if there is no such column."""
        if name not in self.columns:
            close = nearest(name, [*map(visible, self.columns)])
            help = f"its columns are {listed(self.columns)}" if close is None else f"did you mean `{close}`?"
            raise DataFault(f"{self.file} has no column `{name}`", help)
        return self.columns[name]


def parquet_table(path: str, folder: Path, form: TableForm) -> RawTable:
    """Read a table from a Parquet file. Raises ``DataFault`` if it cannot be read."""
    parquet, name = package("pyarrow.parquet", "pyarrow", Parquet.name), visible(path)
    with opened(there(path, folder), name) as file, decoding(name):
        whole = parquet.ParquetFile(file)
        guard_memory(A_VALUE * whole.metadata.num_rows * whole.metadata.num_columns, f"{name}, unpacked,")
        arrow = whole.read()
        columns = {each: arrow.column(each).to_pylist() for each in arrow.column_names}
        return RawTable(name, without_gaps(columns, form), range(1, arrow.num_rows + 1), "row", form)


def table_text(path: str, folder: Path, form: TableForm) -> str:
    """Read the text of a table's file. Raises ``DataFault`` if it is not in the encoding of its form."""
    return read_text(path, folder, form.encoding, key=not form.fixed)


def csv_table(file: str, text: str, form: TableForm) -> RawTable:
    """Read a table from text. Raises ``DataFault`` if the lines differ in length."""
    lines = cut_lines(file, text, form.separator)
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
    return RawTable(file, without_gaps(columns, form), [number for number, _ in rest], "line", form)


def without_gaps(columns: Mapping[str, Sequence[Any]], form: TableForm) -> Mapping[str, Sequence[Any]]:
    """Return columns with ``None`` for the texts and numbers that the table's keys say are no values."""
    none = {class_key(text) for text in form.na_values}
    if not none:
        return columns
    return {
        name: [None if class_key(text_of(value)) in none else value for value in values]
        for name, values in columns.items()
    }


def numbers_in(
    table: RawTable, name: str, help: str | None = None, of_gap: str = FILL, thousands: str | None = None
) -> Array:
    """Return a column's numbers, float64, [n]. Raises ``DataFault`` for other values, with ``help`` for words and
    ``of_gap`` for those that are missing. Without ``thousands`` they are written as the column itself proves.
    """
    values = table.column(name)
    thousands, decimal = thousands or marks_in(table, values), table.form.decimal
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        number = number_of(value, decimal, thousands)
        if number is None or not abs(number) <= LARGEST:
            mend = repair(value, table, of_gap) or (help if number is None else None)
            raise DataFault(f"{table.place(row)}: `{name}` is {shown(value)}, but a number is expected", mend)
        numbers[row] = number
    return numbers


def marks_in(table: RawTable, values: Sequence[Any]) -> str | None:
    """Return the mark between the thousands of a table's values: the one that its keys say, or that they prove."""
    return table.form.thousands or thousands_in(values, table.form.decimal)


def repair(value: Any, table: RawTable, of_gap: str = FILL) -> str | None:
    """Return a repair of a value that is not a number; ``of_gap`` of one that is missing."""
    text = text_of(value).translate(MARKS)
    if text in MISSING:
        return TRAINED_WITHOUT if table.form.fixed and of_gap == FILL else of_gap
    if text.endswith("%") and LIKE_A_NUMBER.fullmatch(text):
        return "write shares as numbers, 0.5 for 50%"
    if AMOUNT.fullmatch(text):
        return "write amounts without their currency"
    if SHORT.fullmatch(text) and not table.form.fixed:
        return "`date_parts: true` with a `date_format` such as `%d.%m.%y` reads dates whose year has two digits"
    if not has_marks(text) or DAY.fullmatch(text) or number_of(text, table.form.decimal) is not None:
        return None
    if table.unit == "line" and not table.form.fixed and (key := _key_for(text, table.form)) is not None:
        return key
    between = "no mark" if table.form.thousands is None else f"no mark but `{table.form.thousands}`"
    return f"write it with `{table.form.decimal}` before its decimals, and {between} between its digits"


def has_marks(text: str) -> bool:
    """Return whether a text is of digits with marks between them, which may be those of a number."""
    return LIKE_A_NUMBER.fullmatch(text) is not None and re.search(r"[.,'_ %]", text) is not None


def _key_for(text: str, form: TableForm) -> str | None:
    """Return the key by which a number with these marks is read; ``None`` if there is none."""
    other = "," if form.decimal == "." else "."
    turned = f"`decimal: '{other}'`"
    grouped = number_of(text, form.decimal, other) is not None
    if grouped and number_of(text, other) is not None:
        either = f"`thousands: '{other}'` takes the `{other}` for a mark between thousands"
        return f"{either}, {turned} for the one before the decimals"
    if number_of(text, other, form.decimal) is not None:
        return f"where `{other}` stands before the decimals, say {turned}"
    return f"`thousands: '{other}'` takes the `{other}` for a mark between thousands" if grouped else None


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
