"""Rows of numbers over the iterations of loops, as expressions in the index, or as lists."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from netspec.importer.fold.numbers.formulas import spelled
from netspec.importer.fold.numbers.meanings import parameter_name
from netspec.importer.fold.skeleton import ABSENT, LoopRow, NumberSlot
from netspec.importer.write.phrases import Formula, LoopPhrase

Parts = list[tuple[Any, ...]]
"""For each row, the numbers that an expression is made of."""
SHORT = 8
"""A list of no more rows reads better than an expression, beside another list."""


class Columnar(Protocol):
    """A place for parameters; ``listed`` are the loops over lists, which hold what would be an expression else.

    ``changing`` counts the expressions in the index of a loop.
    """

    listed: set[LoopPhrase]
    changing: Counter[LoopPhrase]

    def parameter(self, values: list[Any], slot: NumberSlot) -> Any:
        """Return a formula for a column."""

    def fresh(self, base: str, loops: Sequence[LoopPhrase] = ()) -> str:
        """Return a free name."""


def expressed(values: list[Any], slot: NumberSlot, columns: Columnar) -> Any:
    """Return a formula for a column, which has rows inside the loops of its slot."""
    return _expressed(values, slot, slot.loops, columns)


def _expressed(values: list[Any], slot: NumberSlot, loops: Sequence[LoopPhrase], columns: Columnar) -> Any:
    if not loops:
        return columns.parameter(values, slot)
    loop, depth = loops[-1], len(loops) - 1
    rows = [row for value in values for row in _rows(value, depth)]
    for form, combine in COUNTS if slot.word == "count" else POSITIONS if slot.word == "position" else FORMS:
        if form is not _constant and depth == 0 and len(rows) == 1 and loop in columns.listed and loop.turns <= SHORT:
            break
        parts = form(rows)
        if parts is None:
            continue
        columns.changing[loop] += form is not _constant and depth == 0 and len(rows) == 1 and loop.turns <= SHORT
        inner = [
            _expressed(_replaced(values, depth, [part[at] for part in parts]), slot, loops[:-1], columns)
            for at in range(len(parts[0]))
        ]
        return combine(loop.index, inner)
    name = columns.fresh(slot.label or parameter_name(slot.word), loops)
    lists = [tuple(row) if ABSENT not in row else _filled(row) for row in rows]
    loop.columns[name] = _expressed(_replaced(values, depth, lists), slot, loops[:-1], columns)
    return Formula(name)


def _filled(row: LoopRow) -> tuple[Any, ...]:
    """Return a row in which what is not there is as something that is."""
    known = next((each for each in row if each is not ABSENT), 0)
    return tuple(known if each is ABSENT else each for each in row)


def _rows(value: Any, depth: int) -> list[LoopRow]:
    """Return the innermost rows of a value."""
    return [value] if depth == 0 else [row for item in value for row in _rows(item, depth - 1)]


def _replaced(values: list[Any], depth: int, parts: list[Any]) -> list[Any]:
    """Return values with a part in the place of each innermost row."""
    left = iter(parts)

    def walk(value: Any, depth: int) -> Any:
        return next(left) if depth == 0 else LoopRow(walk(item, depth - 1) for item in value)

    return [walk(value, depth) for value in values]


def _constant(rows: list[LoopRow]) -> Parts | None:
    made: Parts = []
    for row in rows:
        known = [each for each in row if each is not ABSENT]
        if any(each != known[0] or type(each) is not type(known[0]) for each in known):
            return None
        made.append((known[0] if known else ABSENT,))
    return made


def _first(rows: list[LoopRow]) -> Parts | None:
    """The first is one, the others another."""
    made: Parts = []
    for row in rows:
        rest = _constant([LoopRow(row[1:])])
        if rest is None:
            return None
        made.append((row[0], rest[0][0]))
    return made


def _last(rows: list[LoopRow]) -> Parts | None:
    """The last is one, those before it another: with the number of the last."""
    made: Parts = []
    for row in rows:
        rest = _constant([LoopRow(row[:-1])])
        if rest is None:
            return None
        made.append((row[-1], rest[0][0], len(row) - 1))
    return made if len({part[2] for part in made}) == 1 else None


def _split(rows: list[LoopRow]) -> Parts | None:
    """The first few are one, the others another: with the number of the first of these."""
    made: Parts = []
    for row in rows:
        at = next((at for at, each in enumerate(row) if each != row[0]), len(row))
        parts = _constant([LoopRow(row[:at])]), _constant([LoopRow(row[at:])])
        if ABSENT in row or not 1 < at < len(row) - 1 or None in parts:
            return None
        made.append((row[0], row[-1], at))
    return made if len({part[2] for part in made}) == 1 else None


def _alternating(rows: list[LoopRow]) -> Parts | None:
    """Every other one is the same."""
    made: Parts = []
    for row in rows:
        even, odd = _constant([LoopRow(row[::2])]), _constant([LoopRow(row[1::2])])
        if even is None or odd is None:
            return None
        made.append((even[0][0], odd[0][0]))
    return made


def _arithmetic(rows: list[LoopRow]) -> Parts | None:
    """Each is as much more than the one before."""
    made: Parts = []
    for row in rows:
        if len(row) < 3 or not all(type(each) is int for each in row):
            return None
        step = row[1] - row[0]
        if any(right - left != step for left, right in itertools.pairwise(row)):
            return None
        made.append((row[0], step))
    return made


def _counted(rows: list[LoopRow]) -> Parts | None:
    """Each is as much more than the one before, in all rows, even in those of two."""
    if not all(type(each) is int for row in rows for each in row):
        return None
    steps = {right - left for row in rows for left, right in itertools.pairwise(row)}
    return [(row[0], max(steps)) for row in rows] if len(steps) == 1 and min(steps) > 0 else None


def _geometric(rows: list[LoopRow]) -> Parts | None:
    """Each is as many times the one before."""
    made: Parts = []
    for row in rows:
        if len(row) < 3 or not all(type(each) is int and each > 0 for each in row) or row[1] % row[0]:
            return None
        factor = row[1] // row[0]
        if factor < 2 or any(left * factor != right for left, right in itertools.pairwise(row)):
            return None
        made.append((row[0], factor))
    return made


def _in_cycles(form: Callable[[list[LoopRow]], Parts | None], rows: list[LoopRow]) -> Parts | None:
    """A few of another form again and again: with their number."""
    row = rows[0]
    length = next((at for at in range(3, len(row) // 2 + 1) if row[:-at] == row[at:]), 0)
    if not length or any(each[:-length] != each[length:] for each in rows):
        return None
    parts = form([LoopRow(each[:length]) for each in rows])
    return None if parts is None else [(*part, length) for part in parts]


def _cycled(combine: Callable[[str, list[Any]], Any], index: str, parts: list[Any]) -> Any:
    return combine(f"({index} % {parts[-1]})", parts[:-1])


def _one(index: str, parts: list[Any]) -> Any:
    return parts[0]


def _if_first(index: str, parts: list[Any]) -> Any:
    first, rest = parts
    if first == rest and type(first) is type(rest):
        return first
    if isinstance(first, bool) and isinstance(rest, bool):
        return Formula(f"{index} {'==' if first else '>'} 0")
    return Formula(f"{spelled(first)} if {index} == 0 else {spelled(rest)}")


def _if_last(index: str, parts: list[Any]) -> Any:
    last, rest, number = parts
    if isinstance(last, bool) and isinstance(rest, bool):
        return Formula(f"{index} {'==' if last else '<'} {spelled(number)}")
    return Formula(f"{spelled(last)} if {index} == {spelled(number)} else {spelled(rest)}")


def _if_before(index: str, parts: list[Any]) -> Any:
    first, rest, number = parts
    if isinstance(first, bool) and isinstance(rest, bool):
        return Formula(f"{index} {'<' if first else '>='} {spelled(number)}")
    return Formula(f"{spelled(first)} if {index} < {spelled(number)} else {spelled(rest)}")


def _in_turn(index: str, parts: list[Any]) -> Any:
    even, odd = parts
    if even == 0 and not isinstance(even, bool):
        return Formula(f"{_factor(odd)} * ({index} % 2)")
    return Formula(f"{spelled(even)} if {index} % 2 == 0 else {spelled(odd)}")


def _sum(index: str, parts: list[Any]) -> Any:
    start, step = parts
    scaled = index if step == 1 else f"{_factor(step)} * {index}"
    return Formula(scaled if start == 0 else f"{spelled(start)} + {scaled}")


def _power(index: str, parts: list[Any]) -> Any:
    start, factor = parts
    power = f"{_factor(factor)} ** {index}"
    return Formula(power if start == 1 else f"{_factor(start)} * {power}")


def _factor(value: Any) -> str:
    text = spelled(value)
    return text if text.replace("_", "").isalnum() else f"({text})"


FORMS: Sequence[tuple[Callable[[list[LoopRow]], Parts | None], Callable[[str, list[Any]], Any]]] = (
    (_constant, _one),
    (_first, _if_first),
    (_arithmetic, _sum),
    (_geometric, _power),
    (_alternating, _in_turn),
    (_last, _if_last),
    (_split, _if_before),
    (partial(_in_cycles, _geometric), partial(_cycled, _power)),
    (partial(_in_cycles, _arithmetic), partial(_cycled, _sum)),
)
"""The forms of rows, the simplest first, each with the expression that it becomes."""
COUNTS = ((_constant, _one), (_first, _if_first), (_arithmetic, _sum))
"""The same for numbers of layers, of which a person writes a list."""
POSITIONS = ((_constant, _one), (_counted, _sum), *FORMS[1:])
"""The same for what grows from block to block."""
