"""A value's schema in words: ``integer ≥ 1``, ``string or list of strings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netspec.recipes import Ingredient
from netspec.recipes.settings import PARTS
from netspec.reference.sources.ingredients import ingredient_arguments
from netspec.reference.values import EXPRESSION
from netspec.reference.word import Json

DEFINITIONS: Mapping[str, str] = {
    "template": "name",
    "reference": "step",
    "body": "list of steps",
    "start": "initialisation",
    "init": "mapping from parameters to initialisations",
    "rule": "initialisation",
    "expect": "mapping",
    "train": "mapping",
    "dim": "size",
    "variant": "mapping from parameters to values",
    "parameter": "parameter",
    "input": "input",
    "output": "output",
    "block": "block",
    "data": "data set",
    "transform": "transform",
    "loss": "loss",
    "metrics": "metric or list of metrics",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "groups": "mapping from patterns to numbers or mappings",
    "metric": "metric",
    "weights": "string or mapping",
}
"""The names of the schema's definitions, for readers."""

TYPES: Mapping[str, str] = {
    "integer": "integer",
    "number": "number",
    "string": "string",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}


def type_text(holds: Json) -> str:
    """Return what a value may be, in words; that an expression may stand in its place goes without saying."""
    options = list(dict.fromkeys(_options(holds)))
    if "default" in holds and holds["default"] is None and len(options) > 1:
        options = [option for option in options if option != "null"]  # the key may be left out: there is no need of it
    return one_of(options) or "any value"


def one_of(options: Sequence[str]) -> str:
    """Return several possibilities in words: ``a, b or c``."""
    return ", ".join(options[:-1]) + " or " * (len(options) > 1) + "".join(options[-1:])


def _options(holds: Json) -> list[str]:
    if "$ref" in holds:
        name = holds["$ref"].rpartition("/")[2]
        return (
            [] if holds == EXPRESSION else [_part_text(PARTS[name]) if name in PARTS else DEFINITIONS.get(name, name)]
        )
    if "anyOf" in holds:
        return [text for option in holds["anyOf"] for text in _options(option)]
    if "const" in holds:
        return [f"`{holds['const']}`"]
    if "enum" in holds:
        return [f"`{value}`" for value in holds["enum"]]
    kinds = holds.get("type", [])
    return [_plain(kind, holds) for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def _part_text(part: type[Ingredient]) -> str:
    """The words for a part of ``train``: a mapping, or its main argument alone."""
    if part.main is None:
        return "mapping"
    main = ingredient_arguments(part)[part.main].holds
    kinds = [option["type"] for option in main.get("anyOf", [main]) if option["type"] != "null"]
    return one_of([*(TYPES[kind] for kind in kinds), "mapping"])


def _plain(kind: str, holds: Json) -> str:
    """One type with its bounds."""
    if kind == "array":
        return _list(holds)
    if kind == "object" and isinstance(holds.get("additionalProperties"), dict):
        return f"mapping from names to {_plural(holds['additionalProperties'])}"
    bounds = [f"{sign} {_number(holds[word])}" for word, sign in BOUNDS.items() if word in holds]
    return " ".join([TYPES[kind], *([", ".join(bounds)] if bounds and kind in ("integer", "number") else [])])


BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _list(holds: Json) -> str:
    least, most = holds.get("minItems"), holds.get("maxItems")
    count = f"{least} " if least == most and least is not None else ""
    return f"list of {count}{_plural(holds.get('items', {}))}"


def _plural(holds: Json) -> str:
    """Several of a kind: ``integers ≥ 1``, ``strings or lists of integers``."""
    return one_of([_plural_option(option) for option in dict.fromkeys(_options(holds))]) or "values"


def _plural_option(text: str) -> str:
    head, space, rest = text.partition(" ")
    if head in ("null", "true") or head.startswith("`"):
        return text
    ending = "es" if head.endswith("ss") else "" if head.endswith("s") else "s"
    return f"{head}{ending}{space}{rest}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
