"""What a diagram shows: which levels stand open, what is drawn once with its count, which steps share a card.

``fold`` turns a graph into items. A ``Card`` is one rectangle: an op with the norm, activation and dropout that
follow it, a level that stays closed, or a stretch that is left out. A ``Box`` is an open level with items of its own.

A run of equal steps, one feeding the next, is one item with a count: the same level called again and again, or the
same op on the same shapes. A level opens where its structure is new to the picture; a later one like it stays closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Union

from netspec.graph import Call, Graph, Level, Node, Step, Value

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

    ``reads`` and ``makes`` are values of the level around it. A ``count`` above one says how many such cards in
    a row it stands for; ``steps`` are those of the first. ``name`` is empty where the author gave none.
    """

    kind: Literal["op", "level", "rest"]
    path: str
    name: str
    steps: tuple[Step, ...]
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    training: bool = False
    count: int = 1


@dataclass(frozen=True, eq=False)
class Box:
    """An open level. ``reads`` match ``level.inputs``, ``makes`` match ``level.outputs``."""

    path: str
    name: str
    level: Level
    items: tuple[Item, ...]
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    training: bool = False
    count: int = 1
    step: Call | None = None


Item = Union[Card, Box]


def fold(graph: Graph, depth: int | None = None) -> tuple[Item, ...]:
    """The items of a graph's network. ``depth`` levels open, one in the other; by default, what a page holds."""
    if depth is not None:
        return _Folding(depth, every=True, stretch=MOST).items(graph.body)
    for deepest, stretch in ((16, ROOM), (3, ROOM), (3, STRETCH), (2, STRETCH), (1, STRETCH)):
        items = _Folding(deepest, every=False, stretch=stretch).items(graph.body)
        if size(items) <= ROOM:
            return items
    return _Folding(0, every=False, stretch=STRETCH).items(graph.body)


