"""An op alone as an ONNX model, and its runs on onnxruntime."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from netspec.dims import plain_shape
from netspec.emit.onnx.builder import DTYPES, GraphBuilder
from netspec.emit.onnx.versions import NEWEST, OLDEST, USUAL, ir_of
from netspec.emit.onnx.write import array_of
from netspec.ops import Op
from netspec.runtime.onnx.exported_op import exported_op
from netspec.runtime.onnx.fixed_noise import fix_noise
from netspec.testing.case import Values
from netspec.testing.pytorch import state_of

Array = np.ndarray[Any, Any]


def onnx_model(
    op: Op, tensors: Sequence[Any], module: Any, reads: Collection[int] = (0,), opset: int = 0
) -> onnx.ModelProto:
    """Return the op as a model, checked by onnx, whose inputs are ``x0``, ``x1``, … and outputs those that are read.

    It is in the opset that a network of the op alone would be in, unless another is given.
    """
    builder, inputs, outputs = _written(op, tensors, module, reads, opset or op_opset(op, tensors))
    given = [value for value in inputs if value is not None]
    if builder.late:
        needed = max(opset for opset, _ in builder.late)
        assert type(op).onnx is Op.onnx or opset, (
            f"`{op.name}` does not say that it needs opset {needed}: {builder.late}"
        )
        return onnx_model(op, tensors, module, reads, needed)
    proto = builder.model(builder.graph("case", given, outputs), ir_of(builder.opset))
    for value in builder.kept():
        proto.graph.initializer.append(numpy_helper.from_array(array_of(value), value.name))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _written(
    op: Op, tensors: Sequence[Any], module: Any, reads: Collection[int], opset: int
) -> tuple[GraphBuilder, list[Any], list[Any]]:
    """The builder that has written an op, with its inputs and outputs."""
    builder = GraphBuilder(exporter=exported_op, opset=opset)
    inputs = [
        None if tensor is None else builder.input(f"x{at}", plain_shape(tensor.shape), tensor.dtype)
        for at, tensor in enumerate(tensors)
    ]
    inferred = op.infer(*tensors)
    weights = {name: tensor.numpy() for name, tensor in state_of(module).items()}
    builder.begin("layer", weights, unread={port for port in range(len(inferred)) if port not in reads})
    written = op.onnx(builder, *inputs, tensors=tensors)
    results = written if isinstance(written, tuple) else (written,)
    assert len(results) == len(inferred), f"`onnx` gives {len(results)} values, `infer` {len(inferred)}"
    outputs: list[Any] = []
    for port in sorted(reads):
        result = results[port]
        is_own = result not in inputs and result not in outputs and result.node is not None
        result = result if is_own else builder.op("Identity", result)
        result.kind, result.shape = DTYPES[inferred[port].dtype], plain_shape(inferred[port].shape)
        outputs.append(result)
    return builder, inputs, outputs


def op_opset(op: Op, tensors: Sequence[Any]) -> int:
    """Return the opset that a network of an op alone is written in."""
    return max(USUAL, op.onnx_best_opset(), op.onnx_opset(*tensors))


def other_opsets(op: Op, tensors: Sequence[Any], module: Any, reads: Collection[int]) -> list[int]:
    """Return the oldest and the newest opset that the op can be written in, where its nodes are others than usual."""
    usual, oldest = op_opset(op, tensors), max(OLDEST, op.onnx_opset(*tensors))
    kinds = {}
    for opset in (usual, oldest, NEWEST):
        builder, *_ = _written(op, tensors, module, reads, opset)
        kinds[opset] = [(node.op_type, len(node.inputs)) for node in builder.nodes]
        if builder.late:
            kinds.pop(opset)
    return [opset for opset, each in kinds.items() if each != kinds.get(usual, each)]


class OnnxRun:
    """An op's model in onnxruntime, on the CPU."""

    def __init__(self, op: Op, tensors: Sequence[Any], module: Any, reads: Collection[int] = (0,), opset: int = 0):
        model = onnx_model(op, tensors, module, reads, opset)
        if op.is_random():
            fix_noise(model.graph)
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        self.names = {each.name for each in self.session.get_inputs()}

    def __call__(self, values: Values) -> list[Array]:
        """Return the outputs that are read."""
        named = {f"x{at}": value.numpy() for at, value in enumerate(values) if value is not None}
        results: list[Array] = self.session.run(None, {name: named[name] for name in self.names})
        return results
