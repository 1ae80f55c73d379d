"""Layers in whole numbers of 8 bits, as ONNX says it: QuantizeLinear and DequantizeLinear around what stays a product.

A weight is int8, with a scale for each of its output channels; what it is multiplied with is uint8, in the range that
was measured; a bias is int32 in the product of both scales. Runtimes join these nodes and the product between them into
one of whole numbers. All else stays in float32.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onnx import AttributeProto, TensorProto

from netspec.emit.onnx.builder import GraphBuilder, initial
from netspec.emit.onnx.parts import OnnxNode, OnnxValue, attribute

Ranges = Mapping[str, tuple[float, float]]
"""The least and the largest number of values by their names, and of what a layer reads by ``range_read``."""
LARGEST = 2**31 - 1
JOINED = ("Add", "AveragePool", "Concat", "MaxPool", "Flatten", "Reshape", "Transpose")
"""The kinds of nodes that runtimes have in bytes, between layers."""
KEPT_RANGE = ("MaxPool", "Flatten", "Reshape", "Transpose")
"""Those of them whose numbers are some of what they read: they have its steps."""
FUSED = ("Relu", "Clip")
"""The kinds of nodes that become part of the steps behind them."""


def range_read(layer: str) -> str:
    """Return the name of the range of what a layer reads: in front of a network, its value may have another name."""
    return f"{layer}/x"


class Int8(NamedTuple):
    """The layers of a graph that are in 8 bits, by their nodes, and the ranges of values. Batch norms are folded."""

    layers: Collection[str]
    ranges: Ranges


class Scaled(NamedTuple):
    """A value between its two nodes, and the scale of its whole numbers."""

    value: OnnxValue
    scale: np.float32


def channels_axis(node: OnnxNode) -> int | None:
    """Return the dimension of a node's weight that has its output channels; ``None`` if it cannot be in 8 bits."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if node.domain or weight is None or weight.array is None or weight.array.dtype != np.float32:
        return None
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm" and not _number(node, "transA"):
        return 0 if _number(node, "transB") else 1
    return 1 if node.op_type == "MatMul" and weight.array.ndim == 2 else None


def _number(node: OnnxNode, name: str) -> int:
    found = node.attributes.get(name)
    return found.i if isinstance(found, AttributeProto) else 0


def quantize(builder: GraphBuilder, int8: Int8) -> None:
    """Put layers of a graph into 8 bits, with what stands between them."""
    layers = {node for node in builder.nodes if node.name in int8.layers and channels_axis(node) is not None}
    joined = _between(builder.nodes, layers, int8.ranges)
    made = _Quantizer(builder, int8.ranges)
    for node in [*builder.nodes]:
        if node in layers:
            made.layer(node, channels_axis(node) or 0)
        elif node in joined:
            made.joined(node)
        made.nodes.append(node)
    builder.nodes[:] = made.nodes


def _between(nodes: Sequence[OnnxNode], layers: Collection[OnnxNode], ranges: Ranges) -> set[OnnxNode]:
    """Return the nodes that read what layers in 8 bits give, or such nodes, and that these read in turn.

    What a layer reads that is left in float32 is not rounded: none of them stands before it.
    """
    readers: dict[OnnxNode, list[OnnxNode]] = {}
    for node in nodes:
        for value in node.inputs:
            if value is not None and value.node is not None:
                readers.setdefault(value.node, []).append(node)
    joined = {node for node in nodes if node.op_type in JOINED and not node.domain}

    def gives(value: OnnxValue | None) -> bool:
        node = None if value is None else value.node
        while node is not None and node.op_type in FUSED:
            node = None if node.inputs[0] is None else node.inputs[0].node
        return (node in layers or node in joined) and value is not None and measured_by(value).name in ranges

    def read_by(node: OnnxNode) -> Iterator[OnnxNode]:
        for reader in readers.get(node, ()):
            yield from read_by(reader) if reader.op_type in FUSED else (reader,)

    def fits(node: OnnxNode) -> bool:
        behind = [*read_by(node)]
        spared = any(each not in layers and channels_axis(each) is not None for each in behind)
        reads = all(value is None or _is_held(value) or gives(value) for value in node.inputs[: _read(node)])
        return reads and not spared and any(each in layers or each in joined for each in behind)

    while wrong := {node for node in joined if not fits(node)}:
        joined -= wrong
    return joined


def _read(node: OnnxNode) -> int:
    """Return how many inputs of a node are numbers, rather than sizes."""
    return len(node.inputs) if node.op_type in ("Add", "Concat") else 1


def _is_held(value: OnnxValue) -> bool:
    return value.array is not None


def measured_by(value: OnnxValue) -> OnnxValue:
    """Return the value whose range a value has."""
    passed = (*KEPT_RANGE, "QuantizeLinear", "DequantizeLinear")
    while value.node is not None and value.node.op_type in passed and value.node.inputs[0] is not None:
        value = value.node.inputs[0]
    return value


