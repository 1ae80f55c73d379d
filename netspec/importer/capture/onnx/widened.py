"""Files whose weights are in 16 bits, as the network in float32 that they stand for.

Such files come of converters: weights, and what is computed with them, lose digits, and casts stand where that begins
and ends. A spec says nothing of that: the precision is a file's, or a training's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from netspec.emit.onnx.notes import PRECISION
from netspec.importer.capture.onnx.table import MALFORMED
from netspec.runtime.onnx.between_casts import HALVES, half_of
from netspec.runtime.onnx.export import EXTERNAL_ABOVE
from netspec.weights.files.onnx_file import DTYPES, OnnxFile

NAMING_A_DTYPE = ("to", "dtype", "output_dtype")
"""The attributes of nodes that name the dtype of what they give."""
OWN_PRODUCER = "netspec"


@contextmanager
def in_float32(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give a file whose weights are in float32, for the time of a ``with``, and what there is to say of that: the one
    at a path, and nothing, where its weights are not in 16 bits.

    Raises ``UsageError`` where the file is damaged.
    """
    file = OnnxFile(path)
    dtype = dtype_of_weights(file.model)
    if not dtype:
        yield path, []
        return
    try:
        _widen(file)
    except MALFORMED as reason:  # such as a name that is no text
        raise file.wrong(f"it is damaged: {reason}") from None
    with TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        held = sum(len(each.raw_data) for graph in _graphs(file.model.graph) for each in graph.initializer)
        onnx.save(file.model, made, save_as_external_data=held > EXTERNAL_ABOVE)  # a message has no size above 2 GB
        yield made, [f"the file is in {dtype}, the network and its weights in float32; `export` writes it so again"]


def dtype_of_weights(model: onnx.ModelProto) -> str:
    """Return the dtype of 16 bits in which a file has its weights; nothing where they have another.

    netspec says so itself: what is of 16 bits in another file of its own is so in the spec.
    """
    if model.producer_name == OWN_PRODUCER:
        return half_of(model)
    kinds = (each.data_type for graph in _graphs(model.graph) for each in graph.initializer if len(each.dims) > 1)
    return next((DTYPES[kind][0] for kind in kinds if kind in HALVES), "")


def _widen(file: OnnxFile) -> None:
    """Have all real numbers of a file's message in float32 that it has in 16 bits."""
    model = file.model
    kept = [each for each in model.metadata_props if each.key != PRECISION]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for graph in _graphs(model.graph):
        for proto in graph.initializer:
            _widen_tensor(file, proto)
        for info in (*graph.input, *graph.output, *graph.value_info):
            if info.type.tensor_type.elem_type in HALVES:
                info.type.tensor_type.elem_type = TensorProto.FLOAT
        _widen_nodes(file, graph.node)
    for function in model.functions:
        _widen_nodes(file, function.node)


def _widen_nodes(file: OnnxFile, nodes: Iterable[onnx.NodeProto]) -> None:
    for attribute in (each for node in nodes for each in node.attribute):
        if attribute.name in NAMING_A_DTYPE and attribute.i in HALVES:
            attribute.i = TensorProto.FLOAT
        if attribute.HasField("t"):
            _widen_tensor(file, attribute.t)


def _widen_tensor(file: OnnxFile, proto: onnx.TensorProto) -> None:
    """Have a tensor in the message, and in float32 if it is in 16 bits."""
    if proto.data_type in HALVES or proto.data_location == TensorProto.EXTERNAL:
        array = file.tensor(proto)
        wide = array.astype(np.float32) if proto.data_type in HALVES else array
        proto.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(wide).reshape(array.shape), proto.name))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph, and those inside its nodes."""
    yield graph
    for attribute in (each for node in graph.node for each in node.attribute):
        for inner in [attribute.g] if attribute.HasField("g") else [*attribute.graphs]:
            yield from _graphs(inner)
