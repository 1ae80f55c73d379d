"""ONNX files that a user names, and the inputs that they are given: what does not fit is told before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from netspec.diagnostics import UsageError


def read_model(path: Path, weights: bool = True) -> onnx.ModelProto:
    """Return the model in a file. Raises ``UsageError`` where there is none that can be read."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        model = onnx.load(path, load_external_data=weights)
    except Exception as reason:  # of a file that is none, protobuf's exceptions are many
        raise UsageError(f"{path} is no ONNX file that can be read: {reason}") from None
    if not model.graph.node:
        raise UsageError(f"{path} is an ONNX file without nodes: is it damaged, or cut off?")
    return model


def check_inputs(path: Path, model: onnx.ModelProto, inputs: Mapping[str, Any]) -> None:
    """Raise ``UsageError`` where arrays or tensors by their names are not what a file's inputs take."""
    weights = {each.name for each in model.graph.initializer}
    taken = {each.name: _shape(each) for each in model.graph.input if each.name not in weights}
    wrong = set(taken) != set(inputs) or any(
        len(taken[name]) != len(given.shape)
        or any(isinstance(size, int) and size != own for size, own in zip(taken[name], given.shape))
        for name, given in inputs.items()
    )
    if wrong:
        given = listed({name: [*each.shape] for name, each in inputs.items()})
        raise UsageError(f"{path} takes {listed(taken)}, and is given {given}: are the two sides of one network?")


def listed(shapes: Mapping[str, Any]) -> str:
    """Return inputs with their shapes: ```x` [N, 4]``."""
    return ", ".join(f"`{name}` [{', '.join(map(str, shape))}]" for name, shape in shapes.items()) or "nothing"


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]
