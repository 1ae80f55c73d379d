"""Values of ``train:`` that are given on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.recipes import ingredients
from netspec.spec import Written
from netspec.syntax import MapNode, ScalarNode, SyntaxNode


def with_overrides(node: Written | None, overrides: Mapping[str, SyntaxNode]) -> Written | None:
    """``train:`` with what was said on the command line put in its place: ``train.optimizer.lr=0.1``."""
    for path, value in overrides.items():
        node = _put(node, path.split("."), value, ())
    return node


def _put(node: Written | None, path: list[str], value: SyntaxNode, above: tuple[str, ...]) -> SyntaxNode:
    """A node with ``value`` at ``path`` inside it; an ingredient's name may be left out of the path."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(node, ScalarNode) and isinstance(node.value, str):  # `adam` is `adam: {}`
        node = MapNode(node.span, ((node, MapNode(node.span, ())),))
    entries = node.entries if isinstance(node, MapNode) else ()
    kind: Any = {"optimizer": "optimizer", "schedule": "schedule", "data": "data", "loss": "loss"}.get(
        above[0] if above else ""
    )
    if kind is not None and len(above) == 1 and len(entries) == 1 and entries[0][0].text != key:
        name = entries[0][0].text
        if key not in ingredients(kind) and name in ingredients(kind):
            return _put(node, [name, *path], value, above)
        entries = ()  # another ingredient takes the place of this one
    found = {each.text: (each, inside) for each, inside in entries}
    own, inside = found.get(key, (ScalarNode(value.span, key, key, True), None))
    if kind is not None and len(above) == 1 and rest and inside is not None and not isinstance(inside, MapNode):
        main = ingredients(kind)[key].main if key in ingredients(kind) else None
        if main is not None:  # `adam: 0.002` is `adam: {lr: 0.002}`
            inside = MapNode(inside.span, ((ScalarNode(inside.span, main, main, True), inside),))
    found[key] = own, _put(inside, rest, value, (*above, key))
    return MapNode(node.span if node is not None else value.span, tuple(found.values()))
