"""The ops: their arguments from their fields, with the texts of ``netspec.ops.core.meanings``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netspec.ops import OPS, Op
from netspec.ops.core.meanings import meaning
from netspec.reference.sources.forms import STATE_KEY, TENSOR_KEYS, call_keys
from netspec.reference.values import REFERENCE, REFERENCE_LIST, SOURCE, TIES, any_of
from netspec.reference.word import WordArgument
from netspec.text.docstrings import field_docs

PORT = "the step that this input reads"
TIE = WordArgument("tie", "parameters that are another step's: `{weight: wte.weight}`", TIES)


def op_arguments(op: type[Op]) -> Mapping[str, WordArgument]:
    """Return an op's own arguments by name, in their order. ``holds`` is as Pydantic writes it, with titles and all."""
    holds = op.model_json_schema().get("properties", {})
    return {name: replace(argument, holds=holds[name]) for name, argument in described_arguments(op).items()}


def described_arguments(op: type[Op]) -> Mapping[str, WordArgument]:
    """Return the same with nothing but the default in ``holds``: Pydantic takes 3 ms an op to say the rest."""
    docs = field_docs(op)
    return {
        name: WordArgument(
            name,
            docs.get(name) or meaning(op, name),
            {} if (field := op.model_fields[name]).is_required() else {"default": field.default},
            field.is_required(),
            name == op.main,
        )
        for name in op.argument_names()
    }


def op_inputs(op: type[Op]) -> Mapping[str, WordArgument]:
    """Return an op's inputs as arguments of a call, which give each a step."""
    return {port: WordArgument(port, PORT, REFERENCE, reads=True) for port in op.ports}


def op_call_keys(op: type[Op]) -> Mapping[str, WordArgument]:
    """Return the keys that a call of an op takes beside its arguments and inputs."""
    keys = call_keys()
    source = keys["from"]
    if op.variadic:
        holds = any_of(REFERENCE, {**REFERENCE_LIST, "minItems": 1})
        source = WordArgument("from", source.doc, holds, required=True)
    else:
        several = {**REFERENCE_LIST, "minItems": 1, "maxItems": len(op.ports)}
        source = WordArgument("from", source.doc, {"anyOf": [SOURCE["anyOf"][0], several]})
    doc = f"{keys['state_key'].doc}; or those of its own tensors, `{{weight: gamma, bias: beta}}`"
    state_key = WordArgument("state_key", doc, any_of(STATE_KEY, TENSOR_KEYS))
    own = {key: keys[key] for key in ("name", "freeze", "init")}
    return {"from": source, **own, "state_key": state_key, "tie": TIE}


def step_keys() -> Mapping[str, WordArgument]:
    """Return the keys that a call of an op, a block or a structure takes beside its arguments, each by its name."""
    return {**call_keys(), "tie": TIE}


def families() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the ops by family, in the order of the families."""
    found: dict[str, list[str]] = {}
    for name, op in OPS.items():
        found.setdefault(op.family, []).append(name)
    return {family: tuple(names) for family, names in found.items()}
