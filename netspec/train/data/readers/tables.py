"""Reads tables: CSV and Parquet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.files import CSV, Parquet, TableFile
from netspec.text.quoting import visible
from netspec.train.data.arrays import LARGEST, Array, real
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import Coding, Meaning, class_key, coding_of, listed
from netspec.train.data.paths import decoding, guard_memory, opened, package, read_text, there
from netspec.train.data.readers.lines import cut_lines, number_of

INDEX = ("", "Unnamed: 0", "__index_level_0__")
"""The names that pandas gives to a column of row numbers."""
MISSING = {"", "nan", "NaN", "NAN", "-nan", "-NaN", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "null", "NULL"}
"""Spellings of missing values by other programs. A class may be called `None`, or `Na`."""
NO_NUMBERS = "leave the column out, naming the others in `features`, or write numbers for its words"
"""The repair of a feature that holds words."""
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
            names = ", ".join(f"`{visible(each)}`" for each in self.columns)
            raise DataFault(f"{self.file} has no column `{name}`", f"its columns are {names}")
        return self.columns[name]


def read_csv(data_set: CSV, folder: Path, known: Meaning | None = None) -> Data:
    """Read a table of text in which every value is a number, but for the target's classes."""

    def table(path: str) -> RawTable:
        return csv_table(visible(path), read_text(path, folder), data_set.separator, data_set.decimal)

    return _read(data_set, table, known)


def read_parquet(data_set: Parquet, folder: Path, known: Meaning | None = None) -> Data:
    """Read the same from Parquet."""
    return _read(data_set, lambda path: parquet_table(path, folder), known)


def parquet_table(path: str, folder: Path) -> RawTable:
    """Read a table from a Parquet file. Raises ``DataFault`` if it cannot be read."""
    parquet, name = package("pyarrow.parquet", "pyarrow", Parquet.name), visible(path)
    with opened(there(path, folder), name) as file, decoding(name):
        whole = parquet.ParquetFile(file)
        guard_memory(A_VALUE * whole.metadata.num_rows * whole.metadata.num_columns, f"{name}, unpacked,")
        arrow = whole.read()
        columns = {each: arrow.column(each).to_pylist() for each in arrow.column_names}
        return RawTable(name, columns, range(arrow.num_rows), "row")


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


def _read(data_set: TableFile, read: Callable[[str], RawTable], known: Meaning | None) -> Data:
    paths = {"train": data_set.path, "validation": data_set.validation, "test": data_set.test}
    tables = {part: read(path) for part, path in paths.items() if path is not None}
    for table in tables.values():
        if not table.numbers:
            raise DataFault(f"{table.file} has no rows")
    train = tables["train"]
    for target in data_set.targets:
        train.column(target)
    trained = None if known is None else known.names.get("features")
    names = _features(train, data_set) if trained is None else known_names(data_set, trained)
    codes: Mapping[str, Codes] = {}
    if data_set.classes:
        codes = {target: _codes(train, target, data_set, known) for target in data_set.targets}
    rows = {part: TensorRows(_columns(table, names, data_set, codes)) for part, table in tables.items()}
    found = {"features": Column((len(names),))}
    for name, column in data_set.columns().items():
        if name != "features":
            found[name] = replace(column, classes=len(codes[name].words) if codes else None)
    words = {name: each.words for name, each in codes.items()}
    called = {"features": tuple(names)}
    return Data(found, rows["train"], rows.get("validation"), rows.get("test"), words, called, train.file)


def known_names(data_set: TableFile, trained: Sequence[str]) -> Sequence[str]:
    """Return the features that a network was trained on, in their order, whatever other columns there are."""
    if data_set.features is not None and {*data_set.features} != {*trained}:
        message = f"`features` are {listed(data_set.features)}, but the network was trained on {listed(trained)}"
        raise DataFault(message, "leave `features` out: they are found by their names")
    return trained


def _features(train: RawTable, data_set: TableFile) -> list[str]:
    """Return the names of the columns that are features."""
    if "features" in data_set.targets:
        raise DataFault(f"{train.file}: the target cannot be called `features`, as the other columns together are")
    if data_set.features is not None:
        return data_set.features
    names = [name for name in train.columns if name not in data_set.targets]
    if not names:
        told = "targets" if len(data_set.targets) > 1 else "target"
        raise DataFault(f"{train.file} has no column besides the {told} {listed(data_set.targets)}")
    index = next((name for name in names if name in INDEX), None)
    if index is not None:
        called = f"is called `{index}`" if index else "has no name"
        help = "take it out (in pandas, write with `index=False`), or name the columns to learn from in `features`"
        raise DataFault(f"{train.file}: a column {called}, as those of the rows' numbers are that pandas writes", help)
    return names


