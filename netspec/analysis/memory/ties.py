"""Parameters that several steps read."""

from __future__ import annotations

from typing import NamedTuple

from netspec.graph import Level, Node, visits, walk


class Ties(NamedTuple):
    """The tied parameters of a network.

    ``frozen`` are the keys of those that are not trained. ``added`` are all uses of one, as a step and the name there,
    but the last: the backward pass begins there, and adds the gradients of the others.
    """

    frozen: frozenset[str] = frozenset()
    added: frozenset[tuple[Node, str]] = frozenset()


def ties_of(body: Level) -> Ties:
    """Return the tied parameters of a network."""
    if not body.has_ties:
        return Ties()
    last: dict[str, tuple[Node, str]] = {}
    added: set[tuple[Node, str]] = set()
    for _, step, _ in walk(body):
        for name, target in step.ties if isinstance(step, Node) else ():
            assert isinstance(step, Node)
            added.update([last[target]] if target in last else [])
            last[target] = step, name
    frozen: set[str] = set()
    for visit in visits(body):
        for name in visit.step.parameters if isinstance(visit.step, Node) and not visit.shared else ():
            assert isinstance(visit.step, Node)
            key = visit.step.key(visit.path.removesuffix(visit.step.name), name)
            if key in last:
                frozen.update([key] if visit.frozen else [])
                added.add((visit.step, name))
    return Ties(frozenset(frozen), frozenset(added))
