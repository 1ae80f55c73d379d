"""Ingredients of a recipe, from what is written: ``adam``, ``adam: 0.002``, ``adam: {lr: 0.002}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from netspec.diagnostics import Span, clipped, did_you_mean, some_of
from netspec.elaborate.reading.arguments import build, model_callee, read_arguments
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.recipes import Ingredient, Kind, ingredients
from netspec.recipes.base import KEYS
from netspec.spec import Entry, Written
from netspec.syntax import ListNode, MapNode, ScalarNode

Made = TypeVar("Made", bound=Ingredient)

WORDS: Mapping[Kind, str] = {
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "data": "data set",
    "transform": "transform",
    "metric": "metric",
}
"""The word for each kind in messages."""


class IngredientReader:
    """Reads ingredients with the parameters of the spec in sight; what does not fit is reported at its place."""

    def __init__(self, reader: Reader, env: Scope):
        self.reader, self.env = reader, env

    def one(self, kind: Kind, node: Written) -> Ingredient:
        """An ingredient of that kind. Raises ``AlreadyReported`` where it has been refused."""
        if isinstance(node, MapNode) and len(node.entries) == 1:
            key, inside = node.entries[0]
        elif isinstance(node, ScalarNode) and isinstance(node.value, str):
            key, inside = node, None
        else:
            example = next(iter(ingredients(kind)))
            help = f"write its name, or one key with its arguments inside: `{example}: {{…}}`"
            called = [node.get(key) for key in ("name", "type")] if isinstance(node, MapNode) else []
            if named := next((each for each in called if isinstance(each, ScalarNode)), None):
                help = f"its name is the key: `{clipped(named.text)}: {{…}}`"
            raise self.reader.error("wrong-type", f"expected one {WORDS[kind]}", node.span, help=help)
        if key.text not in ingredients(kind):
            from netspec.plugins import look_for_plugins  # most recipes need none

            look_for_plugins()
        known = ingredients(kind)
        found = known.get(key.text)
        if found is None:
            from netspec.elaborate.messages.foreign import ingredient_help  # its tables are for faults alone

            help = ingredient_help(kind, key.text, known) or f"there are {some_of([*known], KEYS[kind])}"
            message = f"there is no {WORDS[kind]} named `{clipped(key.text)}`"
            raise self.reader.error("unknown-name", message, key.span, help=help)
        return self.settings(found, inside, key.span)

    def several(self, kind: Kind, node: Written | None) -> tuple[Any, ...]:
        """A list of ingredients, or a lone one; those at fault are left out."""
        if node is None:
            return ()
        made = []
        for item in node.items if isinstance(node, ListNode) else (node,):
            try:
                made.append(self.one(kind, item))
            except AlreadyReported:
                continue
        return tuple(made)

    def settings(self, kind: type[Made], node: Written | None, span: Span) -> Made:
        """Return an ingredient of a known class, from its arguments or its main one alone."""
        if node is None or (isinstance(node, ScalarNode) and node.value is None and node.plain and not node.text):
            return self.made(kind, {}, None, span)
        if isinstance(node, MapNode):
            return self.made(kind, {key.text: (key, value) for key, value in node.entries}, None, span)
        return self.made(kind, {}, node, span)

    def made(self, kind: type[Made], arguments: Mapping[str, Entry], main: Written | None, span: Span) -> Made:
        """Return an ingredient. Every fault in its arguments is reported; then it raises ``AlreadyReported``."""

        def unknown(key: ScalarNode) -> object:
            fields = [*kind.model_fields]
            help = did_you_mean(key.text, fields) or (
                f"its arguments are {some_of(fields, kind.name)}" if fields else "it takes none"
            )
            message = f"`{kind.name}` has no argument `{clipped(key.text)}`"
            return self.reader.error("unknown-argument", message, key.span, help=help)

        callee = model_callee(self.reader, kind, self.env, unknown)
        found = read_arguments(self.reader, callee, arguments, main, span)
        return build(kind.model_validate, self.reader, kind.name, found, self.env, span)
