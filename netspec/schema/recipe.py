"""Training: the ingredients of each kind, and the numbers of a run."""

from __future__ import annotations

from typing import get_args

from netspec.recipes import Ingredient, Kind, ingredients
from netspec.recipes.settings import NAMED_PARTS, PARTS
from netspec.reference.sources.ingredients import ingredient_arguments, settings
from netspec.reference.values import any_of, definition, one_or_several
from netspec.reference.word import Json, WordArgument
from netspec.schema.mapping import argument_schema, called_options, one_key, required
from netspec.text.docstrings import documentation


def recipe_schemas() -> dict[str, Json]:
    """Return what stands under the keys of ``train``, by the names of their definitions."""
    made = {kind: _kind_schema(kind) for kind in get_args(Kind)}
    made["metrics"] = one_or_several(definition("metric"))
    made |= {name: ingredient_schema(part) for name, part in PARTS.items()}
    made |= {
        name: {"type": "object", "additionalProperties": ingredient_schema(part)} for name, part in NAMED_PARTS.items()
    }
    return made | {name: argument_schema(_without_doc(key)) for name, key in settings().items()}


def ingredient_schema(kind: type[Ingredient]) -> Json:
    """Return what stands under an ingredient's key: its arguments, or its main argument alone."""
    arguments = ingredient_arguments(kind)
    properties = {name: argument_schema(argument) for name, argument in arguments.items()}
    options = called_options(arguments, properties, required(arguments))
    return {"description": documentation(kind), **any_of(*options)}


def _kind_schema(kind: Kind) -> Json:
    """The ingredients of a kind: a name alone, or a mapping with one key."""
    known = ingredients(kind)
    alone = [name for name, each in known.items() if not required(ingredient_arguments(each))]
    words = [{"const": name, "description": documentation(known[name])} for name in alone]
    return any_of(*words, one_key({name: ingredient_schema(each) for name, each in known.items()}))


def _without_doc(key: WordArgument) -> WordArgument:
    """The key as its definition has it: its text stands where ``train`` refers to it."""
    return WordArgument(key.name, "", key.holds)
