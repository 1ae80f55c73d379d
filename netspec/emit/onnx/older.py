"""Spells a node that later opsets have in another way as earlier ones have it: the one place where this is known.

Ops write nodes as the newest opset has them. What has another kind of node, or several, in an earlier one, such as
GELU, is said by the op's class, which asks ``builder.has``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import onnx
from onnx import helper

from netspec.emit.onnx.parts import OnnxValue


class NodeWriter(Protocol):
    """The part of a builder that writes nodes as they stand."""

    def add(self, node: NodeCall) -> Any:
        """Add a node; return its output, or a tuple of several."""

    def constant(self, value: Any, dtype: str = "int64") -> Any:
        """Return a constant tensor from a number or nested lists."""


@dataclass(frozen=True)
class NodeCall:
    """A node as an op asks for it."""

    kind: str
    inputs: tuple[OnnxValue | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    domain: str = ""

    def number(self, name: str, otherwise: Any = None) -> Any:
        """Return an attribute's value."""
        value = self.attributes.get(name, otherwise)
        return helper.get_attribute_value(value) if isinstance(value, onnx.AttributeProto) else value

    def without(self, *names: str) -> dict[str, Any]:
        """Return the attributes but for these."""
        return {name: value for name, value in self.attributes.items() if name not in names}


Spelling = Callable[[NodeWriter, NodeCall], Any]


def spell(writer: NodeWriter, node: NodeCall, opset: int) -> Any:
    """Write a node as an opset has it; return its output, or a tuple of several."""
    until, spelling = SPELLINGS.get(node.kind, (0, None))
    if spelling is None or opset >= until or node.domain:
        return writer.add(node)
    return spelling(writer, node)


def _shape(writer: NodeWriter, node: NodeCall) -> Any:
    """Cut a part out of the whole shape."""
    start, end = node.number("start", 0), node.number("end")
    whole = writer.add(NodeCall("Shape", node.inputs))
    if not start and end is None:
        return whole
    ends = writer.constant([start]), writer.constant([2**63 - 1 if end is None else end])
    return writer.add(NodeCall("Slice", (whole, *ends)))


def _reduce(writer: NodeWriter, node: NodeCall) -> Any:
    """Name the axes by an attribute, where they are numbers."""
    x, axes = (*node.inputs, None)[:2]
    if axes is None or axes.array is None:
        return writer.add(node)
    attributes = {**node.without("noop_with_empty_axes"), "axes": axes.array.tolist()}
    return writer.add(NodeCall(node.kind, (x,), attributes))


def _split(writer: NodeWriter, node: NodeCall) -> Any:
    """Leave out the number of parts, which are equal: the outputs say it."""
    return writer.add(NodeCall("Split", node.inputs, node.without("num_outputs"), node.outputs))


def _pad(writer: NodeWriter, node: NodeCall) -> Any:
    """Leave out the axes, where these are all that there are amounts for."""
    x, amounts, value, axes = (*node.inputs, None, None)[:4]
    if axes is None or axes.array is None or axes.array.tolist() != [*range(len(axes.array))]:
        return writer.add(node)
    return writer.add(NodeCall("Pad", (x, amounts, value), node.attributes))


def _pool(writer: NodeWriter, node: NodeCall) -> Any:
    """Keep a Pad that names no axes apart from the pooling after it: onnxruntime joins both, and windows are others.

    The greatest of one value is that value, and no runtime takes it out.
    """
    x, source = node.inputs[0], node.inputs[0]
    while source is not None and source.node is not None and source.node.op_type == "Identity":
        source = source.node.inputs[0]
    if source is not None and source.node is not None and source.node.op_type == "Pad":
        x = writer.add(NodeCall("Max", (x,)))
    return writer.add(NodeCall(node.kind, (x,), node.attributes, node.outputs))


def _resize(writer: NodeWriter, node: NodeCall) -> Any:
    """Give factors, or sizes, for the dimensions in front as well: where onnxruntime moves a transposition behind a
    Resize that names its axes, the sizes are lost.
    """
    x, roi, scales, sizes = (*node.inputs, None, None, None)[:4]
    axes = node.number("axes")
    if axes is None or roi is not None or [*axes] != [*range(axes[0], axes[0] + len(axes))]:
        return writer.add(node)
    attributes = node.without("axes")
    if scales is not None:
        scales = writer.add(NodeCall("Concat", (writer.constant([1.0] * axes[0], "float32"), scales), {"axis": 0}))
    if sizes is not None:
        front = _front(writer, x, axes[0])
        sizes = writer.add(NodeCall("Concat", (front, sizes), {"axis": 0}))
    return writer.add(NodeCall("Resize", (x, roi, scales, sizes), attributes))


def _front(writer: NodeWriter, x: OnnxValue | None, count: int) -> Any:
    """The first sizes of a value."""
    bounds = writer.constant([0]), writer.constant([count])
    return writer.add(NodeCall("Slice", (writer.add(NodeCall("Shape", (x,))), *bounds)))


def _grid_sample(writer: NodeWriter, node: NodeCall) -> Any:
    """Call the modes as they were called."""
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    mode = modes.get(node.number("mode"), node.number("mode"))
    return writer.add(NodeCall("GridSample", node.inputs, {**node.attributes, "mode": mode}))


REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
SPELLINGS: Mapping[str, tuple[float, Spelling]] = {
    **{f"Reduce{kind}": (18, _reduce) for kind in REDUCTIONS},
    "Shape": (15, _shape),
    "Split": (18, _split),
    "Pad": (18, _pad),
    "MaxPool": (18, _pool),
    "AveragePool": (18, _pool),
    "Resize": (math.inf, _resize),
    "GridSample": (20, _grid_sample),
}
"""The kinds of nodes with another form before an opset, or in all, and what writes that."""
