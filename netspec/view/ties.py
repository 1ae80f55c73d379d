"""The cards of a diagram that have the same weights: by ``tie`` and by ``share``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from netspec.graph import Graph, Node, Step, walk


class Tie(NamedTuple):
    """Two nodes of a picture that have the same weights, the one that is drawn first first, and what to say of it."""

    node: str
    other: str
    hint: str


def ties(graph: Graph, cards: Mapping[str, str]) -> Iterator[Tie]:
    """All ties, each pair of cards once; ``cards`` gives the node that stands for what is at a path, as drawn."""
    order = {node: place for place, node in enumerate(dict.fromkeys(cards.values()))}
    known = set()
    for path, step, _ in walk(graph.body):
        for other, hint in _shared(path, step):
            ends = {_card_at(path, cards), _card_at(other, cards)} & order.keys()
            if len(ends) == 2 and frozenset(ends) not in known:
                known.add(frozenset(ends))
                node, later = sorted(ends, key=order.__getitem__)
                yield Tie(node, later, hint)


def _card_at(path: str, cards: Mapping[str, str]) -> str:
    """The card that stands for what is at a path: its own, or that of a closed level around it. Empty if none does."""
    while path and path not in cards:
        path = path.rpartition(".")[0]
    return cards.get(path, "")


def _shared(path: str, step: Step) -> Iterator[tuple[str, str]]:
    """The paths of what a step has weights from, and what to say of it."""
    if step.shares:
        other = path.removesuffix(step.name) + step.shares
        yield other, f"{path} is {other} once more"
    if isinstance(step, Node):
        for name, other in step.ties:
            yield other, f"{path}.{name} is {other}" if name else f"{path} is {other}"
