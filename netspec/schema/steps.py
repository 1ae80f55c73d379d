"""Steps: ops, structures, and calls of blocks."""

from __future__ import annotations

from netspec import library
from netspec.elaborate.steps import STRUCTURES
from netspec.ops import OPS, Op
from netspec.reference.sources.forms import call_keys, form_keys, held
from netspec.reference.sources.library import block_arguments, block_inputs, find_block
from netspec.reference.sources.ops import op_arguments, op_call_keys, op_inputs
from netspec.reference.values import any_of, definition
from netspec.reference.word import Json
from netspec.schema.mapping import argument_schema, called_options, form_schema, key_schema, required
from netspec.spec.reading import form_fields
from netspec.text.docstrings import documentation


def step_schemas() -> dict[str, Json]:
    """Return what stands under the key of each structure, op and library's block, by the names of their definitions."""
    return {
        **{f"structure.{word}": structure_schema(word) for word in STRUCTURES},
        **{f"op.{name}": op_schema(op) for name, op in OPS.items()},
        **{f"library.{name}": _block_schema(name) for name in library.names()},
    }


def step_schema() -> Json:
    """Return the schema of a step: a name alone, or a mapping with one key."""
    alone = [name for name, op in OPS.items() if not op.variadic and not required(op_arguments(op))]
    never = sorted([*STRUCTURES, *(name for name in OPS if name not in alone)])
    words = [{"const": name, "description": documentation(OPS[name])} for name in alone]
    block = {"type": "string", "not": {"enum": never}, "description": "a block"}
    keyed = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            **{word: definition(f"structure.{word}") for word in STRUCTURES},
            **{name: definition(f"op.{name}") for name in OPS},
            **{name: definition(f"library.{name}") for name in library.names()},
        },
        "additionalProperties": definition("call"),
    }
    return {"description": "an op, a block or a structure", "anyOf": [*words, block, keyed]}


def call_schema() -> Json:
    """Return what stands under the key of a block of the spec's own; it may have any parameters."""
    properties = {name: key_schema(key) for name, key in call_keys().items()}
    doc = "a block, or whatever the parameter after `$` names, with its parameters"
    return {"description": doc, "properties": properties}


def op_schema(op: type[Op]) -> Json:
    """Return what stands under an op's key: its arguments, its main argument alone, or nothing."""
    arguments, keys = op_arguments(op), op_call_keys(op)
    properties = {name: argument_schema(argument) for name, argument in arguments.items()}
    for port, argument in op_inputs(op).items():
        properties.setdefault(port, key_schema(argument))
    properties |= {name: key_schema(key) for name, key in keys.items()}
    needed = [*required(arguments), *required(keys)]
    return {"description": documentation(op), **any_of(*called_options(arguments, properties, needed))}


def structure_schema(word: str) -> Json:
    """Return what stands under a structure's key."""
    form = STRUCTURES[word]
    if form.is_bare:
        return {"description": documentation(form), **held(form_fields(form)[form.main])}
    whole = form_schema(form)
    description = whole.pop("description")
    main = next((key.holds for key in form_keys(form).values() if key.main), None)
    options = [whole] if main is None else [whole, main]
    return {"description": description, **(any_of(*options) if len(options) > 1 else whole)}


def _block_schema(name: str) -> Json:
    """Return the schema of a call of a library's block; it stays open, as a spec's own block may have that name."""
    block = find_block(name)
    arguments = {**block_arguments(block), **block_inputs(block)}
    properties = {key: {"description": argument.doc} for key, argument in arguments.items()}
    return {"description": block.doc or "", "properties": {**properties, **call_schema()["properties"]}}
