"""ONNX, written from the graph rather than traced: names are spec paths and symbolic dimensions keep theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
import onnx_ir as ir

from netspec.dims import Shape, plain_shape
from netspec.emit.onnx_builder import DTYPES, GraphBuilder
from netspec.graph import Call, Graph, Level, Node, Value
from netspec.ops.base import Tensor

IR_VERSION = 11


def emit_onnx(graph: Graph, weights: Mapping[str, np.ndarray], version: str) -> ir.Model:
    """The inference graph with these weights, keyed as in ``state_dict``; ``version`` is netspec's."""
    builder = GraphBuilder()
    inputs = [builder.input(name, plain_shape(value.shape), value.tensor.dtype) for name, value in graph.inputs.items()]
    emitter = _Emitter(builder, weights)
    results = emitter.level(graph.body, inputs, "")
    outputs: list[ir.Value] = []
    for name, result in zip(graph.body.output_names, results):
        if not graph.outputs[name].training:
            assert result is not None
            outputs.append(emitter.output(name, result, [*inputs, *outputs], graph.outputs[name].value.tensor))
    return ir.Model(
        builder.graph(graph.name, inputs, outputs),
        ir_version=IR_VERSION,
        producer_name="netspec",
        producer_version=version,
        doc_string=graph.doc,
        metadata_props={
            "netspec.spec": PurePath(graph.spec).name,
            "netspec.digest": graph.digest,
            "netspec.parameters": json.dumps(graph.parameters),
        },
    )


class _Emitter:
    """Writes levels into one flat ONNX graph."""

    def __init__(self, builder: GraphBuilder, weights: Mapping[str, np.ndarray]):
        self.builder, self.weights = builder, weights
        self.owned: dict[str, dict[str, np.ndarray]] = {}
        for key, array in weights.items():
            owner, _, name = key.rpartition(".")
            self.owned.setdefault(owner, {})[name] = array
        self.shapes: dict[Shape, list[int | str]] = {}

    def level(self, level: Level, inputs: Sequence[ir.Value | None], prefix: str) -> list[ir.Value | None]:
        """The results of a level; ``None`` for what exists in training only."""
        values: dict[Value, ir.Value | None] = dict(zip(level.inputs, inputs))
        for step in level.steps:
            if step.training:
                values.update(dict.fromkeys(step.outputs))
                continue
            given = [values[value] for value in step.inputs]
            path = prefix + step.name
            made = self.node(step, given, path, level) if isinstance(step, Node) else self.call(step, given, path)
            values.update(zip(step.outputs, made))
        return [values[value] for value in level.outputs]

    def call(self, call: Call, inputs: Sequence[ir.Value | None], path: str) -> list[ir.Value | None]:
        return self.level(call.body, inputs, path + ".")

    def node(self, node: Node, inputs: Sequence[ir.Value | None], path: str, level: Level) -> list[ir.Value | None]:
        unread = [number for number, value in enumerate(node.outputs) if value not in level.uses]
        self.builder.begin(path, self.parameters(node, path), unread)
        made = node.op.onnx(self.builder, *node.arranged(inputs), tensors=node.tensors)
        results = list(made) if isinstance(made, tuple) else [made]
        for result, value in zip(results, node.outputs):
            if result is not None and result not in inputs:
                self.describe(result, value.tensor)
        return results

    def parameters(self, node: Node, path: str) -> dict[str, ir.Value | np.ndarray]:
        """The parameters and buffers of a node by torch name; one tied to another's is that one's initializer."""
        found: dict[str, ir.Value | np.ndarray] = dict(self.owned.get(path, {}))
        for name in node.parameters:  # ``out_proj.weight`` is a submodule's, and a bare parameter has no name
            found[name] = self.weights[f"{path}.{name}" if name else path]
        for name, target in node.ties:
            found[name] = self.builder.initializer(target, self.weights[target])
        return found

    def output(self, name: str, value: ir.Value, taken: Sequence[ir.Value], tensor: Tensor) -> ir.Value:
        """A result under the output's name. What is an input or an output already gets a node of its own."""
        if value.name == name and value not in taken:
            return value
        for other in self.values():
            if other.name == name and other is not value:
                other.name = self.builder.claim(f"{name}/value")
        if value in taken or value.producer() is None:
            self.builder.begin(name)
            value = self.builder.op("Identity", value)
            self.describe(value, tensor)
        value.name = name
        return value

    def values(self) -> list[ir.Value]:
        return [value for node in self.builder.nodes for value in node.outputs]

    def describe(self, value: ir.Value, tensor: Tensor) -> None:
        """Give a value its shape and type. Few shapes are many values', and spelling a symbolic one takes long."""
        if tensor.shape not in self.shapes:
            self.shapes[tensor.shape] = plain_shape(tensor.shape)
        value.shape = ir.Shape(self.shapes[tensor.shape])
        value.type = ir.TensorType(DTYPES[tensor.dtype])
