"""The constraints on the symbolic dimensions of a network, derived from what its ops require, in words.

``H and W must be multiples of 16, or the concat at line 39 fails``: sixteen requirements of four concats, said once.

What one dimension must fulfil is worked out exactly. A requirement compares sums of floors of that dimension; over a
period (the least common multiple of the divisors) their difference grows by a constant. Where that is zero, which
remainders will do decides; where it is not, all sizes from one on, or up to one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import PureWindowsPath
from typing import NamedTuple

from netspec.analysis.above_one import Corner, is_above_one, unimplied
from netspec.dataclass import dataclass
from netspec.diagnostics import Source
from netspec.dims import Dim, Size, evaluate, pretty
from netspec.elaborate.state.requirements import empty_dims, holds
from netspec.graph import Graph, Requirement

LONGEST_PERIOD = 10_000


@dataclass(frozen=True, slots=True)
class SizeConstraint:
    """A condition on some dimensions (``must``: ``be multiples of 16``).

    ``causes`` are requirements that ask for it. ``training`` marks what binds training only. ``spec`` is the path of
    the spec: lines of other files are told with the names of these.
    """

    symbols: tuple[str, ...]
    must: str
    causes: tuple[Requirement, ...]
    training: bool = False
    spec: str = ""

    def __str__(self) -> str:
        if not self.symbols:
            return f"training {self.must}, as {consequence(self.causes, self.spec, '')}"
        subject = f"{', '.join(self.symbols[:-1])} and {self.symbols[-1]}" if self.symbols[1:] else self.symbols[0]
        where = " in training" if self.training else ""
        return f"{subject} must {self.must}{where}, {consequence(self.causes, self.spec)}"

    @property
    def line(self) -> int:
        """The line of the spec that asks for it first."""
        return self.causes[0].span.line

    @property
    def file(self) -> str:
        """The name of the file that the line is in."""
        return file_name(self.causes[0].span.source)


def size_constraints(graph: Graph) -> list[SizeConstraint]:
    """The constraints of a network: of one dimension each, alike ones together, then those that tie dimensions."""
    always = [each for each in graph.requirements if not each.training]
    training = [each for each in graph.requirements if each.training]
    found = [*_constraints(always, ()), *_constraints(training, always)]
    return [replace(each, spec=graph.spec or graph.body.span.source.name) for each in found]


def _constraints(requirements: Sequence[Requirement], always: Sequence[Requirement]) -> Iterator[SizeConstraint]:
    """The constraints of these requirements, where those in ``always`` hold."""
    alike: dict[tuple[str, tuple[tuple[str, int], ...]], list[tuple[str, tuple[Requirement, ...]]]] = {}
    rest: list[Requirement] = []
    by_symbol: dict[str, list[tuple[Requirement, Allowed]]] = {}
    empty = empty_dims(requirements) | empty_dims(always)
    impossible = [each for each in requirements if isinstance(each.left - each.right, int)]
    if impossible:
        yield SizeConstraint((), "is impossible", tuple(impossible), True)
    for each in requirements:
        if each in impossible:
            continue
        first, *others = _difference(each).symbols
        allowed = None if others else _allowed(each, first)
        if allowed is None:
            rest.append(each)
        else:
            by_symbol.setdefault(first, []).append((each, allowed))
    for symbol, given in by_symbol.items():
        known = [sizes for each in always if (sizes := _allowed(each, symbol)) is not None]
        for must, causes in (*_said(given, known), *(_filled(given, symbol) if symbol in empty else ())):
            places = tuple((each.span.source.name, each.span.line) for each in causes)
            alike.setdefault((must, places), []).append((symbol, causes))
    for (must, _), entries in alike.items():
        symbols = tuple(symbol for symbol, _ in entries)
        plural = must.replace("be a multiple of", "be multiples of") if len(symbols) > 1 else must
        yield SizeConstraint(symbols, plural, entries[0][1], requirements[0].training)
    said = [each for given in by_symbol.values() for each, _ in given]
    for each, corner in unimplied(rest, [*always, *said]):
        yield SizeConstraint(*_compared(each, corner), (each,), each.training)


def _compared(requirement: Requirement, corner: Corner | None) -> tuple[tuple[str], str]:
    """Return how the left side must compare to the right one, as a subject and a verb phrase."""
    left, right = requirement.left, pretty(requirement.right)
    if requirement.relation == "==":
        return (pretty(left),), f"be {right}"
    if not is_above_one(requirement):
        return (pretty(left),), f"be at least {right}"
    if corner is None or (isinstance(left, Dim) and len(left.terms) == 1):
        return (pretty(left),), "be above 1"
    *first, last = (f"{symbol} above {size}" for symbol, size in sorted(corner.items(), key=lambda of: (of[1], of[0])))
    return (f"{', '.join(first)} or {last}",), "hold"


class Allowed(NamedTuple):
    """The sizes from ``least`` to ``most`` whose remainders by ``period`` are among these."""

    least: int = 1
    most: int | None = None
    period: int = 1
    remainders: frozenset[int] = frozenset({0})


def _difference(requirement: Requirement) -> Dim:
    made = requirement.left - requirement.right
    assert isinstance(made, Dim), "what holds or fails for all sizes is no requirement"
    return made


def _allowed(requirement: Requirement, symbol: str) -> Allowed | None:
    """The sizes of a dimension at which a requirement of it alone holds; ``None`` where that is not to be said."""
    difference = _difference(requirement)
    period = _period(difference)
    if difference.symbols != {symbol} or not period or any(power > 1 for _, power in _atoms(difference)):
        return None
    first = [evaluate(difference, {symbol: size}) for size in range(1, period + 1)]
    slope = evaluate(difference, {symbol: 1 + period}) - first[0]
    if slope == 0:
        holds = [value == 0 if requirement.relation == "==" else value >= 0 for value in first]
        return Allowed(period=period, remainders=frozenset(at % period for at, good in enumerate(holds, 1) if good))
    if requirement.relation == "==":
        return _alone(at - value // slope * period for at, value in enumerate(first, 1) if value % slope == 0)
    # after how many periods each remainder comes to hold, or ceases to
    iterations = [max(0, -(value // slope) if slope > 0 else value // -slope + 1) for value in first]
    last = max((at + (iteration - 1) * period for at, iteration in enumerate(iterations, 1) if iteration), default=0)
    if sum(iterations) != last:  # with gaps
        return None
    return Allowed(least=last + 1) if slope > 0 else Allowed(most=last)


def _alone(sizes: Iterable[int]) -> Allowed | None:
    """The only sizes that will do, where there is no gap between them."""
    possible = sorted(size for size in sizes if size > 0)
    if not possible or possible[-1] - possible[0] != len(possible) - 1:
        return None
    return Allowed(possible[0], possible[-1])


def _atoms(size: Dim) -> Iterator[tuple[object, int]]:
    """The atoms of each term, with their powers; more than one in a term count as a power."""
    for monomial in size.terms:
        yield from ((atom, power + len(monomial) - 1) for atom, power in monomial)


def _period(size: Size) -> int:
    """Return how far a dimension goes until all floors have gone whole steps; 0 where that is too far to look."""
    period = 1
    for atom, _ in _atoms(size) if isinstance(size, Dim) else ():
        if not isinstance(atom, str):
            period = math.lcm(period, atom.divisor * _period(atom.numerator))  # type: ignore[attr-defined]
    return period if period <= LONGEST_PERIOD else 0


def _said(
    given: Sequence[tuple[Requirement, Allowed]], known: Sequence[Allowed]
) -> Iterator[tuple[str, tuple[Requirement, ...]]]:
    """Yield what all requirements of one dimension ask for, each with those that do; what is ``known`` is not said."""
    steps = [(each, sizes) for each, sizes in given if sizes.period > 1]
    period, remainders = _common([sizes for _, sizes in steps])
    if len(remainders) < period:
        yield _remainders_text(period, remainders), _first_of_each_place(each for each, _ in steps)
    first = min((size or period for size in remainders), default=1)
    least = max([1, *(sizes.least for sizes in known)])
    cause, sizes = max(given, key=lambda entry: entry[1].least)
    low = sizes.least
    ends = [(each, sizes.most) for each, sizes in given if sizes.most is not None]
    most = min([sizes.most for sizes in known if sizes.most is not None], default=None)
    if ends:
        last, high = min(ends, key=lambda entry: entry[1])
        if low == high:
            yield f"be {high}", (last,)
            return
        if most is None or high < most:
            yield f"be at most {high}", (last,)
    if low > max(first, least):
        yield f"be at least {low}", (cause,)


def _filled(given: Sequence[tuple[Requirement, Allowed]], symbol: str) -> Iterator[tuple[str, tuple[Requirement, ...]]]:
    """Yield that a dimension which may be 0 must not be, where nothing else is asked of it that says so."""
    if all(sizes.least == 1 for _, sizes in given):
        causes = [each for each, _ in given if not holds(each, {symbol: 0})]
        yield from [("be at least 1", (causes[0],))] if causes else []


def _common(found: Sequence[Allowed]) -> tuple[int, frozenset[int]]:
    """The remainders that all allow, by the least period that says it."""
    period = math.lcm(*(sizes.period for sizes in found))
    good = {size for size in range(period) if all(size % each.period in each.remainders for each in found)}
    for shorter in range(1, period):
        if period % shorter == 0 and all(
            ((size + shorter) % period in good) == (size in good) for size in range(period)
        ):
            return shorter, frozenset(size for size in good if size < shorter)
    return period, frozenset(good)


def _remainders_text(period: int, remainders: frozenset[int]) -> str:
    if remainders == {0}:
        return "be even" if period == 2 else f"be a multiple of {period}"
    if not remainders:
        return "fit, which no size does"
    if len(remainders) == 1:
        return "be odd" if period == 2 else f"leave {min(remainders)} when divided by {period}"
    listed = ", ".join(map(str, sorted(remainders)))
    return f"leave one of {listed} when divided by {period}"


def _first_of_each_place(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    found: dict[tuple[str, int], Requirement] = {}
    for each in requirements:
        found.setdefault((each.span.source.name, each.span.line), each)
    return tuple(found.values())


def consequence(causes: Sequence[Requirement], spec: str, conjunction: str = "or ") -> str:
    """``or the concat at line 39 fails``, ``as line 23 of gpt2.yaml says``: of another file than the spec's own."""
    first = causes[0]
    if first.reason.startswith("`"):  # the author's own bounds
        return f"as line {first.span.line}{_file_text(first, spec)} says"
    what = "has an empty output" if first.reason.endswith("has an empty output") else "fails"
    told = []
    for (op, file), same in groupby(causes, key=lambda each: (_op(each), _file_text(each, spec))):
        lines = [each.span.line for each in same]
        more = f" and {len(lines) - 2} more" if len(lines) > 2 else ""
        told.append(f"the {op} at line {' or '.join(map(str, lines[:2]))}{more}{file}")
    return f"{conjunction}{' or '.join(told)} {what}"


def _file_text(requirement: Requirement, spec: str) -> str:
    """Return the name of a requirement's file, where that is not the spec's own."""
    source = requirement.span.source
    return "" if source.name == spec else f" of {file_name(source)}"


def file_name(source: Source) -> str:
    """Return the name of a source's file, without the folders that it is in."""
    return PureWindowsPath(source.name).name


def _op(requirement: Requirement) -> str:
    """Return the op at the place of a requirement, with the file's name where that is a block's of another."""
    span = requirement.span
    text = span.source.line(span.line)[span.column - 1 :]
    word = text.partition(":")[0].split("}")[0].strip(" -,[]{")
    return word if word.isidentifier() else requirement.reason.partition(" ")[0]
