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


def write_onnx(model: ir.Model, path: Path) -> None:
    """Write a model with its weights inside, once ``check_onnx`` has passed it; 2 GB at most, as protobuf has it."""
    initializers = list(model.graph.initializers.values())
    proto = ir.serde.serialize_model(_without_weights(model))
    graph = proto.graph.SerializeToString()
    proto.ClearField("graph")
    tensors = [_tensor(value) for value in initializers]
    length = len(graph) + sum(len(head) + memory.nbytes for head, memory in tensors)
    with path.open("wb") as file:
        file.write(proto.SerializeToString())
        file.write(_tag(GRAPH, length))
        file.write(graph)
        _write_all(file, tensors)


def check_onnx(model: ir.Model) -> None:
    """Pass a model by ``onnx.checker`` with its strict shape inference; raises what that raises.

    Large weights stand among the inputs for it: it would copy them, and reads no more of them than type and shape.
    """
    kept = dict(model.graph.initializers)
    weights = {
        name: held for name, value in kept.items() if (held := value.const_value) is not None and held.nbytes > LARGE
    }
    try:
        for name in weights:
            del model.graph.initializers[name]
        proto = ir.serde.serialize_model(model)
    finally:
        model.graph.initializers.clear()
        model.graph.initializers.update(kept)
    for name, tensor in weights.items():
        proto.graph.input.append(onnx.helper.make_tensor_value_info(name, int(tensor.dtype), tensor.shape.numpy()))
    onnx.checker.check_model(proto, full_check=True)


def _write_all(file: IO[bytes], tensors: Iterable[tuple[bytes, memoryview]]) -> None:
    for head, memory in tensors:
        file.write(head)
        file.write(memory)


def _without_weights(model: ir.Model) -> ir.Model:
    graph = model.graph
    graph.initializers.clear()
    return model


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
