"""Mappings: the schema of arguments and keys, and of a mapping of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.reference.sources.forms import form_keys
from netspec.reference.values import TEMPLATE, or_expression
from netspec.reference.word import Json, WordArgument
from netspec.spec import Form
from netspec.text.docstrings import documentation

CONSTRAINTS = frozenset(
    ("type", "anyOf", "enum", "const", "items", "minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems")
)
"""The keywords of a value's schema that are kept."""


def closed(properties: Json, required: list[str]) -> Json:
    """Return the schema of a mapping with these keys and no others."""
    made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def one_key(properties: Json) -> Json:
    """Return the schema of a mapping with one of these keys."""
    bounds: Json = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return {**bounds, "properties": properties, "additionalProperties": False}


def required(arguments: Mapping[str, WordArgument]) -> list[str]:
    """Return the names of the arguments that must be there."""
    return [name for name, argument in arguments.items() if argument.required]


def key_schema(key: WordArgument) -> Json:
    """Return what a key of a form holds, with its text; a step's name has its text in its definition."""
    holds = {word: value for word, value in key.holds.items() if word != "default"}
    return {**holds, "description": key.doc} if key.doc and key.holds != TEMPLATE else holds


def form_schema(form: type[Form]) -> Json:
    """Return the schema of the mapping that a form is read from."""
    keys = form_keys(form)
    properties = {name: key_schema(key) for name, key in keys.items()}
    return {"description": documentation(form), **closed(properties, required(keys))}


def argument_schema(argument: WordArgument) -> Json:
    """Return what an argument takes: its own values, or an expression for one."""
    kept = {key: item for key, item in argument.holds.items() if key in CONSTRAINTS}
    schema = or_expression(_with_expressions(kept))
    if argument.doc:
        schema["description"] = argument.doc
    return {**schema, "default": argument.holds["default"]} if "default" in argument.holds else schema


def called_options(arguments: Mapping[str, WordArgument], properties: Json, required: list[str]) -> list[Json]:
    """Return the ways to write what stands under a name: a mapping, the main argument alone, or nothing.

    ``arguments`` are the callee's own; ``properties`` all keys of the mapping, of which ``required`` must be there.
    """
    options = [closed(properties, required)]
    main = next((name for name, argument in arguments.items() if argument.main), None)
    if main is not None and set(required) <= {main}:
        options.append({key: item for key, item in properties[main].items() if key != "default"})
    if not required:
        options.append({"type": "null"})
    return options


def _with_expressions(schema: Json) -> Json:
    """The same with expressions as the items of lists."""
    made: dict[str, Any] = dict(schema)
    if "items" in made:
        made["items"] = or_expression(_with_expressions(made["items"]))
    if "anyOf" in made:
        made["anyOf"] = [_with_expressions(option) for option in made["anyOf"]]
    return made
