"""Folding of a graph for a diagram: open levels, repeats drawn once with a count, steps that share a card.

``fold`` turns a graph into items. A ``Card`` is one rectangle: an op with the norm, activation and dropout that
follow it, a block that is one op and its parameters, a level that stays closed, or a stretch that is left out. A
``Box`` is an open level with items of its own.

A run of equal steps, one feeding the next, is one item with a count: the same level called again and again, or the
same op on the same shapes. A level opens where its structure is new to the picture; a later one like it stays closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeGuard, TypeVar, Union

from netspec.dataclass import dataclass
from netspec.graph import ONCE, Call, ExecutionCount, Graph, Level, Node, Step, Value
from netspec.view.expand import Expanding
from netspec.view.groups import is_single

ROOM = 64
"""Cards on a page that can still be read."""

STRETCH = 24
"""Items in a row within one level, where a page does not hold them all."""

MOST = 400
"""Items in a row within one level, whatever is asked for: dot takes seconds for a thousand."""

FOLLOWERS = {"norm", "activation", "dropout"}


@dataclass(frozen=True, eq=False)
class Card:
    """One rectangle. ``steps`` is what it stands for; ``op`` cards hold nodes, the first of which gives the title.
    In a ``single`` card the first is the call of a block that is one op and the parameters it reads.

    ``reads`` and ``makes`` are values of the level around it. A ``count`` above one says how many such cards in a row
    it stands for; ``steps`` are those of the first. ``name`` is empty where the author gave none. ``executions`` says
    how often they run.
    """

    kind: Literal["op", "single", "level", "rest"]
    path: str
    name: str
    steps: tuple[Step, ...]
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    training: bool = False
    count: int = 1
    executions: ExecutionCount = ONCE


@dataclass(frozen=True, eq=False)
class Box:
    """An open level. ``call`` is its first call; ``reads`` match the level's inputs, ``makes`` its outputs."""

    path: str
    name: str
    call: Call
    items: tuple[Item, ...]
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    training: bool = False
    count: int = 1
    executions: ExecutionCount = ONCE

    @property
    def level(self) -> Level:
        return self.call.body


Item = Union[Card, Box]
_T = TypeVar("_T")


def fold(graph: Graph, depth: int | None = None, expand: Sequence[str] = ()) -> tuple[Item, ...]:
    """The items of a graph's network. ``depth`` levels open, one in the other; by default, what a page holds.

    The levels in ``expand`` open in any case, by their path, name or block, and so do those around them.
    """
    asked = Expanding(expand)
    if depth is not None:
        return _Folding(depth, every=True, longest=MOST, kept=MOST, asked=asked).items(graph.body)
    for deepest, longest in ((16, ROOM), (3, ROOM), (3, STRETCH), (2, STRETCH), (1, STRETCH)):
        items = _Folding(deepest, every=False, longest=longest, kept=STRETCH, asked=asked).items(graph.body)
        if size(items) <= ROOM:
            return items
    return _Folding(0, every=False, longest=STRETCH, kept=STRETCH, asked=asked).items(graph.body)


def items_of(level: Level, executions: ExecutionCount) -> tuple[Item, ...]:
    """The items of one level by itself, all of them, its own levels as boxes; paths begin at the level."""
    length = len(level.steps)
    return _Folding(1, every=True, longest=length, kept=length, asked=Expanding()).items(level, executions=executions)


def size(items: Iterable[Item]) -> int:
    """Return the number of cards that are drawn, headers included."""
    return sum(1 + size(item.items) if isinstance(item, Box) else 1 for item in items)


@dataclass(frozen=True, eq=False)
class _Run:
    """Steps of a level that are one item: ``first`` of ``count`` in a row, and ``last``, which may be the same."""

    first: tuple[Step, ...]
    last: tuple[Step, ...]
    count: int = 1

    @property
    def reads(self) -> tuple[Value, ...]:
        return self.first[0].inputs

    @property
    def makes(self) -> tuple[Value, ...]:
        return self.last[-1].outputs

    @property
    def call(self) -> Call | None:
        return self.first[0] if isinstance(self.first[0], Call) else None


