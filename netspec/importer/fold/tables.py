"""Large constants that are made of few parts, such as masks of windows: each part is said once, under a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from netspec.importer.write.constants import SHORT, count_numbers, spell_list
from netspec.importer.write.phrases import CallPhrase, Formula, SpecPhrase
from netspec.importer.write.rooms import everything_in

LARGE = 4096
"""A constant with no more numbers is written in its place."""
LARGEST_PART = 4096
MOST_PARTS = 8


class TableName(Formula):
    """The name of a part; ``type`` is a parameter's that takes it."""

    type = "list[float]"


def name_parts(spec: SpecPhrase) -> None:
    """Give names to the parts of large constants, at the top of the spec."""
    large = [phrase for phrase in everything_in(spec.body) if isinstance(phrase, CallPhrase) and _is_large(phrase)]
    counts = Counter(part for phrase in large for part in _parts(phrase.arguments["value"]))
    if len(counts) > MOST_PARTS or counts.total() < 2 * len(counts):
        return
    names = {part: TableName(f"part{number}") for number, part in enumerate(counts, 1)}
    for part, name in names.items():
        name.type = _type(part)
    for phrase in large:
        phrase.arguments["value"] = _named(phrase.arguments["value"], names)
    spec.let = {name: spell_list(part) for part, name in names.items()}


def _is_large(phrase: CallPhrase) -> bool:
    value = phrase.arguments.get("value")
    return phrase.word in ("constant", "buffer") and isinstance(value, tuple) and count_numbers(value) > LARGE


def table_type(value: Any) -> str:
    """Return the type of a parameter that takes a table: a value made of parts, or nested lists of many numbers; empty
    where it is none.
    """
    many = isinstance(value, tuple) and isinstance(next(iter(value), None), tuple) and count_numbers(value) > SHORT
    depth = 0
    while isinstance(value, tuple) and value:
        depth, value = depth + 1, value[0]
    if not many and not isinstance(value, TableName):
        return ""
    return "list[" * depth + (value.type if isinstance(value, TableName) else type(value).__name__) + "]" * depth


def _parts(value: Any) -> Iterator[Any]:
    if count_numbers(value) <= LARGEST_PART:
        yield value
    else:
        for item in value:
            yield from _parts(item)


def _named(value: Any, names: dict[Any, TableName]) -> Any:
    return names[value] if count_numbers(value) <= LARGEST_PART else tuple(_named(item, names) for item in value)


def _type(part: Any) -> str:
    depth = 0
    while isinstance(part, tuple):
        depth, part = depth + 1, part[0]
    return "list[" * depth + type(part).__name__ + "]" * depth
