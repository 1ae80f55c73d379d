"""Columns of numbers over equal levels, as few parameters: which are constant, which follow from others or from shapes.

A column has a value for each instance, a ``LoopRow`` of them inside a loop, ``ABSENT`` where the step is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from netspec.dataclass import dataclass
from netspec.elaborate.building.reserved import why_reserved
from netspec.importer.fold.numbers.formulas import divided, times
from netspec.importer.fold.numbers.meanings import family, is_likely, parameter_name
from netspec.importer.fold.numbers.rows import SHORT, expressed
from netspec.importer.fold.skeleton import ABSENT, LoopRow, NumberSlot
from netspec.importer.program import NamedNumber
from netspec.importer.write.phrases import Formula, GroupPhrase, LoopPhrase

LARGEST_FACTOR = 64
Names = Mapping[str, Sequence[NamedNumber]]


@dataclass(eq=False)
class ParameterColumn:
    """A parameter of equal levels: its value in each, what argument it feeds, and a default, if it has one.

    ``is_named`` says that its name is what the class itself calls it.
    """

    name: str
    values: list[Any]
    word: str
    default: Any = None
    is_named: bool = False


@dataclass(eq=False)
class ReducedColumns:
    """The parameters of equal levels, and a formula over them for each of their slots."""

    formulas: list[Any] = field(default_factory=list)
    parameters: list[ParameterColumn] = field(default_factory=list)


def reduced(columns: Sequence[SlotColumn], taken: set[str], names: Names | None = None) -> ReducedColumns:
    """Return the parameters of equal levels, and each slot's formula; loops get the lists that they go through.

    ``names`` are those that their class has for its numbers, each with the number in every one of the levels.
    """
    for column in columns:
        column.flat = [leaf for value in column.values for leaf in leaves(value)]
    loops = {loop for column in columns for loop in column.slot.loops}
    reducer = ColumnReducer(columns, taken, set(), names or {})
    made = reducer.reduce()
    listed = {loop for loop in loops if loop.columns or reducer.changing[loop] > 1}
    if not listed:
        return made
    for loop in loops:
        loop.columns = {}
    return ColumnReducer(columns, taken, listed, names or {}).reduce()


def leaves(value: Any) -> Iterator[Any]:
    """Yield the numbers in rows of any depth."""
    if isinstance(value, LoopRow):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@dataclass(eq=False)
class SlotColumn:
    """One slot over all instances: ``flat`` has every number, ``shapes`` the shape read at each, in the same order."""

    slot: NumberSlot
    values: list[Any]
    shapes: list[Any]
    flat: list[Any] = field(default_factory=list)

    @property
    def known(self) -> list[Any]:
        """The numbers that are there."""
        return [each for each in self.flat if each is not ABSENT]


class ColumnReducer:
    """Reduces the columns of equal levels, or of the iterations of the loops in a level."""

    def __init__(self, columns: Sequence[SlotColumn], taken: set[str], listed: set[LoopPhrase], names: Names):
        self.columns, self.listed, self.names = columns, listed, names
        self.taken = {*taken}
        self.made = ReducedColumns()
        self.listing: set[str] = set()
        self.inside: dict[LoopPhrase, set[LoopPhrase]] = {}
        for column in columns:
            for at, loop in enumerate(column.slot.loops):
                self.inside.setdefault(loop, set()).update(column.slot.loops[at:])
        self.changing: Counter[LoopPhrase] = Counter()
        self.bases: dict[Any, list[tuple[SlotColumn, Any]]] = {}

    def reduce(self) -> ReducedColumns:
        """Return the parameters, and each slot's formula."""
        for column in self.columns:
            self.made.formulas.append(self._formula(column))
        for at, column in enumerate(self.columns):
            self.made.formulas[at] = self._by_parameter(column, self.made.formulas[at])
        return self.made

    def _by_parameter(self, column: SlotColumn, formula: Any) -> Any:
        """Return a formula over a parameter in place of one over the shape that is read: there is one anyway."""
        if not isinstance(formula, Formula) or "shape[" not in formula or column.slot.loops:
            return formula
        for each in self.made.parameters:
            if family(each.word) in ("width", "size"):
                found = related(column.flat, each.values, Formula(each.name))
                if found is not None:
                    return found
        return formula

    def _formula(self, column: SlotColumn) -> Any:
        known = column.known
        kind = family(column.slot.word)
        bases = self.bases.setdefault((column.slot.loops, kind), [])
        if not known or all(same(each, known[0]) for each in known):
            return self._in_shortcuts(column, bases) if len(known) < len(column.flat) else known[0]
        for base, formula in bases:
            found = related(column.flat, base.flat, formula, kind)
            if found is not None:
                if len(column.values) == len(column.slot.loops) == 1 and isinstance(formula, Formula):
                    self.changing[column.slot.loops[0]] += column.slot.loops[0].turns <= SHORT
                return found
        found = self._by_shape(column, kind)
        if found is None:
            found = expressed(column.values, column.slot, self)
            bases.append((column, found))
        return found

    def _in_shortcuts(self, column: SlotColumn, bases: list[tuple[SlotColumn, Any]]) -> Any:
        """Return a formula for the one number that is in some shortcuts: it is the body's there, if there is such."""
        alike = (formula for base, formula in bases if related(column.flat, base.flat, formula) is formula)
        return next(alike, column.known[0] if column.known else column.slot.default)

    def _by_shape(self, column: SlotColumn, kind: str) -> Any:
        """Return a formula over the shape that a step reads: not for a level whose steps would stand in its place."""
        found = by_shape(column, kind)
        phrase = column.slot.phrase
        if found is not None and found.startswith("2 * ") and self._has_name(column):
            return None
        if found is None or not isinstance(phrase, GroupPhrase) or not phrase.level.reads_aside(column.slot.argument):
            return found
        if phrase.level.is_container:
            return None
        phrase.level.needs_block = True
        return found

    def _has_name(self, column: SlotColumn) -> bool:
        """Return whether the class itself says how wide something is: so does a person where the width doubles."""
        known = named_as(column.values, column.slot.word, self.names) if not column.slot.loops else ""
        return bool(column.slot.label) or (bool(known) and self.names[known][0].is_parameter)

    def parameter(self, values: list[Any], slot: NumberSlot) -> Any:
        """Return a formula for a column that has one value for each instance: a parameter, or part of one."""
        known = [each for each in values if each is not ABSENT]
        if not known or all(same(each, known[0]) for each in known):
            return known[0] if known else slot.default
        kind = family(slot.word)
        for each in self.made.parameters:
            if family(each.word) == kind:
                found = related(values, each.values, Formula(each.name), kind)
                if found is not None:
                    return found
        values = [known[0] if each is ABSENT else each for each in values]
        counted = values if isinstance(known[0], bool) else known
        often, number = Counter(counted).most_common(1)[0] if not isinstance(known[0], tuple) else (None, 0)
        usual = 2 * number >= len(values) and is_likely(slot.word, often, slot.default)
        default = often if usual or (kind not in ("width", "size") and 4 * number > 3 * len(values)) else None
        label = named_as(values, slot.word, self.names)
        if any(each.name == label and each.is_named for each in self.made.parameters):
            return Formula(label)
        label = slot.label if label in self.taken or not label else label
        name = label if label and label not in self.taken else self.fresh(label or parameter_name(slot.word))
        self.taken.add(name)
        self.made.parameters.append(ParameterColumn(name, values, slot.word, default, bool(label)))
        return Formula(name)

    def fresh(self, base: str, loops: Sequence[LoopPhrase] = ()) -> str:
        """Return a name like ``base`` that nothing has: no parameter, and no list of the loops around."""
        taken = self.taken.union(*(loop.columns for loop in loops))
        taken |= {name for loop in self.inside[loops[-1]] for name in loop.columns} if loops else self.listing
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}{number}"
        (self.listing if loops else self.taken).add(name)
        return name