class _Folding:
    """One attempt: opens at most ``deepest`` levels, one in the other; with ``every``, also those seen before.

    Of a level with more than ``longest`` items it leaves about ``kept``. What is ``asked`` for opens in any case.
    """

    def __init__(self, deepest: int, every: bool, longest: int, kept: int, asked: Expanding):
        self.deepest, self.every, self.longest, self.kept, self.asked = deepest, every, longest, kept, asked
        self.seen: set[int] = set()
        self._runs: dict[Level, tuple[_Run, ...]] = {}
        self._structures: dict[Level, int] = {}
        self._numbers: dict[object, int] = {}

    def items(
        self, level: Level, prefix: str = "", training: bool = False, depth: int = 0, executions: ExecutionCount = ONCE
    ) -> tuple[Item, ...]:
        """The items of a level, in the order they run."""
        made = [
            self.item(run, prefix, training or run.first[0].training, depth, executions.at(level, run.first[0]))
            for run in self.runs(level)
        ]
        if not self.every and level.kind == "repeat":
            made = list(_merged(made, self.gather))
        return tuple(made) if len(made) <= self.longest else self.cut(made, level, prefix, executions)

    def item(self, run: _Run, prefix: str, training: bool, depth: int, executions: ExecutionCount) -> Item:
        """A run as a card or an open box. A call that only wraps one other item is drawn as that item."""
        path, reads, makes, count = prefix + run.first[0].name, run.reads, run.makes, run.count
        if run.call is None:
            return Card("op", path, _op_name(run), run.first, reads, makes, training, count, executions)
        name = _call_name(run, prefix)
        closed = Card("level", path, name, run.first, reads, makes, training, count, executions)
        call = run.call
        if call.shares:
            return closed
        if self.is_single(call):
            return replace(closed, kind="single", name="" if call.name.isdigit() else name)
        asked = self.asked.asks(path, call.name, call.body.title)
        while (inner := self.wrapped(call.body, count)) is not None:
            outside, outward = dict(zip(call.body.inputs, reads)), dict(zip(call.body.outputs, makes))
            reads = tuple(outside[value] for value in inner.reads)
            makes = tuple(outward.get(value, value) for value in inner.makes)
            path, count = f"{path}.{inner.first[0].name}", count * inner.count
            training = training or inner.first[0].training
            executions = executions.inside(call.body).at(call.body, inner.first[0])
            if inner.call is None:
                shown = "" if call.name.isdigit() else name
                return Card("op", path, shown, inner.first, reads, makes, training, count, executions)
            call = inner.call
            if self.is_single(call):
                shown = "" if call.name.isdigit() else name
                return Card("single", path, shown, inner.first, reads, makes, training, count, executions)
            name = f"{name}.{call.name}" if call.named else name
            asked = asked or self.asked.asks(path, call.name, call.body.title)
        asked = asked or self.asked.looks_into(call.body, path)
        known = not self.every and call.body.kind != "branch" and self.structure(call.body) in self.seen
        if not asked and (known or depth >= self.deepest):
            return closed
        items = self.items(call.body, path + ".", training, depth + 1, executions.inside(call.body))
        if not asked and not self.every and call.body.kind != "branch" and all(map(_is_closed, items)):
            return closed
        self.seen.add(self.structure(call.body))
        return Box(path, name, call, items, reads, makes, training, count, executions)

    def is_single(self, call: Call) -> bool:
        """Return whether a call is drawn as if its block were an op."""
        asked = any(name.rpartition(".")[2] in (call.name, call.body.title) for name in self.asked.names)
        return not self.every and not call.shares and not asked and is_single(call.body)

    def wrapped(self, level: Level, count: int) -> _Run | None:
        """Return the one item of a level that reads and makes all that the level does, if there is one."""
        inner = self.runs(level)
        if level.loop is not None or len(inner) != 1 or (count > 1 and inner[0].count > 1):
            return None
        fits = set(inner[0].reads) <= set(level.inputs) and set(level.outputs) <= set(inner[0].makes)
        return inner[0] if fits and len(set(level.outputs)) == len(level.outputs) else None

    def gather(self, before: Item, item: Item) -> Item | None:
        """Closed levels of the same structure, one feeding the next, as one card."""
        if not _is_closed(before) or not _is_closed(item) or item.reads != before.makes:
            return None
        first, second = before.steps[0], item.steps[0]
        if not isinstance(first, Call) or not isinstance(second, Call):
            return None
        if self.structure(first.body) != self.structure(second.body):
            return None
        last = item.name.rpartition("–")[2].rpartition(".")[2]
        name = f"{before.name.partition('–')[0]}–{last}"
        return replace(before, name=name, steps=(*_steps(before), *_steps(item)), makes=item.makes, count=1)

    def cut(self, items: Sequence[Item], level: Level, prefix: str, executions: ExecutionCount) -> tuple[Item, ...]:
        """The first and the last items of a long row, with one card for all between them."""
        head, tail = items[: self.kept // 2], items[-(self.kept // 4) :]
        middle = items[len(head) : len(items) - len(tail)]
        inside = {value for item in middle for value in item.makes}
        wanted = {value for item in tail for value in item.reads} | set(level.outputs)
        reads = dict.fromkeys(value for item in middle for value in item.reads if value not in inside)
        makes = tuple(value for item in middle for value in item.makes if value in wanted)
        steps = tuple(step for item in middle for step in _steps(item))
        return (*head, Card("rest", f"{prefix}…", "", steps, tuple(reads), makes, executions=executions), *tail)

    def runs(self, level: Level) -> tuple[_Run, ...]:
        """The level's steps, joined: what follows an op is part of its run, and equal ones in a row are counted."""
        found = self._runs.get(level)
        if found is None:
            single = [_Run((step,), (step,)) for step in level.steps]
            chained = _merged(single, lambda before, run: self.follow(before, run, level))
            found = self._runs[level] = tuple(_merged(chained, lambda before, run: _repeat(before, run, level)))
        return found

    def follow(self, before: _Run, run: _Run, level: Level) -> _Run | None:
        """An op with the norm, activation or dropout that follows it and alone reads what it makes."""
        last, step = before.last[-1], run.first[0]
        if not isinstance(step, Node) or step.shares or last.shares or step.training != last.training:
            return None
        if isinstance(last, Call):
            family = "" if self.is_single(last) else None
        else:
            family = None if last.merges or last.op.variadic else last.op.family
        chained = step.inputs == last.outputs and all(level.uses[value] == 1 for value in step.inputs)
        if family is None or not chained or not shares_card(family, step):
            return None
        return _Run((*before.first, step), (*before.last, step))

    def structure(self, level: Level) -> int:
        """A number that is equal for levels of the same steps wired alike, whatever the sizes and counts are."""
        found = self._structures.get(level)
        if found is not None:
            return found
        made = {value: position for position, run in enumerate(self.runs(level)) for value in run.makes}
        entries: list[object] = []
        for position, run in enumerate(self.runs(level)):
            wires = tuple(position - made[value] if value in made else -1 for value in run.reads)
            ops = tuple((type(step.op), step.structure) for step in run.first if isinstance(step, Node))
            what = (self.structure(run.call.body), ops) if run.call else ops
            if not entries or entries[-1] != (what, wires):
                entries.append((what, wires))
        key = level.title, level.loop is None, tuple(entries)
        return self._structures.setdefault(level, self._numbers.setdefault(key, len(self._numbers)))


def _merged(items: Iterable[_T], merge: Callable[[_T, _T], _T | None]) -> Iterator[_T]:
    """Items, with each merged into the one before it where ``merge`` gives what both make."""
    held: _T | None = None
    for item in items:
        both = None if held is None else merge(held, item)
        if held is not None and both is None:
            yield held
        held = item if both is None else both
    if held is not None:
        yield held


def shares_card(family: str, step: Node) -> bool:
    """Return whether a step stands on the card of an op of this family, or on a single block's where that is empty."""
    return step.op.family in FOLLOWERS or (step.op.family == family == "shape" and len(step.outputs) == 1)


def _repeat(before: _Run, run: _Run, level: Level) -> _Run | None:
    """A run again, where the second reads what the first makes, alone, and is equal to it."""
    if len(run.first) != len(before.first) or not all(map(_equal, run.first, before.first)):
        return None
    if any(level.uses.get(value, 0) > run.reads.count(value) for value in before.makes):
        return None
    moved = {old: new for old, new in zip(before.last[0].inputs, run.reads) if old is not new}
    if not moved or not all(new in before.makes for new in moved.values()):
        return None
    return replace(before, last=run.last, count=before.count + 1)


def _equal(step: Step, other: Step) -> bool:
    if (step.training, step.shares, step.frozen) != (other.training, other.shares, other.frozen):
        return False
    if isinstance(step, Call) or isinstance(other, Call):
        return (
            isinstance(step, Call)
            and isinstance(other, Call)
            and step.recompute == other.recompute
            and step.body is other.body
        )
    return type(step.op) is type(other.op) and step.op == other.op and step.tensors == other.tensors


def _is_closed(item: Item) -> TypeGuard[Card]:
    return isinstance(item, Card) and item.kind == "level"


def _steps(item: Item) -> tuple[Step, ...]:
    """All steps that an item stands for, repeats written out."""
    return (item.steps if isinstance(item, Card) else (item.call,)) * item.count


def _op_name(run: _Run) -> str:
    """Return the author's names of a run's first and last step, if these are no numbers."""
    first, last = run.first[0], run.last[0]
    if isinstance(first, Node) and first.op.family == "shape" and not first.merges and run.count == 1:
        return next((step.name for step in run.first if not step.name.isdigit()), "")
    if first.name.isdigit() or (isinstance(first, Node) and first.merges):
        return ""
    return first.name if run.count == 1 else f"{first.name} – {last.name}"


def _call_name(run: _Run, prefix: str) -> str:
    """A call's name in the picture; a bare number gets the name of the level around it: ``layer2.1``."""
    names = [run.first[0].name] if run.count == 1 else [run.first[0].name, run.last[0].name]
    around = prefix.rstrip(".").rpartition(".")[2]
    if names[0].isdigit() and around:
        names[0] = f"{around}.{names[0]}"
    return "–".join(names)
