"""The steps of two networks that correspond, level by level from the network down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from netspec.analysis.diff.align import Pair, align
from netspec.dataclass import dataclass
from netspec.dims import times_shape
from netspec.graph import Call, Graph, Level, Node, Step, Value, visits


@dataclass(frozen=True, eq=False)
class Match:
    """A step of either network (the other is ``None``), or one of each that correspond.

    ``certain`` says that nothing else corresponds as well. ``inner`` has the steps of two levels that correspond;
    it is ``None`` where the levels are equal, and for nodes.
    """

    old: Step | None
    new: Step | None
    certain: bool = True
    inner: tuple[Match, ...] | None = None

    @property
    def step(self) -> Step:
        """The new step, or the old one where there is no new one."""
        step = self.new or self.old
        assert step is not None
        return step

    def mirrored(self) -> Match:
        """The same, with old and new exchanged."""
        inner = None if self.inner is None else tuple(each.mirrored() for each in self.inner)
        return Match(self.new, self.old, self.certain, inner)


class Leaf(NamedTuple):
    """Nodes that correspond, with their paths; ``None`` for one that stands alone."""

    old_path: str
    old: Node | None
    new_path: str
    new: Node | None
    certain: bool


class Matching:
    """Matches two graphs. Exchanging the two exchanges the sides of every match, and nothing else."""

    def __init__(self, old: Graph, new: Graph):
        self.signatures = Signatures()
        self._known: dict[tuple[int, int], tuple[Match, ...]] = {}
        if _order(old) <= _order(new):
            self.steps = self.level(old.body, new.body)
        else:
            self.steps = tuple(match.mirrored() for match in self.level(new.body, old.body))

    def level(self, old: Level, new: Level) -> tuple[Match, ...]:
        """The matches of two levels' steps."""
        key = id(old), id(new)  # the graphs keep them alive
        if key not in self._known:
            self._known[key] = tuple(
                each for pair in self._pairs(old.steps, new.steps) for each in self._matches(pair, old, new)
            )
        return self._known[key]

    def _matches(self, pair: Pair, old: Level, new: Level) -> Iterator[Match]:
        before = None if pair.old is None else old.steps[pair.old]
        after = None if pair.new is None else new.steps[pair.new]
        if before is None or after is None:
            yield Match(before, after)
        elif not pair.certain and before.name != after.name and (before.named or after.named):
            yield Match(before, None)  # which of several it has become cannot be told
            yield Match(None, after)
        elif isinstance(before, Call) and isinstance(after, Call) and not self.signatures.equal(before, after):
            yield Match(before, after, pair.certain, self.level(before.body, after.body))
        else:
            yield Match(before, after, pair.certain)

    def _pairs(self, old: Sequence[Step], new: Sequence[Step]) -> list[Pair]:
        """Equal steps at both ends are set aside; what is between them is aligned."""
        start = 0
        while start < min(len(old), len(new)) and self._same(old[start], new[start]):
            start += 1
        end = 0
        while end < min(len(old), len(new)) - start and self._same(old[-1 - end], new[-1 - end]):
            end += 1
        inside_old, inside_new = old[start : len(old) - end], new[start : len(new) - end]
        middle = align(len(inside_old), len(inside_new), self._scores(inside_old, inside_new))
        if middle is None:
            middle = list(by_name(inside_old, inside_new))
        return [
            *(Pair(at, at) for at in range(start)),
            *(Pair(_moved(pair.old, start), _moved(pair.new, start), pair.certain) for pair in middle),
            *(Pair(len(old) - at, len(new) - at) for at in range(end, 0, -1)),
        ]

    def _same(self, old: Step, new: Step) -> bool:
        return old.name == new.name and self.signatures.of(old) == self.signatures.of(new)

    def _scores(self, old: Sequence[Step], new: Sequence[Step]) -> Any:
        profiles = [self.signatures.profile(step) for step in old], [self.signatures.profile(step) for step in new]
        return lambda i, j: score(profiles[0][i], profiles[1][j])


def leaves(matches: Sequence[Match], old: str = "", new: str = "", certain: bool = True) -> Iterator[Leaf]:
    """Every node of both networks, in the order of the matches; ``old`` and ``new`` stand before the paths."""
    for match in matches:
        sure = certain and match.certain
        before, after = match.old, match.new
        old_path = old + before.name if before is not None else ""
        new_path = new + after.name if after is not None else ""
        if isinstance(before, Call) and isinstance(after, Call):
            inner = match.inner
            if inner is None:
                inner = tuple(Match(one, other) for one, other in zip(before.body.steps, after.body.steps))
            yield from leaves(inner, old_path + ".", new_path + ".", sure)
            continue
        for path, step, _ in _nodes(before, old_path):
            if not isinstance(after, Node):
                yield Leaf(path, step, "", None, sure)
        for path, step, _ in _nodes(after, new_path):
            if not isinstance(before, Node):
                yield Leaf("", None, path, step, sure)
        if isinstance(before, Node) and isinstance(after, Node):
            yield Leaf(old_path, before, new_path, after, sure)


def _nodes(step: Step | None, path: str) -> Iterator[tuple[str, Node, bool]]:
    if isinstance(step, Node):
        yield path, step, step.training
    elif step is not None:
        for inside, each, training, *_ in visits(step.body, path + "."):
            if isinstance(each, Node):
                yield inside, each, training


