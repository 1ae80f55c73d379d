"""Ingredients of a recipe, from what is written: ``adam``, ``adam: 0.002``, ``adam: {lr: 0.002}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from netspec.diagnostics import Span, clipped, did_you_mean
from netspec.elaborate.messages.unknowns import PLAIN_WORDS, listed
from netspec.elaborate.reading.scope import Scope, origin_labels, show
from netspec.elaborate.reading.values import Failed, Reader, whole_help
from netspec.ops.core.arguments import text_rule
from netspec.recipes import Ingredient, Kind, ingredients
from netspec.spec import Written
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
"""What each kind is called in messages."""


class IngredientReader:
    """Reads ingredients with the parameters of the spec in sight; what does not fit is reported at its place."""

    def __init__(self, reader: Reader, env: Scope):
        self.reader, self.env = reader, env

    def one(self, kind: Kind, node: Written) -> Ingredient:
        """An ingredient of that kind. Raises ``Failed`` where it has been refused."""
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

            help = ingredient_help(kind, key.text, known) or f"there are {listed([*known])}"
            message = f"no {WORDS[kind]} is called `{clipped(key.text)}`"
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
            except Failed:
                continue
        return tuple(made)

    def settings(self, kind: type[Made], node: Written | None, span: Span) -> Made:
        """An ingredient of a known class, from its arguments or its main one alone."""
        if node is None or (isinstance(node, ScalarNode) and node.value is None and node.plain and not node.text):
            return self.made(kind, {}, span)
        if isinstance(node, MapNode):
            return self.made(kind, {key.text: (key, value) for key, value in node.entries}, span)
        if kind.main is None:
            fields = [*kind.model_fields]
            help = f"name the argument: {listed(fields)}" if fields else f"write `{kind.name}` alone"
            raise self.reader.error(
                "bad-argument", f"`{kind.name}` takes no argument without its name", node.span, help=help
            )
        return self.made(kind, {kind.main: (node, node)}, span)

    def made(self, kind: type[Made], arguments: Mapping[str, tuple[Any, Written]], span: Span) -> Made:
        """The class with its arguments evaluated and checked; every fault in them is reported."""
        values: dict[str, Any] = {}
        failed = False
        for argument, (key, node) in arguments.items():
            if argument not in kind.model_fields:
                fields = [*kind.model_fields]
                help = did_you_mean(argument, fields) or (
                    f"its arguments are {listed(fields)}" if fields else "it takes none"
                )
                message = f"`{kind.name}` has no argument `{clipped(argument)}`"
                self.reader.error("unknown-argument", message, key.span, help=help)
                failed = True
                continue
            try:
                values[argument] = self.reader.value(node, self.env, text_rule(kind, argument))
            except Failed:
                failed = True
        if failed:
            raise Failed
        try:
            return kind(**values)
        except ValidationError as found:
            faults = found.errors(include_input=False, include_url=False)
        missing = [str(fault["loc"][0]) for fault in faults if fault["type"] == "missing"]
        if missing:
            help = f"`{kind.name}: {{{', '.join(f'{name}: …' for name in missing)}}}`"
            self.reader.error("missing-argument", f"`{kind.name}` needs {listed(missing)}", span, help=help)
        told: set[str] = set()
        for fault in faults:
            argument = str(fault["loc"][0]) if fault["loc"] else ""
            if fault["type"] != "missing" and argument not in told:
                told.add(argument)
                wanted = self._wanted(each for each in faults if each["loc"][:1] == fault["loc"][:1])
                self._refuse(kind, argument, wanted, arguments, values, span)
        raise Failed

    def _wanted(self, faults: Iterable[Mapping[str, Any]]) -> str:
        """What one argument must be, from all that is said of it: a union reports once for each member."""
        texts = []
        for fault in faults:
            wanted = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            for word, plain in PLAIN_WORDS.items():
                wanted = wanted.replace(word, plain)
            texts.append(wanted)
        return " or ".join(dict.fromkeys(texts))

    def _refuse(
        self,
        kind: type[Ingredient],
        argument: str,
        wanted: str,
        arguments: Mapping[str, tuple[Any, Written]],
        values: Mapping[str, Any],
        span: Span,
    ) -> None:
        if not argument:
            self.reader.error("bad-argument", f"`{kind.name}`: {wanted}", span)
            return
        node, value = arguments[argument][1], values[argument]
        help = whole_help(node) if isinstance(value, float) and "integer" in wanted else None
        message = f"`{argument}` of `{kind.name}` is {show(value)}, but must be {wanted}"
        labels = origin_labels(self.env, [node], node.span)
        self.reader.error("bad-argument", message, node.span, help=help, secondary=labels)
