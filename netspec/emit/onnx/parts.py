"""The parts of an ONNX graph while it is written: a value may be renamed, or described, until all nodes are there.

Only then are they spelled as protobuf, which refers to values by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union

import numpy as np
import onnx
from onnx import helper, numpy_helper

LARGEST: Mapping[int, float] = {onnx.TensorProto.FLOAT16: 65504.0, onnx.TensorProto.BFLOAT16: 3.38e38}
"""The largest numbers of the dtypes of 16 bits."""
Attribute = Union[onnx.AttributeProto, "OnnxGraph"]


@dataclass(slots=True, eq=False)
class OnnxValue:
    """A value of a graph: what ``node`` makes, an initializer, which has an ``array``, or an input, with neither.

    A text in a shape is a symbolic dimension; ``kind`` is ONNX's number of the dtype. Both may be unknown.
    """

    name: str
    shape: Sequence[int | str] | None = None
    kind: int = onnx.TensorProto.UNDEFINED
    node: OnnxNode | None = None
    array: np.ndarray | None = None

    def info(self) -> onnx.ValueInfoProto:
        """Return its name, type and shape as protobuf."""
        return helper.make_tensor_value_info(self.name, self.kind, self.shape)


@dataclass(slots=True, eq=False)
class OnnxNode:
    """A node of a graph; ``notes`` are metadata of its own. An input left out is ``None``."""

    name: str
    domain: str
    op_type: str
    inputs: Sequence[OnnxValue | None]
    attributes: Mapping[str, Attribute]
    outputs: Sequence[OnnxValue] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> OnnxGraph | None:
        """The graph inside the node."""
        body = self.attributes.get("body")
        return body if isinstance(body, OnnxGraph) else None

    def proto(self) -> onnx.NodeProto:
        """Return the node as protobuf."""
        made = onnx.NodeProto(
            name=self.name,
            op_type=self.op_type,
            input=["" if value is None else value.name for value in self.inputs],
            output=[value.name for value in self.outputs],
        )
        if self.domain:
            made.domain = self.domain
        for name, value in self.attributes.items():
            made.attribute.append(helper.make_attribute(name, value.proto()) if isinstance(value, OnnxGraph) else value)
        helper.set_model_props(made, self.notes)
        return made


class OnnxGraph(NamedTuple):
    """A graph of its own, or the body of a node, which may have ``initializers`` that no other reads."""

    name: str
    inputs: Sequence[OnnxValue]
    outputs: Sequence[OnnxValue]
    nodes: Sequence[OnnxNode]
    initializers: Sequence[OnnxValue] = ()

    def proto(self) -> onnx.GraphProto:
        """Return the graph as protobuf, with the shapes of what its nodes make."""
        made = onnx.GraphProto(name=self.name)
        made.input.extend(value.info() for value in self.inputs)
        made.node.extend(node.proto() for node in self.nodes)
        inner = (value for node in self.nodes for value in node.outputs if value not in self.outputs)
        made.value_info.extend(value.info() for value in inner if value.kind)
        made.output.extend(value.info() for value in self.outputs)
        for value in self.initializers:
            assert value.array is not None
            made.initializer.append(numpy_helper.from_array(np.asarray(value.array, order="C"), value.name))
        return made


class OnnxModel(NamedTuple):
    """A model without its weights, and these."""

    proto: onnx.ModelProto
    weights: Sequence[OnnxValue]


def every_node(nodes: Iterable[OnnxNode]) -> Iterator[OnnxNode]:
    """Yield nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        if node.body is not None:
            yield from every_node(node.body.nodes)


def attribute(name: str, value: Any) -> Attribute:
    """Return a value as a node's attribute. Raises ``TypeError`` for a list of several types of values."""
    if isinstance(value, (OnnxGraph, onnx.AttributeProto)):
        return value
    if isinstance(value, (list, tuple)):
        if not value:
            return helper.make_attribute(name, value, attr_type=onnx.AttributeProto.INTS)
        if len({type(item) for item in value}) > 1:
            raise TypeError(f"attribute `{name}` has values of several types: {value}")
    return helper.make_attribute(name, value)


def rounded(array: np.ndarray, kind: int) -> np.ndarray:
    """Return the numbers of a weight in the dtype of a kind."""
    with np.errstate(over="ignore"):
        made: np.ndarray = np.asarray(array).astype(helper.tensor_dtype_to_np_dtype(kind))
    return made


def bounded(array: np.ndarray, kind: int) -> np.ndarray:
    """Return the numbers of a constant in the dtype of a kind; a finite one stays finite."""
    most = LARGEST[kind]
    return rounded(np.where(np.isfinite(array), np.clip(array, -most, most), array), kind)
