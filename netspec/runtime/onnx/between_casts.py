"""Files of 16 bits made ready to be judged on onnxruntime's CPU: each node runs in float32, between casts.

It has no kernels for bfloat16, and next to none for float16: there it puts such casts itself, and takes out again
those that meet, so that what overflows elsewhere does not. Here every value is rounded as the file says; only what a
node adds up inside is not, as on devices that have such kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, helper, shape_inference

from netspec.emit.onnx.notes import PRECISION
from netspec.runtime.onnx.export import EXTERNAL_ABOVE

HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
CARRIED_ON = ("Cast", "Scan")
"""The nodes that take 16 bits as they are."""


def half_of(model: onnx.ModelProto) -> str:
    """Return the dtype of 16 bits that a file of netspec's was written in; nothing for another."""
    return next((each.value for each in model.metadata_props if each.key == PRECISION), "")


def write_rounded(path: Path, to: Path) -> Path:
    """Write a file of 16 bits so that onnxruntime's CPU rounds as it says; return where."""
    model = onnx.load(path)
    put_between_casts(model)
    onnx.save(model, to, save_as_external_data=model.ByteSize() > EXTERNAL_ABOVE)
    return to


def put_between_casts(model: onnx.ModelProto) -> None:
    """Put the nodes of a model between casts; outputs that would be in 16 bits are in float32 then."""
    inferred = shape_inference.infer_shapes(model)
    _rewrite(model.graph, inferred.graph, {})


def _rewrite(graph: onnx.GraphProto, inferred: onnx.GraphProto, around: Mapping[str, int], inner: bool = False) -> None:
    """Rewrite a graph; ``around`` has the dtypes of the values of the graphs around it."""
    infos = (*inferred.input, *inferred.value_info, *inferred.output)
    said = [(each.name, each.type.tensor_type.elem_type) for each in infos]
    kinds = {**around, **{name: kind for name, kind in said if kind}}
    kinds.update((each.name, each.data_type) for each in graph.initializer)
    nodes, bodies = [*graph.node], [*inferred.node]
    del graph.node[:]
    wide: dict[str, str] = {}

    def widened(name: str) -> str:
        if kinds.get(name) not in HALVES:
            return name
        if name not in wide:
            wide[name] = f"{name}/float32"
            graph.node.append(helper.make_node("Cast", [name], [wide[name]], to=TensorProto.FLOAT))
        return wide[name]

    for node, twin in zip(nodes, bodies):
        for one, other in zip(node.attribute, twin.attribute):
            if one.HasField("g"):
                _rewrite(one.g, other.g, kinds, inner=True)
        if node.op_type in CARRIED_ON:
            graph.node.append(node)
            continue
        node.input[:] = [widened(name) for name in node.input]
        rounded = [name for name in node.output if kinds.get(name) in HALVES]
        node.output[:] = [f"{name}/exact" if name in rounded else name for name in node.output]
        graph.node.append(node)
        for name in rounded:
            graph.node.append(helper.make_node("Cast", [f"{name}/exact"], [name], to=kinds[name]))
    for output in () if inner else graph.output:
        if kinds.get(output.name) in HALVES:
            output.CopyFrom(onnx.ValueInfoProto(name=widened(output.name)))
