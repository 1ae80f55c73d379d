"""The versions of ONNX: which of its opsets a node needs, and which of its formats (IR) goes with an opset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

import onnx
from onnx import defs, helper

from netspec.emit.onnx.parts import Attribute, OnnxNode, OnnxValue

OLDEST, NEWEST = 13, 23
"""The opsets that netspec writes. Before the first, axes were attributes of most nodes, and Softmax was another."""
USUAL = 15
"""The opset of a file whose nodes need no later one: runtimes of the last five years read it, as onnxruntime from 1.10
on, of December 2021.
"""
OLDEST_IR = 7

TYPES: Mapping[str, int] = {f"tensor({name.lower()})": kind for name, kind in onnx.TensorProto.DataType.items()}
"""ONNX's numbers of dtypes by what its schemas call them."""
ONES = ("dilations", "strides")
"""The attributes that are 1 along each axis where they are not written; ``pads`` are 0."""


def ir_of(opset: int) -> int:
    """Return the first format that has the opset."""
    version: int = helper.find_min_ir_version_for([helper.make_opsetid("", opset)])
    return max(version, OLDEST_IR)


@cache
def since(kind: str) -> int:
    """Return the first opset that has nodes of a kind."""
    return next((opset for opset in range(1, NEWEST + 1) if _schema(kind, opset) is not None), NEWEST + 1)


@cache
def least_opset(kind: str, inputs: int, outputs: int, attributes: frozenset[str]) -> int:
    """Return the first opset whose nodes of this kind take as many inputs and these attributes.

    The oldest one stands for those before it. Where none takes them, it is the first with nodes of the kind.
    """
    known = [(opset, schema) for opset in range(OLDEST, NEWEST + 1) if (schema := _schema(kind, opset)) is not None]
    for opset, schema in known:
        taken = inputs <= schema.max_input and outputs <= schema.max_output
        if taken and inputs >= schema.min_input and attributes <= schema.attributes.keys():
            return opset
    return max(since(kind), OLDEST)


def said_plainly(kind: str, given: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Return the attributes of a node without those that it has anyway, even where it has no such attribute yet."""
    defaults = _defaults(kind)
    return {name: each for name, each in given.items() if not _is_default(name, each, defaults)}


def _is_default(name: str, given: Attribute, defaults: Mapping[str, object]) -> bool:
    if not isinstance(given, onnx.AttributeProto):
        return False
    if name in defaults:
        return bool(helper.get_attribute_value(given) == defaults[name])
    return (name in ONES and _is_all(given.ints, 1)) or (name == "pads" and _is_all(given.ints, 0))


def _is_all(numbers: Iterable[int], wanted: int) -> bool:
    return all(number == wanted for number in numbers)


@cache
def _defaults(kind: str) -> Mapping[str, object]:
    """The values of attributes that are left out."""
    schema = _schema(kind, NEWEST)
    attributes: Collection[defs.OpSchema.Attribute] = [] if schema is None else schema.attributes.values()
    return {
        each.name: helper.get_attribute_value(each.default_value)
        for each in attributes
        if each.default_value.type != onnx.AttributeProto.UNDEFINED
    }


@cache
def _schema(kind: str, opset: int) -> defs.OpSchema | None:
    """The nodes of a kind as an opset has them."""
    try:
        return defs.get_schema(kind, opset, "")
    except defs.SchemaError:
        return None


def kind_of(value: OnnxValue, opset: int) -> int:
    """Return ONNX's number of a value's dtype; 0 where its nodes do not say it."""
    while not value.kind and value.node is not None:
        node = value.node
        named = _named_by(node)
        if named:
            return named
        source = _like(node, node.outputs.index(value), opset)
        if not isinstance(source, OnnxValue):
            return source
        value = source
    return value.kind


def _named_by(node: OnnxNode) -> int:
    """The dtype that an attribute of a node names."""
    for name in ("to", "dtype"):
        given: Any = node.attributes.get(name)
        if isinstance(given, onnx.AttributeProto):
            return int(given.i)
    given = node.attributes.get("value")
    if node.op_type in ("ConstantOfShape", "Constant") and isinstance(given, onnx.AttributeProto):
        return int(given.t.data_type)
    return int(onnx.TensorProto.FLOAT) if node.op_type == "ConstantOfShape" else 0


def _like(node: OnnxNode, at: int, opset: int) -> OnnxValue | int:
    """The input of a node whose dtype an output has, or the dtype that it always has."""
    if node.domain or node.body is not None:
        return 0
    schema = _schema(node.op_type, opset)
    if schema is None:
        return 0
    said: str = schema.outputs[min(at, len(schema.outputs) - 1)].type_str
    for number, value in enumerate(node.inputs):
        formal = schema.inputs[min(number, len(schema.inputs) - 1)]
        if value is not None and formal.type_str == said:
            return value
    if said in TYPES:
        return TYPES[said]
    allowed = [each.allowed_type_strs for each in schema.type_constraints if each.type_param_str == said]
    return TYPES.get(allowed[0][0], 0) if allowed and len(allowed[0]) == 1 else 0
