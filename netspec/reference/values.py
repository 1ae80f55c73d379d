"""The values of a spec's keys, as JSON Schema. ``#/$defs/…`` are the definitions that ``netspec.schema`` writes."""

from __future__ import annotations

from netspec.reference.word import Json

NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
ANY: Json = {}


def definition(name: str) -> Json:
    """Return a reference to a definition of the schema."""
    return {"$ref": f"#/$defs/{name}"}


EXPRESSION = definition("expression")


def any_of(*options: Json) -> Json:
    """Return a schema that takes whatever one of these takes."""
    return {"anyOf": list(options)}


def or_expression(schema: Json) -> Json:
    """Return a schema that takes an expression, too."""
    return any_of(schema, EXPRESSION)


def named(schema: Json) -> Json:
    """Return the schema of a mapping from names to values that ``schema`` takes."""
    return {"type": "object", "propertyNames": definition("name"), "additionalProperties": schema}


def one_or_several(schema: Json) -> Json:
    """Return the schema of a value that ``schema`` takes, or of a list of such."""
    return any_of(schema, {"type": "array", "items": schema})


TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
TEMPLATE = definition("template")
REFERENCE = definition("reference")
FLAG_OR_TEST = or_expression({"type": "boolean"})
TESTS: Json = {"type": "array", "items": FLAG_OR_TEST}
BODY = definition("body")
LOCALS = named({"type": ["number", "boolean", "string", "array"]})
PARAMS = named(definition("parameter"))
OUTPUTS = named(definition("output"))
REFERENCE_LIST: Json = {"type": "array", "items": REFERENCE}
SOURCE = any_of(REFERENCE, {**REFERENCE_LIST, "minItems": 1})
NAME_TEXT: Json = {"type": "string", "pattern": NAME}
REFERENCES = named(REFERENCE)
BRANCHES = named(BODY)
COUNT = or_expression({"type": "integer", "minimum": 0})
SIZE = or_expression({"type": "integer", "minimum": 1})
SHAPE: Json = {"type": "array", "items": SIZE}
STATES = named(any_of(REFERENCE, SHAPE))
NUMBER_OR_TEXT: Json = {"type": ["number", "string"]}
BOUNDS: Json = {
    "type": "object",
    "properties": {
        "min": {**NUMBER_OR_TEXT, "description": "at least this many"},
        "max": {**NUMBER_OR_TEXT, "description": "at most this many: `12M`"},
    },
    "additionalProperties": False,
}
FACT = any_of(NUMBER_OR_TEXT, BOUNDS)
TRAINING: Json = {"const": "training"}
TRANSFORMS = one_or_several(definition("transform"))
TIES: Json = {"type": "object", "additionalProperties": TEXT}