def _columns(
    table: RawTable, names: Sequence[str], data_set: TableFile, codes: Mapping[str, Codes]
) -> dict[str, Tensor]:
    """Return the rows of a table: `features` [n, count], and the targets."""
    tensors = {"features": features_of(table, names, NO_NUMBERS)}
    if codes:
        return tensors | {name: _labels(table, name, codes[name]) for name in data_set.targets}
    if isinstance(data_set.target, str):
        return tensors | {data_set.target: real(_numbers(table, data_set.target, maybe_classes(data_set.target)))}
    targets = [_numbers(table, name, maybe_classes(name)) for name in data_set.targets]
    return tensors | {"targets": real(np.stack(targets, 1))}


def maybe_classes(target: str) -> str:
    """Return the repair of a target that holds words."""
    return f"`{target}` is one of several classes? write `classes: true`"


def features_of(table: RawTable, names: Sequence[str], help: str | None = None) -> Tensor:
    """Return columns of numbers side by side, [n, names]. ``help`` is the repair of words."""
    return real(np.stack([_numbers(table, name, help) for name in names], 1))


def _numbers(table: RawTable, name: str, help: str | None = None) -> Array:
    """Return a column's numbers, float64, [n]. Raises ``DataFault`` for other values, with ``help`` for words."""
    values = table.column(name)
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        number = number_of(value, table.decimal)
        if number is None or not abs(number) <= LARGEST:
            repair = _repair(value, table) or (help if number is None else None)
            raise DataFault(f"{table.place(row)}: `{name}` is {_shown(value)}, but a number is expected", repair)
        numbers[row] = number
    return numbers


def _repair(value: Any, table: RawTable) -> str | None:
    """Return a repair of a value that is not a number."""
    text = "" if value is None else str(value).strip()
    if text in MISSING:
        return "a value that is missing is to be filled in, or its row left out"
    if re.fullmatch(r"[-+]?\d[\d.,'_ ]*%?", text) and re.search(r"[,'_ %]|\..*\.", text):
        if text.endswith("%"):
            return "write shares as numbers, 0.5 for 50%"
        if table.unit == "line" and table.decimal == "." and re.fullmatch(r"[-+]?\d+,\d+", text):
            return "write it with a point; where a comma stands before the decimals, say `decimal: ','`"
        return "write it without marks between its digits, but for the one before the decimals"
    return None


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    text = visible(str(value))
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


@dataclass(frozen=True, slots=True)
class Codes:
    """The classes of a target: ``words`` has their names; ``trained`` says that a network was trained on them."""

    words: tuple[str, ...]
    trained: bool


def _codes(train: RawTable, name: str, data_set: TableFile, known: Meaning | None) -> Codes:
    trained = None
    if known is not None:
        trained = known.target_classes() if len(data_set.targets) == 1 else known.classes_of(name)
    return Codes(trained or _classes(train.column(name)), trained is not None)


def _classes(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the different values as texts: numbers in order, then words in alphabetical order.

    A number that is spelled in several ways is one class, called by the shortest.
    """
    spelled: dict[str | float, str] = {}
    for text in sorted({*map(_text, values)} - MISSING, key=_shortest_first):
        spelled.setdefault(class_key(text), text)
    words = sorted(key for key in spelled if isinstance(key, str))
    return tuple(spelled[key] for key in sorted(spelled.keys() - {*words})) + tuple(words)


def _shortest_first(text: str) -> tuple[int, str]:
    return len(text), text


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _labels(table: RawTable, name: str, codes: Codes) -> Tensor:
    values = [*map(_text, table.column(name))]
    coding = coding_of(codes.words, {*values} - MISSING) if codes.trained else Coding(codes.words)
    labels = []
    for row, value in enumerate(values):
        told = f"{table.place(row)}: `{name}` is {_shown(value)}"
        if value in MISSING:
            raise DataFault(f"{told}, but a class is expected", _repair(value, table))
        label = coding[value]
        if label is None and codes.trained:
            raise DataFault(f"{told}, which the network was not trained on", f"it knows {listed(codes.words)}")
        if label is None:
            raise DataFault(f"{told}, which is in none of the training rows")
        labels.append(label)
    return torch.tensor(labels)
