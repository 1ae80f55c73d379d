"""Values of ``train:`` that are given on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args

from netspec.recipes import ingredients
from netspec.recipes.settings import Settings
from netspec.spec import TrainSpec, Written
from netspec.syntax import MapNode, ScalarNode, SyntaxNode

OWN_NULL = {
    name
    for name, field in Settings.model_fields.items()
    if field.default is not None and NoneType in get_args(field.annotation)
}


def with_overrides(node: Written | None, overrides: Mapping[str, SyntaxNode]) -> Written | None:
    """``train:`` with what was said on the command line put in its place: ``train.optimizer.lr=0.1``.

    ``train.weights=null`` takes a key out; those in ``OWN_NULL`` have a null that means something else.
    """
    for path, value in overrides.items():
        if (
            isinstance(value, ScalarNode)
            and value.value is None
            and path in TrainSpec.__annotations__.keys() - OWN_NULL
        ):
            node = _without(node, path)
        else:
            node = _put(node, path.split("."), value, ())
    return node


def _without(node: Written | None, key: str) -> Written | None:
    """A node that has not this key."""
    if not isinstance(node, MapNode):
        return node
    return MapNode(node.span, tuple(entry for entry in node.entries if entry[0].text != key))


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
