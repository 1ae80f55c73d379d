"""Reads tables: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.files import CSV, TARGETS, Parquet, TableFile
from netspec.recipes.data.table_column import TableColumn
from netspec.text.quoting import visible
from netspec.train.data.arrays import real
from netspec.train.data.base import Data, DataFault, TensorRows
from netspec.train.data.meaning import Coding, Meaning, class_key, coding_of, listed
from netspec.train.data.readers.tables.features import FEATURES, features_of, plan_columns, repairs_of_words
from netspec.train.data.readers.tables.form import TableForm
from netspec.train.data.readers.tables.raw import (
    LEFT_OUT,
    MISSING,
    RawTable,
    csv_table,
    numbers_in,
    parquet_table,
    repair,
    shown,
    table_text,
    text_of,
)

INDEX = ("", "Unnamed: 0", "__index_level_0__")
"""The names that pandas gives to a column of row numbers."""


def read_csv(data_set: CSV, folder: Path, known: Meaning | None = None) -> Data:
    """Read a table of text whose columns become features as the data set's keys say."""

    form = TableForm.of(dict(data_set), fixed=known is not None)

    def table(path: str) -> RawTable:
        return csv_table(visible(path), table_text(path, folder, form), form)

    return _read(data_set, table, known)


def read_parquet(data_set: Parquet, folder: Path, known: Meaning | None = None) -> Data:
    """Read the same from Parquet."""
    form = TableForm.of(dict(data_set), fixed=known is not None)
    return _read(data_set, lambda path: parquet_table(path, folder, form), known)


def _read(data_set: TableFile, read: Callable[[str], RawTable], known: Meaning | None) -> Data:
    paths = {"train": data_set.path, "validation": data_set.validation, "test": data_set.test}
    tables = {part: read(path) for part, path in paths.items() if path is not None}
    for table in tables.values():
        if not table.numbers:
            raise DataFault(f"{table.file} has no rows")
    train = tables["train"]
    for target in data_set.targets:
        train.column(target)
    trained = () if known is None else _known(data_set, known)
    columns = trained or plan_columns(train, _features(train, data_set), data_set)
    codes: Mapping[str, Codes] = {}
    if data_set.classes:
        codes = {target: _codes(train, target, data_set, known) for target in data_set.targets}
    words = {} if trained else repairs_of_words(train, columns, data_set)
    notes = [] if trained else [told for column in columns if (told := column.told()) is not None]
    rows = {}
    for part, table in tables.items():
        made = features_of(table, columns, words)
        rows[part] = TensorRows({**made.tensors, **_targets(table, data_set, codes)})
        notes += made.notes if part == "train" else [f"{table.file}: {note}" for note in made.notes]
    called = tuple(feature for column in columns for feature in column.features)
    found = {FEATURES: Column((len(called),))} if called else {}
    found |= {column.name: Column((), "int64") for column in columns if column.kind == "ids"}
    for name, column in data_set.target_columns().items():
        if name in found:
            raise DataFault(f"{train.file}: `{name}` cannot be both a target and a column of ids")
        found[name] = replace(column, classes=len(codes[name].words) if codes else None)
    meanings = {name: each.words for name, each in codes.items()}
    parts = (rows["train"], rows.get("validation"), rows.get("test"))
    names = {FEATURES: called} if called else {}
    if not isinstance(data_set.target, str) and not codes:
        names[TARGETS] = tuple(data_set.targets)
    return Data(found, *parts, meanings, names, train.file, columns, tuple(notes))


def _known(data_set: TableFile, known: Meaning) -> tuple[TableColumn, ...]:
    """Return the columns that a network was trained on, in their order, whatever other columns there are; none if it
    was trained on another kind of data.
    """
    trained = known.table or tuple(map(TableColumn, known.names.get(FEATURES, ())))  # older runs have none
    names = [column.name for column in trained]
    if trained and data_set.features is not None and {*data_set.features} != {*names}:
        message = f"`features` are {listed(data_set.features)}, but the network was trained on {listed(names)}"
        raise DataFault(message, "leave `features` out: they are found by their names")
    return trained


def _features(train: RawTable, data_set: TableFile) -> list[str]:
    """Return the names of the columns that are features."""
    if "features" in data_set.targets:
        raise DataFault(f"{train.file}: the target cannot be called `features`, as the other columns together are")
    if data_set.features is not None:
        return data_set.features
    left_out = data_set.leave_out or ()
    for name in left_out:
        train.column(name)
    names = [name for name in train.columns if name not in data_set.targets and name not in left_out]
    if not names:
        told = "targets" if len(data_set.targets) > 1 else "target"
        raise DataFault(f"{train.file} has no column besides the {told} {listed(data_set.targets)}")
    index = next((name for name in names if name in INDEX), None)
    if index is not None:
        called = f"is called `{index}`" if index else "has no name"
        help = "take it out (in pandas, write with `index=False`), or name it in `leave_out`"
        raise DataFault(f"{train.file}: a column {called}, as those of the rows' numbers are that pandas writes", help)
    return names


def _targets(table: RawTable, data_set: TableFile, codes: Mapping[str, Codes]) -> dict[str, Tensor]:
    """Return the targets of a table's rows."""
    if codes:
        return {name: _labels(table, name, codes[name]) for name in data_set.targets}
    numbers = [numbers_in(table, name, maybe_classes(name), LEFT_OUT) for name in data_set.targets]
    if isinstance(data_set.target, str):
        return {data_set.target: real(numbers[0])}
    return {TARGETS: real(np.stack(numbers, 1))}


def maybe_classes(target: str) -> str:
    """Return the repair of a target that holds words."""
    return f"`{target}` is one of several classes? write `classes: true`"


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
    for text in sorted({*map(text_of, values)} - MISSING, key=_shortest_first):
        spelled.setdefault(class_key(text), text)
    words = sorted(key for key in spelled if isinstance(key, str))
    return tuple(spelled[key] for key in sorted(spelled.keys() - {*words})) + tuple(words)


def _shortest_first(text: str) -> tuple[int, str]:
    return len(text), text


def _labels(table: RawTable, name: str, codes: Codes) -> Tensor:
    values = [*map(text_of, table.column(name))]
    coding = coding_of(codes.words, {*values} - MISSING) if codes.trained else Coding(codes.words)
    labels = []
    for row, value in enumerate(values):
        told = f"{table.place(row)}: `{name}` is {shown(value)}"
        if value in MISSING:
            raise DataFault(f"{told}, but a class is expected", repair(value, table, LEFT_OUT))
        label = coding[value]
        if label is None and codes.trained:
            raise DataFault(f"{told}, which the network was not trained on", f"it knows {listed(codes.words)}")
        if label is None:
            raise DataFault(f"{told}, which is in none of the training rows")
        labels.append(label)
    return torch.tensor(labels)
