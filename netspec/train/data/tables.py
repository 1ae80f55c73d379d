"""Reads tables: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data_files import CSV, Parquet
from netspec.recipes.data_files import Table as TableSet
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import Coding, Meaning, class_key, coding_of, listed
from netspec.train.data.paths import package, read_text, there_as_file

LARGEST = torch.finfo(torch.float32).max


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is in its file. ``places`` says where each row stands there."""

    file: str
    columns: Mapping[str, Sequence[Any]]
    places: Sequence[str]

    def column(self, name: str) -> Sequence[Any]:
        """A column's values. Raises ``DataFault`` where it is not there."""
        if name not in self.columns:
            found = ", ".join(f"`{each}`" for each in self.columns)
            raise DataFault(f"{self.file} has no column `{name}`", f"its columns are {found}")
        return self.columns[name]


def read_csv(data_set: CSV, folder: Path, known: Meaning | None = None) -> Data:
    """A table of text in which every value is a number, but for the target's classes."""
    return _read(data_set, lambda path: csv_table(path, read_text(path, folder)), known)


def read_parquet(data_set: Parquet, folder: Path, known: Meaning | None = None) -> Data:
    """The same from Parquet."""
    return _read(data_set, lambda path: parquet_table(path, folder), known)


def parquet_table(path: str, folder: Path) -> Table:
    """A table from a Parquet file. Raises ``DataFault`` where it cannot be read."""
    parquet = package("pyarrow.parquet", "pyarrow", Parquet.name)
    file = there_as_file(path, folder)
    try:
        found = parquet.read_table(file)
    except (OSError, ValueError) as fault:  # pyarrow's own faults are of these kinds
        raise DataFault(f"{path} is no Parquet file that can be read: {str(fault).splitlines()[0]}") from None
    columns = {name: found.column(name).to_pylist() for name in found.column_names}
    return Table(path, columns, [f"{path}, row {row}" for row in range(found.num_rows)])


def csv_table(path: str, text: str, delimiter: str = ",") -> Table:
    """A table from its text. Raises ``DataFault`` where the lines are not alike."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    rows: list[list[str]] = []
    places: list[str] = []
    header: list[str] | None = None
    try:
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if not row:
                continue
            if header is None:
                header = _header(row, path)
                continue
            if len(row) != len(header):
                raise DataFault(f"{place}: {len(row)} values, but the first line names {len(header)} columns")
            rows.append(row)
            places.append(place)
    except csv.Error as found:
        raise DataFault(f"{path}, line {reader.line_num}: {found}") from None
    if header is None:
        raise DataFault(f"{path} is empty")
    return Table(path, {name: [row[at] for row in rows] for at, name in enumerate(header)}, places)


def _header(row: list[str], path: str) -> list[str]:
    names = [name.strip() for name in row]
    double = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if double is not None:
        raise DataFault(f"{path}, line 1: two columns are called `{double}`", "the first line names the columns")
    return names


def _read(data_set: TableSet, read: Callable[[str], Table], known: Meaning | None) -> Data:
    paths = {"train": data_set.path, "validation": data_set.validation, "test": data_set.test}
    tables = {part: read(path) for part, path in paths.items() if path is not None}
    for table in tables.values():
        if not table.places:
            raise DataFault(f"{table.file} has no rows")
    train, target = tables["train"], data_set.target
    train.column(target)
    trained = known.names.get("features") if known is not None else None
    names: Sequence[str] = data_set.features or [name for name in train.columns if name != target]
    if trained is not None:
        names = known_names(data_set, trained)
    if target == "features":
        raise DataFault(f"{train.file}: the target cannot be called `features`, as the other columns together are")
    if not names:
        raise DataFault(f"{train.file} has no column besides the target `{target}`")
    classes = known.target_classes() if known is not None else None
    words = classes or _classes(train.column(target)) if data_set.classes else ()
    rows = {}
    for part, table in tables.items():
        features = features_of(table, names)
        wanted = _labels(table, target, words, classes) if words else torch.tensor(_numbers(table, target, target=True))
        rows[part] = TensorRows({"features": features, target: wanted})
    column = Column((), "int64", len(words), target=True) if words else Column((), target=True)
    columns = {"features": Column((len(names),)), target: column}
    meanings = {target: words} if words else {}
    called = {"features": tuple(names)}
    return Data(columns, rows["train"], rows.get("validation"), rows.get("test"), meanings, called)


def known_names(data_set: TableSet, trained: Sequence[str]) -> Sequence[str]:
    """The features that a network was trained on, in their order; whatever other columns there are."""
    if data_set.features is not None and {*data_set.features} != {*trained}:
        message = f"`features` are {listed(data_set.features)}, but the network was trained on {listed(trained)}"
        raise DataFault(message, "leave `features` out: they are found by their names")
    return trained


def features_of(table: Table, names: Sequence[str]) -> Tensor:
    """Columns of numbers side by side, float32, [n, names]."""
    return torch.tensor([_numbers(table, name) for name in names]).T.contiguous()


def _numbers(table: Table, name: str, target: bool = False) -> list[float]:
    numbers = []
    for place, value in zip(table.places, table.column(name)):
        number = _number(value)
        if number is None or not abs(number) <= LARGEST:
            help = f"`{name}` is one of several classes? write `classes: true`" if target and number is None else None
            raise DataFault(f"{place}: `{name}` is {_shown(value)}, but a number is wanted", help)
        numbers.append(number)
    return numbers


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    text = str(value)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def _classes(values: Sequence[Any]) -> tuple[str, ...]:
    """The different values as texts: numbers in their order, then words in that of the alphabet.

    A number that is spelled in several ways is one class, called by the shortest.
    """
    spelled: dict[str | float, str] = {}
    for text in sorted({str(value).strip() for value in values if value is not None}, key=_shortest_first):
        spelled.setdefault(class_key(text), text)
    words = sorted(key for key in spelled if isinstance(key, str))
    return tuple(spelled[key] for key in sorted(spelled.keys() - {*words})) + tuple(words)


def _shortest_first(text: str) -> tuple[int, str]:
    return len(text), text


def _labels(table: Table, name: str, words: tuple[str, ...], trained: tuple[str, ...] | None = None) -> Tensor:
    values = ["" if value is None else str(value).strip() for value in table.column(name)]
    coding = Coding(words) if trained is None else coding_of(words, filter(None, values))
    labels = []
    for place, value in zip(table.places, values):
        if value == "":
            raise DataFault(f"{place}: `{name}` is empty, but a class is wanted")
        label = coding[value]
        if label is None:
            message = f"{place}: `{name}` is {_shown(value)}, which "
            if trained is None:
                raise DataFault(f"{message}is in none of the training rows")
            raise DataFault(f"{message}the network was not trained on", f"it knows {listed(trained)}")
        labels.append(label)
    return torch.tensor(labels)
