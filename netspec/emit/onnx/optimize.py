"""Makes a graph smaller where nothing but rounding changes: equal nodes become one, and batch norms are folded.

What is left no longer stands for single ops of the spec, so such a file has no notes of them, and the weights that a
norm was folded into have names of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import AttributeProto, helper

from netspec.emit.onnx.builder import GraphBuilder
from netspec.emit.onnx.parts import OnnxNode, OnnxValue, every_node

RANDOM = ("Bernoulli", "Dropout", "Multinomial", "Random")
"""The first letters of the kinds of nodes that give other numbers each time."""


class Optimized(NamedTuple):
    """The numbers of removed nodes: those that others equal, and batch norms; and of all nodes before."""

    shared: int
    folded: int
    before: int

    def said(self) -> str:
        """Return it in words."""
        left = self.before - self.shared - self.folded
        norms, nodes = "s" * (self.folded != 1), "s" * (self.shared != 1)
        removed = f"{self.folded} batch norm{norms} folded, {self.shared} equal node{nodes} shared"
        return f"{removed}: {left} of {self.before} nodes left"


def optimize(builder: GraphBuilder, outputs: Sequence[OnnxValue]) -> Optimized:
    """Share the equal nodes of a graph and fold its batch norms; return what is gone."""
    before = len(builder.nodes)
    shared = share_equal(builder, outputs)
    return Optimized(shared, fold_norms(builder, outputs), before)


def share_equal(builder: GraphBuilder, outputs: Sequence[OnnxValue]) -> int:
    """Let nodes of one kind with the same inputs and attributes be one; return how many are gone.

    A node that gives an output of the network stays, as that is called by its name.
    """
    kept: list[OnnxNode] = []
    first: dict[object, OnnxNode] = {}
    made: dict[OnnxValue, OnnxValue] = {}
    for node in builder.nodes:
        for inner in every_node([node]):
            inner.inputs = [value and made.get(value, value) for value in inner.inputs]
        found = first.setdefault(_key(node), node)
        if found is node or len(found.outputs) != len(node.outputs) or any(each in outputs for each in node.outputs):
            kept.append(node)
        else:
            made.update(zip(node.outputs, found.outputs))
    gone = len(builder.nodes) - len(kept)
    builder.nodes[:] = kept
    return gone


def _key(node: OnnxNode) -> object:
    """Return what two nodes have in common that give the same; the node itself where that cannot be said."""
    if node.body is not None or node.op_type.startswith(RANDOM):
        return node
    sizes = _sizes_told(node)
    if sizes is not None:
        return "", "Shape", sizes
    given = [(name, _spelled(each)) for name, each in sorted(node.attributes.items())]
    return node.domain, node.op_type, (*node.inputs,), (*given,)


def _sizes_told(node: OnnxNode) -> Sequence[int | str] | None:
    """Return the sizes that a node tells, where it tells the sizes of a value whose shape is known: dimensions of one
    name are equal, whichever value they are read from.
    """
    value = node.inputs[0] if node.op_type == "Shape" else None
    if value is None or value.shape is None:
        return None
    start, end = _number(node, "start", 0), _number(node, "end", len(value.shape))
    return (*value.shape[int(start) : int(end)],)


def _spelled(each: object) -> bytes:
    assert isinstance(each, AttributeProto)
    return bytes(each.SerializeToString(deterministic=True))


def fold_norms(builder: GraphBuilder, outputs: Sequence[OnnxValue]) -> int:
    """Fold batch norms into the convolutions and linear layers that they alone read; return how many are gone."""
    readers: dict[OnnxValue, int] = {}
    for node in every_node(builder.nodes):
        for value in node.inputs:
            if value is not None:
                readers[value] = readers.get(value, 0) + 1
        for result in () if node.body is None else node.body.outputs:
            readers[result] = readers.get(result, 0) + 1
    for output in outputs:
        readers[output] = readers.get(output, 0) + 1
    layers = {*builder.nodes}
    norms = [node for node in builder.nodes if node.op_type == "BatchNormalization"]
    folded = [node for node in norms if _fold(builder, node, layers, readers)]
    gone = {*folded}
    builder.nodes[:] = [node for node in builder.nodes if node not in gone]
    return len(folded)


def _fold(
    builder: GraphBuilder, norm: OnnxNode, layers: Collection[OnnxNode], readers: Mapping[OnnxValue, int]
) -> bool:
    """Fold a batch norm into the node before it, if that is equal; return whether it is."""
    x = norm.inputs[0]
    layer = None if x is None else x.node
    if x is None or layer is None or layer not in layers or readers[x] != 1 or "training_mode" in norm.attributes:
        return False
    _, weight, bias = (*layer.inputs, None, None)[:3]
    statistics = [None if value is None else value.array for value in norm.inputs[1:5]]
    if weight is None or weight.array is None or readers[weight] != 1 or any(each is None for each in statistics):
        return False
    if bias is not None and bias.array is None:
        return False
    scale, shift, mean, variance = (np.asarray(each, np.float64) for each in statistics)
    factor = scale / np.sqrt(variance + float(_number(norm, "epsilon", 1e-5)))
    turned = _scaled(layer, np.asarray(weight.array, np.float64), factor)
    if turned is None:
        return False
    start = 0.0 if bias is None or bias.array is None else np.asarray(bias.array, np.float64)
    held = weight.array.dtype
    made = {"weight": turned, "bias": (start - mean) * factor + shift}
    if not made["bias"].any():
        del made["bias"]  # adding zeros takes time, too
    values = [builder.initializer(f"{norm.name}/{name}", array.astype(held)) for name, array in made.items()]
    for value in values:
        value.kind = weight.kind
    layer.inputs = [layer.inputs[0], *values]
    layer.outputs = norm.outputs[:1]
    layer.outputs[0].node = layer
    return True


def _scaled(layer: OnnxNode, weight: Any, factor: Any) -> Any:
    """The weight of a layer whose outputs are multiplied; ``None`` where the layer is none that this can be done to."""
    if layer.op_type == "Conv":
        return weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    if layer.op_type == "ConvTranspose":
        groups = int(_number(layer, "group", 1))
        by = np.repeat(factor.reshape(groups, -1), weight.shape[0] // groups, axis=0)
        return weight * by.reshape(*by.shape, *[1] * (weight.ndim - 2))
    plain = layer.op_type == "Gemm" and _number(layer, "alpha", 1.0) == 1 == _number(layer, "beta", 1.0)
    if not plain:
        return None
    return weight * (factor[:, None] if _number(layer, "transB", 0) else factor)


def _number(node: OnnxNode, name: str, otherwise: float) -> float:
    given = node.attributes.get(name)
    return float(helper.get_attribute_value(given)) if isinstance(given, AttributeProto) else otherwise
