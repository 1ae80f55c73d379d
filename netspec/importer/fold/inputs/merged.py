"""Levels of a class that read one value in two places where others read two, as attention to itself and to a memory."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from netspec.importer.fold.classes import CONTAINERS, kind_of
from netspec.importer.fold.skeleton import is_number
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase, Wire

MOST_INPUTS = 8


def merge_inputs(groups: Sequence[GroupPhrase]) -> None:
    """Give levels that differ only in which of their inputs are the same as many inputs; the inner ones come first."""
    alike: dict[Hashable, list[GroupPhrase]] = {}
    for group in groups:
        if kind_of(group.kind) not in CONTAINERS and all(
            isinstance(each, (CallPhrase, GroupPhrase)) for each in group.body
        ):
            alike.setdefault((kind_of(group.kind), *_form(group)), []).append(group)
    for members in alike.values():
        if len({len(group.takes) for group in members}) > 1:
            _merge(members)


def _form(group: GroupPhrase) -> Iterator[Any]:
    """Yield all that a level must have in common with others: not its numbers, and not which inputs are which."""
    numbers: dict[Wire, int] = {}
    for phrase in group.body:
        yield tuple(
            -1 if wire in group.takes else numbers.get(wire, -2) if wire is not None else -3 for wire in phrase.reads
        )
        yield form_of(phrase)
        for wire in phrase.makes:
            numbers[wire] = len(numbers)
    yield tuple(numbers.get(wire, -1) for wire in group.results)


def form_of(phrase: Phrase) -> Hashable:
    """Return all that a step must have in common with another, but its numbers and what it reads."""
    said = type(phrase).__name__, phrase.name if phrase.keyed else "", phrase.place
    if isinstance(phrase, CallPhrase):
        return *said, phrase.word, tuple(_literals(phrase))
    return (*said, kind_of(phrase.kind), *_form(phrase)) if isinstance(phrase, GroupPhrase) else said


def _literals(phrase: CallPhrase) -> Iterator[Any]:
    for name, value in phrase.arguments.items():
        if isinstance(value, str):
            yield name, value
        elif not is_number(value):
            yield name


def _occurrences(group: GroupPhrase) -> list[int]:
    """Return which input each reading of one reads."""
    places = {wire: at for at, wire in enumerate(group.takes)}
    return [places[wire] for phrase in group.body for wire in phrase.reads if wire in places]


def _merge(members: Sequence[GroupPhrase]) -> None:
    """Give levels one input for each way in which the readings of inputs go together in all of them."""
    columns = [*zip(*map(_occurrences, members))]
    inputs = [*dict.fromkeys(columns)]
    if len(inputs) > MOST_INPUTS or any(
        len({*column}) < len(group.takes) for group, column in zip(members, zip(*inputs))
    ):
        return
    for at, group in enumerate(members):
        takes = [Wire(group.takes[column[at]].tensor) for column in inputs]
        reads = [group.reads[column[at]] for column in inputs]
        _read_anew(group.body, {*group.takes}, iter([takes[inputs.index(column)] for column in columns]))
        group.takes, group.reads = takes, reads


def _read_anew(body: Sequence[Phrase], takes: set[Wire], wires: Iterator[Wire]) -> None:
    for phrase in body:
        phrase.reads = [next(wires) if wire in takes else wire for wire in phrase.reads]
