"""Random nodes of an ONNX file replaced by the fixed numbers that ``runtime.fixed_noise`` gives torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from netspec.files import temporary_beside
from netspec.runtime.fixed_noise import MODULUS, SPREAD, STEP
from netspec.runtime.onnx.between_casts import half_of, put_between_casts
from netspec.runtime.onnx.session import OpenedFile, open_on

RANDOM = ("RandomNormalLike", "RandomUniformLike")


def open_fixed(path: Path, providers: Sequence[Any], runtime: str = "onnxruntime") -> OpenedFile:
    """Open a file on a runtime with fixed numbers in place of random ones, and nodes of 16 bits between casts."""
    model = onnx.load(path, load_external_data=False)
    fix_noise(model.graph)
    if half_of(model):
        put_between_casts(model)
    with temporary_beside(path) as temporary:  # beside its weights, if they lie in a file of their own
        onnx.save(model, temporary)
        return open_on(runtime, temporary, providers)


def fix_noise(graph: onnx.GraphProto) -> None:
    """Replace the random nodes of a graph, and of the graphs inside it."""
    numbers = count()
    nodes = [*graph.node]
    del graph.node[:]
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                fix_noise(attribute.g)
        graph.node.extend(_fixed(node, f"fixed_noise_{next(numbers)}") if node.op_type in RANDOM else [node])


def _fixed(node: onnx.NodeProto, prefix: str) -> Iterator[onnx.NodeProto]:
    """The nodes that give the fixed numbers; their values have names of their own, but for the last."""
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    like, real = node.input[0], given["dtype"]
    prefix = f"{prefix}_{node.output[0]}"

    def op(kind: str, *inputs: str, name: str = "", **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [name or f"{prefix}_{kind}"], **attributes)

    def constant(name: str, value: float, dtype: int) -> onnx.NodeProto:
        tensor = helper.make_tensor(name, dtype, [], [value])
        return helper.make_node("Constant", [], [f"{prefix}_{name}"], value=tensor)

    if node.op_type == "RandomNormalLike":
        scale = SPREAD * given.get("scale", 1.0)
        shift = given.get("mean", 0.0) - scale / 2
    else:
        scale = given.get("high", 1.0) - given.get("low", 0.0)
        shift = given.get("low", 0.0)
    whole = onnx.TensorProto.INT64
    yield from (constant("zero", 0, whole), constant("one", 1, whole), constant("half", 0.5, real))
    yield from (constant("step", STEP, whole), constant("modulus", MODULUS, whole), constant("whole", MODULUS, real))
    yield from (constant("scale", scale, real), constant("shift", shift, real))
    yield op("Size", like)
    yield op("Shape", like)
    yield op("Range", f"{prefix}_zero", f"{prefix}_Size", f"{prefix}_one")
    yield op("Mul", f"{prefix}_Range", f"{prefix}_step")
    yield op("Add", f"{prefix}_Mul", f"{prefix}_one")
    yield op("Mod", f"{prefix}_Add", f"{prefix}_modulus")
    yield op("Cast", f"{prefix}_Mod", to=real)
    yield op("Sum", f"{prefix}_Cast", f"{prefix}_half")
    yield op("Div", f"{prefix}_Sum", f"{prefix}_whole")
    yield op("Mul", f"{prefix}_Div", f"{prefix}_scale", name=f"{prefix}_scaled")
    yield op("Add", f"{prefix}_scaled", f"{prefix}_shift", name=f"{prefix}_shifted")
    yield op("Reshape", f"{prefix}_shifted", f"{prefix}_Shape", name=node.output[0])