def named_as(values: Sequence[Any], word: str, names: Names) -> str:
    """Return what a class calls the numbers of a column, that of its names which is for the argument; else nothing."""
    found = [
        name
        for name, numbers in names.items()
        if why_reserved(name) is None
        and (word in numbers[0].words or not isinstance(numbers[0].value, bool))
        and all(value is ABSENT or same(value, number.value) for value, number in zip(values, numbers))
    ]
    return max(found, key=lambda name: (word in names[name][0].words, names[name][0].is_parameter), default="")


def same(left: Any, right: Any) -> bool:
    """Return whether two numbers are equal, truth values only to truth values."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def whole(value: Any) -> bool:
    """Return whether a value is an integer, or a list of such."""
    if isinstance(value, tuple):
        return all(map(whole, value))
    return isinstance(value, int) and not isinstance(value, bool)


def related(column: list[Any], base: list[Any], formula: Any, kind: str = "") -> Any:
    """Return a formula for a column as a multiple or a part of another's, a position as one that is so much further;
    ``None`` where it is neither.
    """
    pairs = [(left, right) for left, right in zip(column, base) if left is not ABSENT]
    if any(right is ABSENT for _, right in pairs) or len(column) != len(base):
        return None
    if all(same(left, right) for left, right in pairs):
        return formula
    if not all(type(left) is int and type(right) is int for left, right in pairs):
        return None
    if kind == "position":
        further = {left - right for left, right in pairs}
        return Formula(f"{formula} + {max(further)}") if len(further) == 1 and min(further) > 0 else None
    left, right = max(pairs)
    if right > 0 and left > right and left % right == 0 and left // right <= LARGEST_FACTOR:
        factor = left // right
        return times(factor, formula) if all(left == factor * right for left, right in pairs) else None
    if left > 0:
        for divisor in {right // left, right // (left + 1) + 1} - {0, 1}:
            if divisor <= LARGEST_FACTOR and all(left == right // divisor for left, right in pairs):
                return divided(formula, divisor)
    return None


def by_shape(column: SlotColumn, kind: str) -> Any:
    """Return a formula for a column over the shape that its step reads; ``None`` where there is none."""
    if kind not in ("width", "size"):
        return None
    shapes = [shape for value in column.shapes for shape in leaves(value)]
    pairs = [(value, shape) for value, shape in zip(column.flat, shapes) if value is not ABSENT]
    ranks = {len(shape) for _, shape in pairs}
    if len(ranks) != 1 or len(shapes) != len(column.flat):
        return None
    rank = ranks.pop()
    channels = 1 if rank > 3 and column.slot.word != "out_features" else rank - 1
    order = [1, rank - 1, *range(rank)] if kind == "size" else [channels]
    for at in order:
        if not 0 <= at < rank or not all(type(shape[at]) is int for _, shape in pairs):
            continue
        text = Formula("shape[-1]" if at == rank - 1 else f"shape[{at}]")
        found = related([value for value, _ in pairs], [shape[at] for _, shape in pairs], text)
        if found is not None:
            return found
    return None