class _Quantizer:
    """Collects the nodes of a graph with those that are put between. Layers that read one value share its nodes."""

    def __init__(self, builder: GraphBuilder, ranges: Ranges):
        self.builder, self.ranges = builder, ranges
        self.nodes: list[OnnxNode] = []
        self.read: dict[OnnxValue, Scaled] = {}
        self.weights: dict[tuple[OnnxValue, int], tuple[OnnxValue, np.ndarray]] = {}

    def joined(self, node: OnnxNode) -> None:
        """Let a node between layers read whole numbers, taken back."""
        read, others = node.inputs[: _read(node)], node.inputs[_read(node) :]
        node.inputs = [
            *(each if each is None or _is_held(each) else self.activation(each).value for each in read),
            *others,
        ]

    def layer(self, node: OnnxNode, axis: int) -> None:
        """Let a layer read whole numbers, taken back."""
        x, weight, *others = node.inputs
        assert x is not None
        assert weight is not None
        scaled = self.activation(x, range_read(node.name))
        quantized, scales = self.weight(weight, axis)
        bias = others[0] if others else None
        if bias is not None and bias.array is not None and node.op_type != "MatMul":
            bias = self.bias(node, bias, scaled.scale * scales)
        node.inputs = [scaled.value, quantized, *([bias] if others else [])]

    def activation(self, x: OnnxValue, otherwise: str = "") -> Scaled:
        """Return a value in 256 steps of its range, or of another's, which has 0 among them."""
        if x not in self.read:
            name = measured_by(x).name
            ends = self.ranges[name if name in self.ranges else otherwise]
            low, high = min(ends[0], 0.0), max(ends[1], 0.0)
            scale = np.float32((high - low) / 255) or np.float32(1)
            zero = np.uint8(np.clip(round(-low / float(scale)), 0, 255))
            steps = self.initializer(f"{x.name}/scale", scale), self.initializer(f"{x.name}/zero", zero)
            bytes_ = self.add(f"{x.name}/QuantizeLinear", "QuantizeLinear", [x, *steps], TensorProto.UINT8, x)
            back = self.add(f"{x.name}/DequantizeLinear", "DequantizeLinear", [bytes_, *steps], TensorProto.FLOAT, x)
            self.read[x] = Scaled(back, scale)
        return self.read[x]

    def weight(self, weight: OnnxValue, axis: int) -> tuple[OnnxValue, np.ndarray]:
        """A weight in int8, and the scales of its output channels."""
        if (weight, axis) not in self.weights:
            array = weight.array
            assert array is not None
            others = tuple(dim for dim in range(array.ndim) if dim != axis)
            largest = np.abs(array).max(others, keepdims=True)
            scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
            numbers = np.clip(np.round(array / scales), -127, 127).astype(np.int8)
            flat = scales.reshape(-1)
            made = self.back(weight, numbers, flat, axis)
            self.weights[weight, axis] = made, flat
        return self.weights[weight, axis]

    def bias(self, node: OnnxNode, bias: OnnxValue, scales: np.ndarray) -> OnnxValue:
        """A bias in int32; as it is, if that has too few digits or it is none of a number for each channel."""
        array = bias.array
        assert array is not None
        if array.shape != scales.shape or np.abs(array / scales).max(initial=0.0) > LARGEST:
            return bias
        return self.back(bias, np.round(array / scales).astype(np.int32), scales.astype(np.float32), 0)

    def back(self, like: OnnxValue, numbers: np.ndarray, scales: np.ndarray, axis: int) -> OnnxValue:
        """Whole numbers that are an initializer, taken back to real ones."""
        held = self.initializer(f"{like.name}/int", numbers)
        steps = self.initializer(f"{like.name}/scale", scales)
        zeros = self.initializer(f"{like.name}/zero", np.zeros(scales.shape, numbers.dtype))
        name = f"{like.name}/DequantizeLinear"
        return self.add(name, "DequantizeLinear", [held, steps, zeros], TensorProto.FLOAT, like, axis=axis)

    def initializer(self, name: str, array: np.ndarray | np.generic) -> OnnxValue:
        """A new initializer."""
        free = self.builder.claim(name)
        value = self.builder.initializers[free] = initial(free, np.asarray(array))
        return value

    def add(
        self, name: str, kind: str, inputs: list[OnnxValue], dtype: int, like: OnnxValue, axis: int | None = None
    ) -> OnnxValue:
        """A new node, whose output has the shape of another value."""
        free = self.builder.claim(name)
        given = {} if axis is None else {"axis": attribute("axis", axis)}
        made = OnnxNode(free, "", kind, inputs, given)
        value = OnnxValue(free, like.shape, dtype if like.shape is not None else TensorProto.UNDEFINED, made)
        made.outputs = (value,)
        self.nodes.append(made)
        return value
