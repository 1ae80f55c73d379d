"""The keys of the forms: of a spec, of its parts, and of the structures. Their texts stand beside their fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netspec.elaborate.steps import STRUCTURES
from netspec.reference.values import (
    ANY,
    BODY,
    BRANCHES,
    COUNT,
    FACT,
    FLAG_OR_TEST,
    LOCALS,
    NAME_TEXT,
    NUMBER_OR_TEXT,
    OUTPUTS,
    PARAMS,
    REFERENCE,
    REFERENCES,
    SHAPE,
    SIZE,
    SOURCE,
    STATES,
    TEMPLATE,
    TESTS,
    TEXT,
    TEXTS,
    TRAINING,
    TRANSFORMS,
    any_of,
    definition,
    named,
    or_expression,
)
from netspec.reference.word import Json, WordArgument
from netspec.spec import (
    DTYPES,
    VERSION,
    BlockSpec,
    DimSpec,
    Expect,
    Form,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    TrainSpec,
    WeightsSpec,
)
from netspec.spec.reading import FormField, form_fields
from netspec.spec.steps import Structure
from netspec.text.docstrings import field_docs

IMPORTS = named(TEXT)
BLOCK_NAME: Json = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"}

HOLDS: Mapping[type[Form], Mapping[str, Json]] = {
    Spec: {
        "netspec": {"const": VERSION},
        "name": NAME_TEXT,
        "doc": TEXT,
        "extends": TEXT,
        "import": any_of(IMPORTS, {"type": "array", "items": any_of(TEXT, IMPORTS)}),
        "params": PARAMS,
        "let": LOCALS,
        "require": TESTS,
        "variants": named(definition("variant")),
        "dims": named(definition("dim")),
        "inputs": {**named(definition("input")), "minProperties": 1},
        "blocks": {"type": "object", "propertyNames": BLOCK_NAME, "additionalProperties": definition("block")},
        "networks": named({"type": "object"}),
        "network": BODY,
        "outputs": OUTPUTS,
        "init": definition("init"),
        "expect": definition("expect"),
        "train": definition("train"),
    },
    TrainSpec: {
        **{key: definition(key) for key in form_fields(TrainSpec) if key != "span"},
        "inputs": named(TEXT),
        "prepare": TRANSFORMS,
        "augment": TRANSFORMS,
        "loss": any_of(definition("loss"), named(definition("loss"))),
        "init": or_expression({"type": ["string", "object"]}),
        "published": named({"type": "number"}),
    },
    BlockSpec: {
        "params": PARAMS,
        "let": LOCALS,
        "inputs": {**TEXTS, "minItems": 1},
        "body": BODY,
        "outputs": OUTPUTS,
        "require": TESTS,
        "doc": TEXT,
    },
    ParamSpec: {
        "type": {"type": "string", "pattern": r"^(list\[)*(pair\[)?(int|float|bool|str|size)\]*$"},
        "default": ANY,
        "min": NUMBER_OR_TEXT,
        "max": NUMBER_OR_TEXT,
        "choices": {"type": "array"},
        "doc": TEXT,
    },
    InputSpec: {
        "shape": SHAPE,
        "below": SIZE,
        "range": {"type": "array", "minItems": 2, "maxItems": 2},
        "dtype": {"enum": list(DTYPES)},
        "optional": {"type": "boolean"},
    },
    OutputSpec: {"from": SOURCE, "when": TRAINING, "if": FLAG_OR_TEST},
    WeightsSpec: {"skip": any_of(TEXT, TEXTS), "rename": {"type": "object", "additionalProperties": TEXT}},
    DimSpec: {"default": COUNT, "min": COUNT, "max": SIZE},
    Expect: {
        "params": FACT,
        "weights": FACT,
        "macs": FACT,
        "outputs": named(or_expression(SHAPE)),
    },
}
"""The values that each key of a form takes, if its type does not say it."""

STATE_KEY: Json = {"type": ["string", "integer"], "minLength": 1}
"""The key of a step's module."""
TENSOR_KEYS: Json = {"type": "object", "additionalProperties": STATE_KEY, "minProperties": 1}
"""The keys of an op's tensors, by torch's names."""
HELD: Mapping[str, Json] = {
    "body": BODY,
    "branches": BRANCHES,
    "condition": FLAG_OR_TEST,
    "count": COUNT,
    "counter": NAME_TEXT,
    "flag": {"type": "boolean"},
    "index": NAME_TEXT,
    "integer": or_expression({"type": "integer"}),
    "locals": LOCALS,
    "lists": named(or_expression({"type": "array"})),
    "name": NAME_TEXT,
    "network": TEXT,
    "number": or_expression({"type": "number"}),
    "outputs": any_of(REFERENCE, {**TEXTS, "minItems": 1}, REFERENCES),
    "output_specs": OUTPUTS,
    "reference": REFERENCE,
    "results": REFERENCES,
    "sequences": REFERENCES,
    "shape": {"type": "array"},
    "source": SOURCE,
    "sources": any_of(SOURCE, REFERENCES),
    "start": definition("start"),
    "state_key": STATE_KEY,
    "states": STATES,
    "template": TEMPLATE,
    "text": TEXT,
    "texts": TEXTS,
    "values": {"type": "object"},
}
"""The values that the types of fields take, by the names that their readers have for them."""


def held(field: FormField) -> Json:
    """Return what a field holds, as its type says; anything, where it does not."""
    if isinstance(field.holds, str):
        return HELD.get(field.holds, ANY)
    return {"const": field.holds[0]} if len(field.holds) == 1 else {"enum": [*field.holds]}


@cache
def form_keys(form: type[Form]) -> Mapping[str, WordArgument]:
    """Return every key of a form by its name, in the form's order; a structure that stands bare has none."""
    docs, keys = field_docs(form), {}
    main = form.main if issubclass(form, Structure) else ""
    if issubclass(form, Structure) and form.is_bare:
        return {}
    for key, field in form_fields(form).items():
        if key == "span":
            continue
        holds = HOLDS.get(form, {}).get(key) or held(field)
        if isinstance(field.default, (str, bool)) and field.default != "":
            holds = {**holds, "default": field.default}
        keys[key] = WordArgument(key, docs.get(field.name, ""), holds, field.required, key == main)
    return keys


def call_keys() -> Mapping[str, WordArgument]:
    """Return the keys that a call of any op or block takes beside its arguments, by their names."""
    group = form_keys(STRUCTURES["sequential"])
    source = form_keys(STRUCTURES["share"])["from"]
    return {
        "name": group["name"],
        "from": source,
        **{key: group[key] for key in ("freeze", "init", "recompute", "state_key")},
    }
