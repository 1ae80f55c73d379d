"""The features of a table: what its columns become, decided by the training rows, and done to any others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netspec.recipes.data.files import TableFile
from netspec.recipes.data.table_column import A_DAY, ISO, NO_TIME, Kind, TableColumn, seconds_of
from netspec.train.data.arrays import LARGEST, Array, real
from netspec.train.data.base import DataFault
from netspec.train.data.meaning import listed
from netspec.train.data.readers.tables.dates import formats_of, when_of
from netspec.train.data.readers.tables.form import number_of
from netspec.train.data.readers.tables.raw import (
    MISSING,
    RawTable,
    has_marks,
    is_missing,
    marks_in,
    numbers_in,
    repair,
    shown,
    text_of,
)

FEATURES = "features"
MOST_WORDS = 1000
"""Words of a column that become a feature each."""

TRUTHS = {"false": 0.0, "no": 0.0, "true": 1.0, "yes": 1.0}
PARTS: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda when: when.year,
    "month": lambda when: when.month,
    "day": lambda when: when.day,
    "weekday": lambda when: when.weekday(),
    "hour": lambda when: when.hour,
}
"""The features of a date; `weekday` is 0 on a Monday, and the hour is left out where no training row has a time."""


@dataclass(slots=True)
class TableFeatures:
    """The features of some rows: ``tensors`` has `features`, [n, count], and each column of ids, [n]; ``notes`` say
    what was missing, and what no training row has.
    """

    tensors: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)


def plan_columns(train: RawTable, names: Sequence[str], data_set: TableFile) -> tuple[TableColumn, ...]:
    """Return what columns of the training rows become. Raises ``DataFault`` for those that the keys do not allow."""
    formats = data_set.date_format
    for key, named in (("categorical", data_set.categorical), ("date_format", formats)):
        for name in named if isinstance(named, (list, dict)) else ():
            if name not in names:
                raise DataFault(f"`{key}` names `{name}`, which is no feature", f"features are {listed(names)}")
    columns = tuple(_planned(train, name, data_set) for name in names)
    if isinstance(formats, str) and all(column.date_format != formats for column in columns):
        raise DataFault(f"{train.file}: no column has dates of the format `{formats}` alone")
    return columns


def _planned(train: RawTable, name: str, data_set: TableFile) -> TableColumn:
    values = [value for value in train.column(name) if not is_missing(value)]
    fills = data_set.missing == "fill"
    if not values and fills:
        raise DataFault(f"{train.file}: `{name}` has no value in any row", f"`leave_out: [{name}]`")
    if not values:
        return TableColumn(name)
    if name in (data_set.categorical or ()) or _are_words(name, values, train, data_set):
        return _category(train, name, [*map(text_of, values)], data_set)
    if all(text_of(value).lower() in TRUTHS for value in values):
        truths = [TRUTHS[text_of(value).lower()] for value in values]
        return TableColumn(name, "truth", fill=round(median(truths)) if fills else None)
    if data_set.date_parts and (formats := _formats(name, values, data_set)):
        return _date(train, name, values, formats, fills)
    thousands = marks_in(train, values)
    numbers = [number_of(value, train.form.decimal, thousands) for value in values]
    finite = [number for number in numbers if number is not None and abs(number) <= LARGEST]
    return TableColumn(name, fill=median(finite) if fills and finite else None, thousands=thousands)


def _are_words(name: str, values: Sequence[Any], train: RawTable, data_set: TableFile) -> bool:
    """Return whether a column is of words: most of its values are neither numbers, with marks or without, nor dates."""
    if data_set.categories == "refuse" or all(text_of(value).lower() in TRUTHS for value in values):
        return False
    return not _mostly_numbers(values, train) and not _formats(name, values, data_set)


def _mostly_numbers(values: Sequence[Any], train: RawTable) -> bool:
    like = sum(number_of(value, train.form.decimal) is not None or has_marks(text_of(value)) for value in values)
    return 2 * like > len(values)


def _formats(name: str, values: Sequence[Any], data_set: TableFile) -> Sequence[str]:
    """Return the formats in which all values of a column are dates."""
    given = data_set.date_format
    own = given.get(name) if isinstance(given, Mapping) else given
    texts = [value for value in values if isinstance(value, str)]
    if isinstance(given, Mapping) and own is not None:
        return [own]
    numbers = bool(texts) and all(number_of(text) is not None for text in texts)
    if own is not None and not numbers and all(when_of(value, own) is not None for value in values):
        return [own]
    if any(when_of(value) is None for value in values if not isinstance(value, str)):
        return []
    return formats_of(texts)


def _date(train: RawTable, name: str, values: Sequence[Any], formats: Sequence[str], fills: bool) -> TableColumn:
    if len(formats) > 1:
        told = f"{train.file}: `{name}` has dates such as {shown(values[0])}, whose first number may be day or month"
        raise DataFault(told, f"`date_format: '{formats[0]}'` takes it for the day, `'{formats[1]}'` for the month")
    times = [when for value in values if (when := when_of(value, formats[0])) is not None]
    parts = [part for part in PARTS if part != "hour" or any((when.hour, when.minute) != (0, 0) for when in times)]
    middle = sorted(when.replace(tzinfo=None).isoformat() for when in times)[len(times) // 2 :]
    return TableColumn(name, "date", tuple(parts), middle[0] if fills and middle else None, date_format=formats[0])


def _category(train: RawTable, name: str, texts: Sequence[str], data_set: TableFile) -> TableColumn:
    counts = Counter(texts)
    kind: Kind = "ids" if data_set.categories == "ids" else "one_hot"
    if kind == "one_hot" and len(counts) > MOST_WORDS:
        told = f"{train.file}: `{name}` has {len(counts):,} different words in {len(texts):,} rows"
        raise DataFault(f"{told}, too many for a feature each", f"`leave_out: [{name}]`, or `categories: ids`")
    if kind == "ids" and name == FEATURES:
        raise DataFault(f"{train.file}: a column of ids cannot be called `{FEATURES}`, as the numbers together are")
    most = min(counts, key=lambda word: (-counts[word], word))
    return TableColumn(name, kind, tuple(sorted(counts)), most if data_set.missing == "fill" else None)


def features_of(table: RawTable, columns: Sequence[TableColumn], wanted: Mapping[str, str] = {}) -> TableFeatures:
    """Return the features of a table's rows. Raises ``DataFault`` for values that none can be made of; ``wanted`` has
    the repair of words, by column.
    """
    found = TableFeatures({})
    side_by_side: list[Array] = []
    for column in columns:
        values = _filled(table, column, found.notes)
        if column.kind in ("one_hot", "ids"):
            ids = _ids(table, column, values, found.notes)
            if column.kind == "ids":
                found.tensors[column.name] = torch.from_numpy(ids)
            else:
                side_by_side.append((ids[:, None] == np.arange(1, len(column.words) + 1)).astype(np.float64))
        elif column.kind == "date":
            side_by_side.append(_dates(table, column, values))
        elif column.kind == "truth":
            side_by_side.append(_truths(table, column, values)[:, None])
        else:
            filled, help = replace(table, columns={column.name: values}), wanted.get(column.name)
            side_by_side.append(numbers_in(filled, column.name, help, thousands=column.thousands)[:, None])
    if side_by_side:
        found.tensors = {FEATURES: real(np.concatenate(side_by_side, 1)), **found.tensors}
    return found


def raw_values(table: RawTable, column: TableColumn) -> Array:
    """Return the values of a column as a file takes them that makes the features itself, [n], of the dtype ``raw``: no
    number is NaN, no time the least int64, no word an empty text. Those that ``features_of`` refuses are not expected.
    """
    values = [None if is_missing(value) else value for value in table.column(column.name)]
    if column.raw == "string":
        return np.array([*map(text_of, values)], object)
    if column.kind == "date":
        whens = [None if value is None else when_of(value, column.date_format) for value in values]
        return np.array([NO_TIME if when is None else seconds_of(when.isoformat()) for when in whens])
    thousands = column.thousands or marks_in(table, values)
    of_number = partial(number_of, decimal=table.form.decimal, thousands=thousands)
    read = _truth if column.kind == "truth" else of_number
    return np.array([None if value is None else read(value) for value in values], np.float64)


def _filled(table: RawTable, column: TableColumn, notes: list[str]) -> Sequence[Any]:
    """Return a column's values, its gaps filled if that is planned."""
    values = table.column(column.name)
    if column.fill is None:
        return values
    gaps = sum(map(is_missing, values))
    if gaps:
        fill = f"{column.fill:g}" if isinstance(column.fill, float) else column.fill
        notes.append(f"`{column.name}` {gaps:,} gap{'s' * (gaps != 1)} filled with {fill}")
    return [column.fill if is_missing(value) else value for value in values]


