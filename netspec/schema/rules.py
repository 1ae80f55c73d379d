"""Initialisation: which function a parameter starts with."""

from __future__ import annotations

from netspec.elaborate.passes.init_rules import ALONE, FUNCTIONS
from netspec.reference.sources.rules import rule_arguments
from netspec.reference.values import any_of, or_expression
from netspec.reference.word import Json, WordArgument
from netspec.schema.mapping import closed, one_key, required


def rule_schema() -> Json:
    """Return the schema of an initialisation: the name of a function, or a mapping with one key and its arguments."""
    alone = [name for name in FUNCTIONS if not required(rule_arguments(name))]
    return any_of({"enum": alone}, one_key({name: _function_schema(name) for name in FUNCTIONS}))


def _function_schema(function: str) -> Json:
    arguments = rule_arguments(function)
    needed = required(arguments)
    options = [closed({name: _argument_schema(argument) for name, argument in arguments.items()}, needed)]
    if arguments and ALONE.get(function, "") is not None:
        options.append(or_expression({"type": "number"}))
    return any_of(*options, *([] if needed else [{"type": "null"}]))


def _argument_schema(argument: WordArgument) -> Json:
    """A number, or one of some words; either may be computed, a word by an expression in braces."""
    words = argument.holds.get("enum")
    values = or_expression({"type": "number"})
    if words is not None:
        values = any_of({"enum": words}, {"type": "string", "pattern": r"\{"})
    return {**values, "description": argument.doc}
