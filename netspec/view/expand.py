"""The levels that a reader asks to see open, in a table or a diagram: by path, name or block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from netspec.diagnostics import UsageError
from netspec.graph import Call, Graph, Level, walk


class Expanding:
    """The levels asked for. What is worked out for a level is kept for its other places."""

    def __init__(self, names: Sequence[str] = ()):
        self.names = frozenset(names)
        self._inside: dict[Level, frozenset[str]] = {}

    def asks(self, *called: str) -> bool:
        """Return whether what is ``called`` one of these is asked for: a level's path, its name, its block."""
        return not self.names.isdisjoint(called)

    def looks_into(self, level: Level, path: str) -> bool:
        """Return whether something inside a level is asked for, so that the level has to stand open as well."""
        if not self.names:
            return False
        return any(name.startswith(path + ".") for name in self.names) or not self.names.isdisjoint(self._within(level))

    def _within(self, level: Level) -> frozenset[str]:
        """Return the names of the levels inside a level."""
        found = self._inside.get(level)
        if found is None:
            names: set[str] = set()
            for step in level.steps:
                if isinstance(step, Call):
                    names |= {step.name, step.body.title} | self._within(step.body)
            found = self._inside[level] = frozenset(names)
        return found


def known_levels(graph: Graph, names: str | Sequence[str]) -> tuple[str, ...]:
    """The names, if each is a level's path, name or block; of equal ones in a row, as tables and diagrams call them
    (``layer1.0–1``), the first as well. Raises ``UsageError`` with what was likely meant."""
    names = (names,) if isinstance(names, str) else names
    known = set(_called(graph)) if names else set()
    found: list[str] = []
    for name in names:
        first = re.split("[–…]", name)[0]
        if name not in known and first not in known:
            from difflib import get_close_matches  # for faults alone

            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ": give a level's path, its name or its block"
            raise UsageError(f"`{name}` is no level that could be expanded{hint}")
        found += [name] if name in known else [name, first]
    return tuple(found)


def _called(graph: Graph) -> Iterator[str]:
    for path, step, _ in walk(graph.body):
        if isinstance(step, Call):
            yield from (path, step.name, step.body.title)
