"""The changes of the ``state_dict`` keys, of parameters and buffers, so that a checkpoint can be carried over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from netspec.analysis.diff.align import align
from netspec.analysis.diff.matching import Match, leaves
from netspec.dataclass import dataclass
from netspec.dims import Shape
from netspec.graph import Graph, Node, walk_state


class Renamed(NamedTuple):
    """A parameter that stands under another key."""

    old: str
    new: str
    shape: Shape


class Reshaped(NamedTuple):
    """A key whose parameter has another shape."""

    key: str
    old: Shape
    new: Shape


@dataclass(slots=True)
class Keys:
    """Every key of both networks, by what becomes of it. ``kept`` ones have their key and their shape in both."""

    kept: list[str] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    reshaped: list[Reshaped] = field(default_factory=list)
    removed: dict[str, Shape] = field(default_factory=dict)
    added: dict[str, Shape] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Return whether every key has its counterpart of the same name and shape."""
        return not (self.renamed or self.reshaped or self.removed or self.added)


def compare_keys(old: Graph, new: Graph, matches: Sequence[Match]) -> Keys:
    """Return the change of each key. A key is renamed only where nothing else could be meant."""
    before, after = dict(walk_state(old.body)), dict(walk_state(new.body))
    partners = _partners(before, after, matches)
    found = Keys()
    taken = set()
    for key, shape in before.items():
        target = partners.get(key, key)
        if target != key and after[target] == shape:
            found.renamed.append(Renamed(key, target, shape))
            taken.add(target)
        else:
            found.removed[key] = shape
    found.added = {key: shape for key, shape in after.items() if key not in taken}
    for key in [key for key in found.removed if key in found.added]:
        was, now = found.removed.pop(key), found.added.pop(key)
        if was == now:
            found.kept.append(key)
        else:
            found.reshaped.append(Reshaped(key, was, now))
    return found


def _partners(old: Mapping[str, Shape], new: Mapping[str, Shape], matches: Sequence[Match]) -> dict[str, str]:
    """The new key of each old one whose parameter certainly lives on.

    What the levels leave over is compared once more, in the stretches between what corresponds: a layer may have moved
    into another level.
    """
    found: dict[str, str] = {}
    gone: list[tuple[str, Node]] = []
    come: list[tuple[str, Node]] = []

    def pair(path: str, node: Node, other_path: str, other: Node) -> None:
        names = node.state.keys() & other.state.keys()
        prefix, other_prefix = path.removesuffix(node.name), other_path.removesuffix(other.name)
        pairs = ((node.key(prefix, name), other.key(other_prefix, name)) for name in names)
        found.update((key, target) for key, target in pairs if key in old and target in new)

    def settle() -> None:
        for path, node, other_path, other in _moved(gone, come):
            pair(path, node, other_path, other)
        gone.clear()
        come.clear()

    for leaf in leaves(matches):
        if leaf.old is not None and leaf.new is not None:
            if leaf.certain or leaf.old_path == leaf.new_path:
                settle()
                pair(leaf.old_path, leaf.old, leaf.new_path, leaf.new)
        elif leaf.old is not None and leaf.old.state:
            gone.append((leaf.old_path, leaf.old))
        elif leaf.new is not None and leaf.new.state:
            come.append((leaf.new_path, leaf.new))
    settle()
    return found


def _moved(gone: Sequence[tuple[str, Node]], come: Sequence[tuple[str, Node]]) -> Iterable[tuple[str, Node, str, Node]]:
    """The nodes with a state that certainly correspond, of those that went and those that came at one place.

    An equal shape alone says little: what stands before them or behind them has to correspond too.
    """
    old, new = [_learns(node) for _, node in gone], [_learns(node) for _, node in come]
    pairs = align(len(old), len(new), lambda i, j: int(old[i] == new[j])) or ()
    certain = {(i, j) for i, j, is_certain in pairs if i is not None and j is not None and is_certain}
    ends = {(-1, -1), (len(old), len(new))}
    for before, after in sorted(certain):
        if not (certain | ends).isdisjoint(_beside(before, after)):
            yield *gone[before], *come[after]


def _beside(old: int, new: int) -> list[tuple[int, int]]:
    return [(old - 1, new - 1), (old + 1, new + 1)]


def _learns(node: Node) -> object:
    return node.op.name, tuple(node.state.items())
