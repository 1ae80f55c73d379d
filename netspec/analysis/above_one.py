"""Products of sizes that must be above 1, as norms ask of the values that they measure: which of them say all.

Such a product of sizes that grow with one dimension each is 1 in a corner, up to some size of each dimension. Of a deep
layer the corner is larger: it holds those of the layers before it, whose requirements need not be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from netspec.dims import Dim, evaluate
from netspec.elaborate.state.requirements import holds, symbols_of
from netspec.graph import Requirement

Corner = Mapping[str, int]
"""The largest size of each dimension at which a product is 1."""

LARGEST = 4096
"""The largest size that is tried in the search for a corner."""


def is_above_one(requirement: Requirement) -> bool:
    """Return whether a requirement is that its left side is above 1."""
    return requirement.relation == ">=" and requirement.right == 2


def unimplied(
    requirements: Sequence[Requirement], others: Iterable[Requirement]
) -> list[tuple[Requirement, Corner | None]]:
    """The requirements without those products above 1 that hold wherever the rest and the ``others`` do, and corners.

    A corner is ``None`` of what is no such product, or where it is not to be said.
    """
    least = _least(requirements, others)
    kept: list[tuple[Requirement, Corner | None]] = []
    for each in requirements:
        corner = _corner(each, least) if is_above_one(each) else None
        if corner is None:
            kept.append((each, None))
        elif corner and not any(of and _holds_all(of, corner) for _, of in kept):
            kept = [(known, of) for known, of in kept if not of or not _holds_all(corner, of)]
            kept.append((each, corner))
    return kept


def _least(requirements: Sequence[Requirement], others: Iterable[Requirement]) -> dict[str, int]:
    """The least size of each dimension at which holds what is required of it alone."""
    alone: dict[str, list[Requirement]] = {}
    for each in others:
        names = symbols_of(each)
        if len(names) == 1:
            alone.setdefault(min(names), []).append(each)
    names = frozenset().union(*map(symbols_of, requirements))
    sizes = range(1, LARGEST)
    return {
        name: next((size for size in sizes if all(holds(each, {name: size}) for each in alone.get(name, ()))), 1)
        for name in names
    }


def _corner(requirement: Requirement, least: Mapping[str, int]) -> Corner | None:
    """Return where a product is 1; empty where it never is, ``None`` where that is no corner."""
    assert isinstance(requirement.left, Dim)
    start = {name: least[name] for name in requirement.left.symbols}
    if evaluate(requirement.left, start) > 1:
        return {}
    corner = {name: _last(requirement.left, start, name) for name in start}
    if 0 in corner.values() or not _is_corner(requirement.left, start, corner):
        return None
    return corner


def _last(size: Dim, start: Mapping[str, int], name: str) -> int:
    """The largest size of one dimension at which a product that grows with it is 1; 0 where that is too far to look."""
    low, high = start[name], 2 * start[name]
    while evaluate(size, {**start, name: high}) <= 1:
        low, high = high, 2 * high
        if high > LARGEST:
            return 0
    while high - low > 1:
        middle = (low + high) // 2
        if evaluate(size, {**start, name: middle}) <= 1:
            low = middle
        else:
            high = middle
    return low


def _is_corner(size: Dim, start: Mapping[str, int], corner: Corner) -> bool:
    """Return whether it is 1 at the corner's own end too, and above 1 as soon as one dimension goes beyond it."""
    ends = product(*((start[name], corner[name], corner[name] + 1) for name in corner))
    for end in ends:
        sizes = dict(zip(corner, end))
        inside = all(sizes[name] <= corner[name] for name in corner)
        if (evaluate(size, sizes) <= 1) != inside:
            return False
    return True


def _holds_all(wide: Corner, narrow: Corner) -> bool:
    return wide.keys() == narrow.keys() and all(wide[name] >= size for name, size in narrow.items())
