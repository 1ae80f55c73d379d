"""Writes an ONNX model to disk straight from the weights' own memory.

Serialising through ``ModelProto`` copies all weights three times. A protobuf message is a run of fields, each a tag,
a length and its bytes; so the model is serialised without its weights, and these are written behind it, as
initializers of the same graph, from where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import onnx
import onnx_ir as ir

GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
LENGTH_DELIMITED = 2

LARGE = 1024
"""Bytes; smaller tensors may be the sizes that shape inference reads."""


def without_weights(model: ir.Model) -> onnx.ModelProto:
    """Return the model as protobuf, without its initializers, which it has as before when this returns."""
    initializers = model.graph.initializers
    kept = dict(initializers)
    initializers.clear()
    try:
        return ir.serde.serialize_model(model)
    finally:
        initializers.update(kept)


def check_onnx(proto: onnx.ModelProto, weights: Iterable[ir.Value]) -> None:
    """Pass a model without weights, and these, by ``onnx.checker`` with its strict shape inference.

    Raises what that raises. Large weights stand among the inputs for it: it would copy them, and reads no more of them
    than type and shape.
    """
    graph, inputs = proto.graph, len(proto.graph.input)
    for value in weights:
        held, name = value.const_value, value.name
        assert held is not None
        assert name is not None
        if held.nbytes > LARGE:
            graph.input.append(onnx.helper.make_tensor_value_info(name, int(held.dtype), held.shape.numpy()))
        else:
            graph.initializer.append(ir.serde.serialize_tensor(held))
    try:
        onnx.checker.check_model(proto, full_check=True)
    finally:
        del graph.input[inputs:], graph.initializer[:]


def write_onnx(proto: onnx.ModelProto, weights: Iterable[ir.Value], path: Path) -> None:
    """Write a model and its weights into a file, once ``check_onnx`` has passed them; protobuf bears 2 GB."""
    graph = proto.graph.SerializeToString()
    proto.ClearField("graph")
    tensors = [_tensor(value) for value in weights]
    length = len(graph) + sum(len(head) + memory.nbytes for head, memory in tensors)
    with path.open("wb") as file:
        file.write(proto.SerializeToString())
        file.write(_tag(GRAPH, length))
        file.write(graph)
        _write_all(file, tensors)


def _write_all(file: IO[bytes], tensors: Iterable[tuple[bytes, memoryview]]) -> None:
    for head, memory in tensors:
        file.write(head)
        file.write(memory)


def _tensor(value: ir.Value) -> tuple[bytes, memoryview]:
    """One initializer of the graph: everything up to its numbers, and the numbers."""
    assert value.const_value is not None
    array = np.asarray(value.const_value.numpy(), order="C")  # ascontiguousarray would give a scalar a dimension
    memory: memoryview = array.reshape(-1).view(np.uint8).data
    head = onnx.TensorProto(
        dims=array.shape, data_type=int(value.const_value.dtype), name=value.name
    ).SerializeToString()
    inner = head + _tag(RAW_DATA, memory.nbytes)
    return _tag(INITIALIZER, len(inner) + memory.nbytes) + inner, memory


def _tag(field: int, length: int) -> bytes:
    """The tag and length in front of a field of bytes."""
    return _varint(field << 3 | LENGTH_DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
