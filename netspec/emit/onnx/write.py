"""Writes an ONNX model to disk straight from the weights' own memory.

Serialising through ``ModelProto`` copies all weights three times. A protobuf message is a run of fields, each a tag,
a length and its bytes; so the model is serialised without its weights, and these are written behind it, as
initializers of the same graph, from where they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from netspec.emit.onnx.parts import OnnxModel, OnnxValue

GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
LENGTH_DELIMITED = 2

Transposed = Callable[[np.ndarray], np.ndarray]

LARGE = 1024
"""Bytes; smaller tensors may be the sizes that shape inference reads."""
OF_ITS_OWN = 16_384
"""Bytes; smaller weights stay in the file, as a runtime opens each that lies beside it by itself."""
PAGE = 4096
"""Bytes; weights beside a file begin at a multiple of them, so that runtimes map them as they lie."""


def check_onnx(model: OnnxModel) -> None:
    """Pass a model by ``onnx.checker`` with its strict shape inference.

    Raises what that raises. Large weights stand among the inputs for it: it would copy them, and reads no more of them
    than type and shape.
    """
    graph, inputs = model.proto.graph, len(model.proto.graph.input)
    for value in model.weights:
        held = array_of(value)
        if held.nbytes > LARGE:
            graph.input.append(value.info())
        else:
            graph.initializer.append(numpy_helper.from_array(held, value.name))
    try:
        onnx.checker.check_model(model.proto, full_check=True)
    finally:
        del graph.input[inputs:], graph.initializer[:]


def write_onnx(model: OnnxModel, path: Path, transposed: Transposed = np.ascontiguousarray) -> None:
    """Write a model and its weights into a file, once ``check_onnx`` has passed them; protobuf bears 2 GB.

    ``transposed`` puts a matrix that lies the other way round into C's order.
    """
    graph = model.proto.graph.SerializeToString()
    head = onnx.ModelProto()
    head.CopyFrom(model.proto)
    head.ClearField("graph")
    heads = [_head(value) for value in model.weights]
    length = len(graph) + sum(len(start) + array_of(value).nbytes for start, value in zip(heads, model.weights))
    with path.open("wb") as file:
        file.write(head.SerializeToString())
        file.write(_tag(GRAPH, length))
        file.write(graph)
        for start, value in zip(heads, model.weights):
            file.write(start)
            file.write(_memory(array_of(value), transposed))


def write_beside(model: OnnxModel, path: Path, data: Path, transposed: Transposed = np.ascontiguousarray) -> None:
    """Write a model into a file, and its larger weights into another, ``data``, in the same folder."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    with data.open("wb") as file:
        for value in model.weights:
            held = array_of(value)
            if held.nbytes < OF_ITS_OWN:
                proto.graph.initializer.append(numpy_helper.from_array(held, value.name))
                continue
            tensor = proto.graph.initializer.add(name=value.name, data_type=value.kind, dims=held.shape)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            file.write(bytes(-file.tell() % PAGE))
            where = {"location": data.name, "offset": file.tell(), "length": held.nbytes}
            for key, entry in where.items():
                tensor.external_data.add(key=key, value=str(entry))
            file.write(_memory(held, transposed))
    path.write_bytes(proto.SerializeToString())


def array_of(value: OnnxValue) -> np.ndarray:
    """Return the numbers of an initializer."""
    assert value.array is not None
    return value.array


def _head(value: OnnxValue) -> bytes:
    """One initializer of the graph, up to its numbers."""
    held = array_of(value)
    start = onnx.TensorProto(dims=held.shape, data_type=value.kind, name=value.name).SerializeToString()
    inner = start + _tag(RAW_DATA, held.nbytes)
    head: bytes = _tag(INITIALIZER, len(inner) + held.nbytes) + inner
    return head


def _memory(array: np.ndarray, transposed: Transposed) -> memoryview:
    """Return the bytes of an array, from where they lie if they are in C's order."""
    turned = array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous
    ordered = transposed(array) if turned else np.asarray(array, order="C")  # which leaves a scalar one
    return ordered.reshape(-1).view(np.uint8).data


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
