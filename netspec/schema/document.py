"""The schema of a whole spec, and the file that editors read."""

from __future__ import annotations

import json
from typing import Any

from netspec.elaborate.steps import STRUCTURES
from netspec.reference.sources.forms import form_keys
from netspec.reference.values import ANY, NAME, SHAPE, SIZE, SOURCE, TEXT, any_of, definition
from netspec.reference.word import Json
from netspec.schema.mapping import form_schema
from netspec.schema.recipe import recipe_schemas
from netspec.schema.rules import rule_schema
from netspec.schema.steps import call_schema, step_schema, step_schemas
from netspec.spec import (
    RESERVED,
    BlockSpec,
    DimSpec,
    Expect,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    TrainSpec,
    WeightsSpec,
)

CHANGES = "changes of the steps of a body, by their paths: new arguments, or the steps that take the place of one"
NOTHING = {"type": "null"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def spec_schema() -> Json:
    """Return the schema of a whole spec, as JSON."""
    rules: Json = {"type": "object", "additionalProperties": definition("rule")}
    definitions = {
        "name": {"type": "string", "pattern": NAME, "not": {"enum": sorted(RESERVED)}},
        "template": {
            "type": ["string", "integer"],
            "minLength": 1,
            "minimum": 0,
            "description": form_keys(STRUCTURES["sequential"])["name"].doc,
        },
        "reference": {
            "type": ["string", "number"],
            "minLength": 1,
            "minimum": 0,
            "description": "a step: its name or number, or a path such as `neck.4`",
        },
        "expression": {"type": "string", "description": "an expression over parameters, loop indices and `shape`"},
        "body": {"type": "array", "items": definition("step")},
        "step": step_schema(),
        "call": call_schema(),
        "parameter": _parameter_schema(),
        "variant": _variant_schema(),
        "dim": any_of(form_schema(DimSpec), SIZE),
        "input": any_of(SHAPE, form_schema(InputSpec)),
        "output": any_of(*SOURCE["anyOf"], form_schema(OutputSpec)),
        "block": form_schema(BlockSpec),
        "changes": {"type": "object", "additionalProperties": {"type": ["array", "object"]}, "description": CHANGES},
        "changed_block": _changed_block_schema(),
        "expect": form_schema(Expect),
        "train": form_schema(TrainSpec),
        "weights": any_of(TEXT, form_schema(WeightsSpec)),
        **recipe_schemas(),
        "init": rules,
        "changed_rules": {"type": ["object", "null"], "additionalProperties": any_of(definition("rule"), NOTHING)},
        "rule": rule_schema(),
        "start": any_of(definition("rule"), rules),
        **step_schemas(),
    }
    return {"$schema": DIALECT, "title": "netspec", **_whole_schema(), "$defs": definitions}


def _whole_schema() -> Json:
    """A spec by itself, or one that says what it changes of another."""
    whole = form_schema(Spec)
    network, blocks = whole["properties"]["network"], whole["properties"]["blocks"]
    changed = any_of(network, definition("changes")), {**blocks, "additionalProperties": definition("changed_block")}
    alone = {"required": whole.pop("required"), "properties": {"network": network, "blocks": blocks}}
    rules = whole["properties"]["init"]
    alone["properties"]["init"] = rules
    changed_rules = {**definition("changed_rules"), "description": rules["description"]}
    properties = {**whole["properties"], "network": changed[0], "blocks": changed[1], "init": changed_rules}
    given = {"required": ["extends"]}
    return {**whole, "properties": properties, "required": ["netspec", "name"], "if": given, "else": alone}


def _changed_block_schema() -> Json:
    """A block of a spec that extends another: a whole one, or what is changed of the other's."""
    block = form_schema(BlockSpec)
    body = any_of(block["properties"]["body"], definition("changes"))
    return {**block, "properties": {**block["properties"], "body": body}, "required": []}


def _parameter_schema() -> Json:
    """A parameter: its default alone, or a mapping that has a default or a type."""
    long = {**form_schema(ParamSpec), **any_of({"required": ["default"]}, {"required": ["type"]})}
    return any_of({"not": {"type": "object"}}, long)


def _variant_schema() -> Json:
    """A variant: values of parameters, beside what else it may carry."""
    return {
        "type": ["object", "null"],
        "properties": {"expect": definition("expect"), "doc": TEXT},
        "additionalProperties": ANY,
        "description": "values of the spec's parameters; it may carry `expect` and `doc`",
    }


def schema_text() -> str:
    """Return the schema as the file that editors read: a line for each top-level key and each definition."""
    whole = spec_schema()
    definitions = whole.pop("$defs")
    lines = [f" {json.dumps(key)}: {_json(value)}" for key, value in whole.items()]
    inner = ",\n".join(f"  {json.dumps(key)}: {_json(value)}" for key, value in definitions.items())
    return "{\n" + ",\n".join([*lines, ' "$defs": {\n' + inner + "\n }"]) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