def size(items: Iterable[Item]) -> int:
    """How many cards are drawn, headers included."""
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
    """One attempt: opens at most ``deepest`` levels, one in the other; with ``every``, also those seen before."""

    def __init__(self, deepest: int, every: bool, stretch: int):
        self.deepest, self.every, self.stretch = deepest, every, stretch
        self.seen: set[int] = set()
        self._runs: dict[Level, list[_Run]] = {}
        self._shapes: dict[Level, int] = {}
        self._numbers: dict[object, int] = {}

    def items(self, level: Level, prefix: str = "", training: bool = False, depth: int = 0) -> tuple[Item, ...]:
        """The items of a level, in the order they run."""
        made: list[Item] = []
        for run in self.runs(level):
            only = training or run.first[0].training
            path = prefix + run.first[0].name
            if run.call is None:
                made.append(Card("op", path, _name(run), run.first, run.reads, run.makes, only, run.count))
            else:
                made.append(self.call(run, prefix, only, depth))
        if not self.every and level.kind == "repeat":
            made = list(self.gathered(made))
        return tuple(made) if len(made) <= self.stretch else self.cut(made, level, prefix)

    def call(self, run: _Run, prefix: str, training: bool, depth: int) -> Item:
        """A call as an open box or a closed card. What only wraps one other call is drawn as that call."""
        path, name = prefix + run.first[0].name, _title(run, prefix)
        reads, makes, count = run.reads, run.makes, run.count
        closed = Card("level", path, name, run.first, reads, makes, training, count)
        while (inner := self.wrapped(run, count)) is not None:
            body = _body(run)
            outside = dict(zip(body.inputs, reads))
            made = dict(zip(body.outputs, makes))
            reads = tuple(outside[value] for value in inner.reads)
            makes = tuple(made.get(value, value) for value in inner.makes)
            count *= inner.count
            if inner.call is None:
                name = name if run.first[0].named else ""
                return Card("op", f"{path}.{inner.first[0].name}", name, inner.first, reads, makes, training, count)
            path, run = f"{path}.{inner.first[0].name}", inner
            training = training or inner.first[0].training
            if inner.first[0].named:
                name = f"{name}.{inner.first[0].name}"
        body = _body(run)
        branch = body.kind == "branch"
        if depth >= self.deepest or (not self.every and not branch and self.structure(body) in self.seen):
            return closed
        inner_items = self.items(body, path + ".", training, depth + 1)
        self.seen.add(self.structure(body))
        if (
            not self.every
            and not branch
            and all(isinstance(item, Card) and item.kind == "level" for item in inner_items)
        ):
            return closed
        return Box(path, name, body, inner_items, reads, makes, training, count, run.call)

    def wrapped(self, run: _Run, count: int) -> _Run | None:
        """What the body of a call consists of, where that is one item which reads and makes all that the body does."""
        if run.call is None:
            return None
        inner = self.runs(run.call.body)
        if len(inner) != 1 or (count > 1 and inner[0].count > 1):
            return None
        body = run.call.body
        fits = set(inner[0].reads) <= set(body.inputs) and set(body.outputs) <= set(inner[0].makes)
        return inner[0] if fits else None

    def gathered(self, items: Sequence[Item]) -> Iterator[Item]:
        """Closed levels of the same structure, one feeding the next, become one card."""
        held: Card | None = None
        for item in items:
            alike = isinstance(item, Card) and item.kind == "level"
            if held is not None and alike and isinstance(item, Card) and self.continues(held, item):
                name = f"{held.name.partition('–')[0]}–{_last_name(item.name)}"
                steps = held.steps * held.count + item.steps * item.count
                held = replace(held, name=name, steps=steps, makes=item.makes, count=1)
                continue
            if held is not None:
                yield held
                held = None
            if alike and isinstance(item, Card):
                held = item
            else:
                yield item
        if held is not None:
            yield held

    def continues(self, card: Card, following: Card) -> bool:
        first, second = card.steps[0], following.steps[0]
        assert isinstance(first, Call)
        assert isinstance(second, Call)
        return self.structure(first.body) == self.structure(second.body) and following.reads == card.makes

    def cut(self, items: Sequence[Item], level: Level, prefix: str) -> tuple[Item, ...]:
        """The first and the last items of a long row, with one card for all between them."""
        head, tail = items[: self.stretch // 2], items[-self.stretch // 4 :]
        middle = items[len(head) : len(items) - len(tail)]
        inside = {value for item in middle for value in item.makes}
        wanted = {value for item in tail for value in item.reads} | set(level.outputs)
        reads = dict.fromkeys(value for item in middle for value in item.reads if value not in inside)
        makes = tuple(value for item in middle for value in item.makes if value in wanted)
        steps = _between(level, head, tail)
        rest = Card("rest", f"{prefix}…", "", steps, tuple(reads), makes)
        return (*head, rest, *tail)

    def runs(self, level: Level) -> list[_Run]:
        """The level's steps, joined: what follows an op is part of its run, and equal ones in a row are counted."""
        found = self._runs.get(level)
        if found is None:
            found = self._runs[level] = list(_counted(_chained(level), level))
        return found

    def structure(self, level: Level) -> int:
        """A number that is equal for levels of the same steps wired alike, whatever the sizes and counts are."""
        found = self._shapes.get(level)
        if found is not None:
            return found
        made = {value: position for position, run in enumerate(self.runs(level)) for value in run.makes}
        entries: list[object] = []
        for position, run in enumerate(self.runs(level)):
            wires = tuple(position - made[value] if value in made else -1 for value in run.reads)
            if run.call is None:
                entry: object = tuple((type(step.op), step.structure) for step in run.first if isinstance(step, Node))
            else:
                entry = self.structure(run.call.body)
            if not entries or entries[-1] != (entry, wires):
                entries.append((entry, wires))
        key = level.title, tuple(entries)
        self._shapes[level] = self._numbers.setdefault(key, len(self._numbers))
        return self._shapes[level]


def _chained(level: Level) -> Iterator[_Run]:
    """Each step with the norm, activation and dropout that follow it and that alone read what it makes."""
    held: tuple[Step, ...] = ()
    for step in level.steps:
        if held and _follows(step, held[-1], level):
            held = (*held, step)
            continue
        if held:
            yield _Run(held, held)
        held = (step,)
    if held:
        yield _Run(held, held)


def _follows(step: Step, before: Step, level: Level) -> bool:
    if not isinstance(step, Node) or not isinstance(before, Node) or before.structure or before.op.variadic:
        return False
    chained = step.inputs == before.outputs and level.uses[step.inputs[0]] == 1
    return chained and step.op.family in FOLLOWERS and step.training == before.training


def _counted(runs: Iterable[_Run], level: Level) -> Iterator[_Run]:
    """Runs that repeat the one before them, and alone read what it makes, are counted instead."""
    held: _Run | None = None
    for run in runs:
        if held is not None and _repeats(run, held, level):
            held = replace(held, last=run.last, count=held.count + 1)
            continue
        if held is not None:
            yield held
        held = run
    if held is not None:
        yield held


def _repeats(run: _Run, before: _Run, level: Level) -> bool:
    if len(run.first) != len(before.first):
        return False
    for step, other in zip(run.first, before.first):
        if isinstance(step, Call) or isinstance(other, Call):
            if not (isinstance(step, Call) and isinstance(other, Call) and step.body is other.body):
                return False
        elif type(step.op) is not type(other.op) or step.op != other.op or step.tensors != other.tensors:
            return False
        if step.training != other.training:
            return False
    fed = before.makes
    if any(level.uses[value] > sum(read is value for read in run.reads) for value in fed if value in level.uses):
        return False
    same = (new is old or new in fed for new, old in zip(run.reads, before.last[0].inputs))
    return all(same) and any(value in fed for value in run.reads)


def _body(run: _Run) -> Level:
    assert run.call is not None
    return run.call.body


def _name(run: _Run) -> str:
    """What the author calls a run's first step, and its last where it is another."""
    first, last = run.first[0], run.last[0]
    if not first.named:
        return ""
    return first.name if run.count == 1 else f"{first.name} – {last.name}"


def _title(run: _Run, prefix: str) -> str:
    """A call's name in the picture; a bare number gets the name of the level around it: ``layer2.1``."""
    names = [run.first[0].name] if run.count == 1 else [run.first[0].name, run.last[0].name]
    around = prefix.rstrip(".").rpartition(".")[2]
    if names[0].isdigit() and around:
        names[0] = f"{around}.{names[0]}"
    return "–".join(names)


def _last_name(name: str) -> str:
    """``3`` of ``layer2.1–3``, ``1`` of ``layer2.1``."""
    return name.rpartition("–")[2].rpartition(".")[2]


def _between(level: Level, head: Sequence[Item], tail: Sequence[Item]) -> tuple[Step, ...]:
    """The steps of a level after those of ``head`` and before those of ``tail``."""
    places: Mapping[Value, int] = {value: place for place, step in enumerate(level.steps) for value in step.outputs}
    start = max(places[value] for item in head for value in item.makes if value in places) + 1
    stop = min(places[value] for item in tail for value in item.makes if value in places)
    return level.steps[start:stop]
