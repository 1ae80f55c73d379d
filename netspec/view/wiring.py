"""The arrangement of the items of a level: the straight spine, the branches beside it, the edges that skip.

Positions count a level's items from 0. Below them come ``ENTRY``, for all that comes in from around the level, and
under that one position for each of the level's inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netspec.dataclass import dataclass
from netspec.graph import Node, Value
from netspec.view.folding import Box, Card, Item

ENTRY = -1


@dataclass(frozen=True)
class Wiring:
    """The places of the items of one level.

    ``columns`` gives each item its column: 0 is the spine, from the level's inputs to its main output. ``entries``
    gives each input the column of an item that it alone feeds, where there is one. ``rows`` are the items that start
    next to each other at each fork, from left to right. ``gaps`` gives the join of forks where the spine passes
    between an even number of branches. ``skips`` are the (item, value) edges that go around what they join,
    ``shortcuts`` the items that stand on such a way.
    """

    columns: tuple[int, ...]
    entries: tuple[int | None, ...]
    rows: Mapping[int, tuple[int, ...]]
    gaps: Mapping[int, int]
    skips: frozenset[tuple[int, Value]]
    shortcuts: frozenset[int]
    forks: tuple[int, ...]


def wire(items: Sequence[Item], inputs: Iterable[Value], outputs: Iterable[Value]) -> Wiring:
    """The wiring of items, in the order they run; ``outputs`` are the level's, the main one first."""
    wires = _Wires(items, inputs)
    for value in outputs:
        wires.place(wires.maker[value])
    for position in reversed(range(len(items))):
        wires.place(position)
    return Wiring(
        columns=tuple(wires.column[position] for position in range(len(items))),
        entries=tuple(wires.entries()),
        rows=dict(wires.rows()),
        gaps=wires.gaps,
        skips=frozenset(wires.skips()),
        shortcuts=frozenset(wires.shortcuts),
        forks=tuple(wires.fork),
    )


class _Wires:
    """``maker`` is the position that makes a value, ``before`` those that an item reads from, ``fork`` the last one
    that everything on the way to an item passes."""

    def __init__(self, items: Sequence[Item], inputs: Iterable[Value]):
        self.items = items
        self.maker = {value: ENTRY - 1 - place for place, value in enumerate(inputs)}
        self.maker |= {value: position for position, item in enumerate(items) for value in item.makes}
        self.around = range(min(self.maker.values(), default=ENTRY), ENTRY)
        self.before = [list(dict.fromkeys(self.maker[value] for value in item.reads)) or [ENTRY] for item in items]
        self.fork: list[int] = []
        for found in self.before:
            self.fork.append(self._common(found))
        self.column: dict[int, int] = {}
        self.gaps: dict[int, int] = {}
        self.shortcuts: set[int] = set()
        self._used = -1

    def _common(self, positions: Iterable[int]) -> int:
        """The last position that everything on the way to all of ``positions`` passes: their common dominator."""
        first, *others = positions
        for other in others:
            while first != other:
                if first <= ENTRY and other <= ENTRY:
                    return ENTRY
                if first > other:
                    first = self.fork[first]
                else:
                    other = self.fork[other]
        return first

    def is_residual(self, position: int) -> bool:
        item = self.items[position]
        return isinstance(item, Card) and isinstance(item.steps[0], Node) and item.steps[0].structure == "residual"

    def is_source(self, position: int) -> bool:
        """Return whether an item makes something of nothing, such as a parameter."""
        return position > ENTRY and not self.items[position].reads

    def joins(self, position: int) -> bool:
        """Return whether an item brings branches together: a merge of a structure, or arithmetic on several inputs."""
        item = self.items[position]
        if not isinstance(item, Card) or not isinstance(item.steps[0], Node):
            return False
        return item.kind == "op" and (item.steps[0].merges or item.steps[0].op.variadic)

    def place(self, position: int, stop: int = ENTRY, column: int | None = None) -> None:
        """Give the way up from an item its column, a new one by default, as far as ``stop`` or what has one."""
        if column is None:
            if position == stop or position <= ENTRY or position in self.column:
                return
            self._used += 1
            column = self._used
        while position != stop and position > ENTRY and position not in self.column:
            self.column[position] = column
            position = self._above(position, column)

    def _above(self, position: int, column: int) -> int:
        """The next item up in the same column; the other branches that meet here get columns of their own."""
        fork, before = self.fork[position], self.before[position]
        if self.is_residual(position):
            body, shortcut = (self.maker[value] for value in self.items[position].reads[:2])
            if self.passes(body, shortcut):  # the body takes more than what the shortcut goes around it with
                return body
            self.place(shortcut, fork)
            while shortcut != fork and shortcut > ENTRY:
                self.shortcuts.add(shortcut)
                shortcut = self.fork[shortcut]
            return body
        beside = [found for found in before if self.is_source(found)]
        elsewhere = {fork, *beside}
        branches = [found for found in before if found not in elsewhere and found not in self.around]
        if not branches:
            return fork
        middle = branches.pop(len(branches) // 2) if len(branches) % 2 else None
        if middle is not None:
            self.place(middle, fork, column)
        elif branches and len(before) == len(branches):
            self.gaps.setdefault(fork, position)
        for branch in (*branches, *beside):
            self.place(branch, fork)
        return fork

    def passes(self, position: int, above: int) -> bool:
        """Return whether something on the way to an item goes through one ``above`` it."""
        waiting, seen = [position], {position}
        while waiting:
            found = waiting.pop()
            if found == above:
                return True
            fresh = [each for each in self.before[found] if each >= above and each not in seen] if found > ENTRY else []
            seen.update(fresh)
            waiting += fresh
        return False

    def entries(self) -> Iterator[int | None]:
        fed: dict[int, int] = {}
        for place, before in enumerate(self.before):
            given = [found for found in before if not self.is_source(found)]
            if len(given) == 1:
                fed[given[0]] = min(self.column[place], fed.get(given[0], self.column[place]))
        for position in sorted((position for position in self.maker.values() if position < ENTRY), reverse=True):
            yield fed.get(position)

    def rows(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        sides: dict[int, list[int]] = {}
        for position, before in enumerate(self.before):
            if len(before) == 1:
                sides.setdefault(before[0], []).append(position)
        for fork, side in sorted(sides.items()):
            if len(side) > 1:
                yield fork, tuple(sorted(side, key=self._side))

    def _side(self, position: int) -> tuple[bool, bool, int]:
        return self.items[position].training, position in self.shortcuts, position

    def skips(self) -> Iterator[tuple[int, Value]]:
        for position, item in enumerate(self.items):
            for place, value in enumerate(item.reads):
                around = len(self.before[position]) > 1 and self.maker[value] == self.fork[position]
                if self.joins(position) and (around or (self.is_residual(position) and place == 1)):
                    yield position, value


def port_names(item: Item) -> Sequence[str]:
    """Return an op's names for its inputs, if it has several of different kinds: ``query``, ``key``, ``value``."""
    if isinstance(item, Box) or not isinstance(head := item.steps[0], Node) or head.op.variadic:
        return ()
    ports = head.ports or head.op.ports
    return ports if len(ports) >= len(item.reads) > 1 else ()
