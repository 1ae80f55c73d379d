"""Symbolic sizes in a level as those of what it reads, so that it is the same for images of other sizes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from netspec.dims import Dim
from netspec.importer.write.phrases import CallPhrase, Formula, GroupPhrase, Phrase, SpecPhrase
from netspec.importer.write.rooms import everything_in

NAMES = {3: ("", "length", ""), 4: ("", "", "h", "w"), 5: ("", "", "d", "h", "w")}
"""The names of the dimensions that may be symbolic, by their number: the batch has its own."""
LARGEST_FACTOR = 16


def name_local_sizes(spec: SpecPhrase) -> None:
    """Say the sizes in levels by names for those of their first input, where they would be long expressions."""
    groups = [each for each in everything_in(spec.body) if isinstance(each, GroupPhrase)]
    taken = {*spec.inputs, *spec.sizes, *spec.let}
    wanting = {group.kind for group in groups if any(_is_long(size) for size in _sizes_in(group))}
    for group in groups:
        if group.kind in wanting:
            _name_in(group, taken)


def _name_in(group: GroupPhrase, taken: set[str]) -> None:
    shape = group.takes[0].tensor.shape if group.takes else ()
    names = NAMES.get(len(shape), ("",) * len(shape))
    sizes = {name: size for name, size in zip(names, shape) if name and name not in taken and isinstance(size, Dim)}
    used: set[str] = set()
    for phrase in group.body:
        if isinstance(phrase, CallPhrase) and phrase.block is None:
            phrase.arguments = {name: _said(value, sizes, used) for name, value in phrase.arguments.items()}
    group.let = {name: Formula(f"shape[{names.index(name)}]") for name in sizes if name in used}


def _sizes_in(group: GroupPhrase) -> list[Any]:
    calls: list[Phrase] = [each for each in group.body if isinstance(each, CallPhrase) and each.block is None]
    values = [value for call in calls for value in call.arguments.values()]  # type: ignore[attr-defined]
    return [item for value in values for item in (value if isinstance(value, tuple) else (value,))]


def _is_long(size: Any) -> bool:
    """Return whether a size is more than the name of a dimension, and a number of times that."""
    return isinstance(size, Dim) and (
        len(size.terms) > 1
        or any(len(term) != 1 or not isinstance(atom, str) for term in size.terms for atom, _ in term)
    )


def _said(value: Any, sizes: Mapping[str, Dim], used: set[str]) -> Any:
    """Return an argument with names in the place of sizes; ``used`` has them then."""
    if isinstance(value, tuple):
        return tuple(_said(item, sizes, used) for item in value)
    found = _expressed(value, sizes) if isinstance(value, Dim) else None
    if found is None:
        return value
    names, text = found
    used.update(names)
    return Formula(text)


def _expressed(size: Dim, sizes: Mapping[str, Dim]) -> tuple[tuple[str, ...], str] | None:
    """Return a size as a name, a multiple or a part of one, or a product of two, with the names that it reads."""
    for name, known in sizes.items():
        if size == known:
            return (name,), name
    for name, known in sizes.items():
        for factor in range(2, LARGEST_FACTOR + 1):
            if known * factor == size:
                return (name,), f"{factor} * {name}"
            if known // factor == size:
                return (name,), f"{name} // {factor}"
    for (left, one), (right, two) in itertools.combinations(sizes.items(), 2):
        if one * two == size:
            return (left, right), f"{left} * {right}"
    return None