def _ids(table: RawTable, column: TableColumn, values: Sequence[Any], notes: list[str]) -> Array:
    """Return the number of each word, from 1 on, and 0 for others, int64, [n]."""
    numbers = {word: number for number, word in enumerate(column.words, 1)}
    texts = [*map(text_of, values)]
    for row, text in enumerate(texts):
        if text in MISSING:
            told = f"{table.place(row)}: `{column.name}` is {shown(values[row])}, but a word is expected"
            raise DataFault(told, repair(values[row], table))
    unknown = Counter(text for text in texts if text not in numbers)
    if unknown:
        rows = sum(unknown.values())
        where = f"{rows:,} row{'s' * (rows != 1)}"
        notes.append(
            f"`{column.name}` is {listed(unknown)} in {where}: no training row has that, and it counts as no word"
        )
    return np.array([numbers.get(text, 0) for text in texts], np.int64)


def _truths(table: RawTable, column: TableColumn, values: Sequence[Any]) -> Array:
    numbers = [_truth(value) for value in values]
    _guard(table, column, values, numbers, "true or false is")
    return np.array(numbers, np.float64)


def _truth(value: Any) -> float | None:
    number = number_of(value)
    return TRUTHS.get(text_of(value).lower(), number if number in (0, 1) else None)


def _dates(table: RawTable, column: TableColumn, values: Sequence[Any]) -> Array:
    whens = [when_of(value, column.date_format) for value in values]
    _guard(table, column, values, whens, f"a date such as {A_DAY.strftime(column.date_format or ISO)} is")
    return np.array([[PARTS[part](when) for part in column.words] for when in whens if when is not None], np.float64)


def _guard(table: RawTable, column: TableColumn, values: Sequence[Any], read: Sequence[Any], expected: str) -> None:
    for row, (value, found) in enumerate(zip(values, read)):
        if found is None:
            told = f"{table.place(row)}: `{column.name}` is {shown(value)}, but {expected} expected"
            raise DataFault(told, repair(value, table))


def repairs_of_words(train: RawTable, columns: Sequence[TableColumn], data_set: TableFile) -> dict[str, str]:
    """Return the repair of a value that is no number, by column: for dates, where all are such, for what stands among
    numbers, or for words.
    """
    found = {}
    for column in columns:
        values = [value for value in train.column(column.name) if not is_missing(value)]
        if values and not data_set.date_parts and _formats(column.name, values, data_set):
            found[column.name] = "`date_parts: true` makes year, month, day and weekday of it"
        elif values and _mostly_numbers(values, train):
            found[column.name] = (
                "`na_values` names what stands for a gap, which `missing: fill` fills; "
                f"`categorical: [{column.name}]` takes all values as words"
            )
        else:
            words = f"`categories: one_hot`, or `ids`, takes words; `leave_out: [{column.name}]` does without"
            found[column.name] = words
    return found