def by_name(old: Sequence[Step], new: Sequence[Step]) -> Iterator[Pair]:
    """The pairs of rows that are too long to weigh: steps of one name, in the order of both."""
    places = {step.name: at for at, step in enumerate(new)}
    done = 0
    for at, step in enumerate(old):
        found = places.get(step.name, -1)
        if found < done or type(new[found]) is not type(step):
            yield Pair(at, None)
            continue
        yield from (Pair(None, skipped) for skipped in range(done, found))
        yield Pair(at, found)
        done = found + 1
    yield from (Pair(None, left) for left in range(done, len(new)))


def _moved(position: int | None, by: int) -> int | None:
    return None if position is None else position + by


def _order(graph: Graph) -> list[str]:
    """A text of a network, by which two of them have an order that does not depend on which is the old one."""
    return [
        f"{path} {step.op!r} {[times_shape(value.shape) for value in (*step.inputs, *step.outputs)]}"
        for path, step, *_ in visits(graph.body)
        if isinstance(step, Node)
    ]


class Profile(NamedTuple):
    """The properties of a step that are compared. ``ops`` counts the ops of a level by name; ``None`` for a node."""

    name: str
    named: bool
    kind: str
    family: str
    exact: int
    arguments: Hashable
    learned: Hashable
    made: Hashable
    ops: Counter[str] | None


def score(old: Profile, new: Profile) -> int:
    """Return how well two steps go together; 0 for those that do not.

    What they do counts most, then how the author calls them, then their sizes. That their numbers are equal decides
    only between what is equal otherwise.
    """
    alike = _alike(old, new)
    named = old.named and new.named and old.name == new.name
    if not alike and not (named and (old.ops is None) == (new.ops is None)):
        return 0
    total = alike + (60 if named else 0)
    total += 50 * (old.exact == new.exact)
    total += 40 * (old.arguments == new.arguments and old.kind == new.kind)
    total += 30 * (old.learned == new.learned and old.kind == new.kind)
    total += 20 * (old.made == new.made)
    return total + (old.name == new.name)


def _alike(old: Profile, new: Profile) -> int:
    """Return how much two steps do the same: nodes by their ops, levels by their blocks and what is in them."""
    if old.ops is None or new.ops is None:
        if old.ops is not new.ops:
            return 0
        return 80 if old.kind == new.kind else 20 if old.family == new.family and old.family in SWAPPED else 0
    both = old.ops.total() + new.ops.total()
    common = 2 * (old.ops & new.ops).total() / both if both else 1
    return round(60 * common + (40 if old.kind == new.kind else 0)) if common >= 0.5 else 0


SWAPPED = ("activation", "norm", "pooling")
"""Families whose ops take each other's place: a ``gelu`` where a ``relu`` was is one layer that has changed."""


class Signatures:
    """Numbers that are equal for equal steps and levels of both graphs, wherever they are written."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._levels: dict[Level, int] = {}
        self._counts: dict[Level, Counter[str]] = {}

    def equal(self, old: Call, new: Call) -> bool:
        """Return whether two calls run equal levels."""
        return self.level(old.body) == self.level(new.body)

    def of(self, step: Step) -> int:
        """The number of a step, without its name and place."""
        return self._number(self._key(step))

    def level(self, level: Level) -> int:
        """The number of a level: its steps with their names, wired alike, on the same shapes."""
        if level not in self._levels:
            places: dict[Value, int] = {}

            def wires(values: Sequence[Value]) -> tuple[int, ...]:
                return tuple(places.setdefault(value, len(places)) for value in values)

            entered = wires(level.inputs), tuple((value.tensor, value.optional) for value in level.inputs)
            steps = tuple(
                (step.name, self.of(step), wires(step.inputs), wires(step.outputs), level.phases.get(step))
                for step in level.steps
            )
            names = level.input_names, level.output_names
            key = level.kind, level.title, level.loop, entered, steps, wires(level.outputs), names
            self._levels[level] = self._number(key)
        return self._levels[level]

    def profile(self, step: Step) -> Profile:
        """Return the properties of a step that are compared."""
        made = tuple(value.shape for value in step.outputs)
        if isinstance(step, Call):
            body = step.body
            return Profile(step.name, step.named, body.title, "", self.of(step), None, None, made, self._ops(body))
        learned = tuple(step.parameters.items())
        family = step.op.family
        return Profile(step.name, step.named, step.op.name, family, self.of(step), step.op, learned, made, None)

    def _key(self, step: Step) -> Hashable:
        marks = step.named, step.training, step.shares, step.frozen
        if isinstance(step, Call):
            return Call, self.level(step.body), marks, step.recompute
        own = step.structure, step.ports, step.ties
        given = tuple((value.tensor, value.optional) for value in step.inputs)
        return type(step.op), step.op, own, given, tuple(value.tensor for value in step.outputs), marks

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _ops(self, level: Level) -> Counter[str]:
        if level not in self._counts:
            total: Counter[str] = Counter()
            for step in level.steps:
                total += Counter([step.op.name]) if isinstance(step, Node) else self._ops(step.body)
            self._counts[level] = total
        return self._counts[level]
