"""The weight and bias of a normalisation."""

from collections.abc import Mapping
from typing import Any

from netspec.dims import Shape
from netspec.ops.core.roles.onnx_form import OnnxBuilder


def learned(shape: Shape, weight: bool, bias: bool = True) -> Mapping[str, Shape]:
    """The parameters of a normalisation that may have a weight, and a bias only beside it."""
    if not weight:
        return {}
    return {"weight": shape, "bias": shape} if bias else {"weight": shape}


def scale_and_shift(builder: OnnxBuilder, shape: tuple[int, ...], dtype: str) -> tuple[Any, Any]:
    """The op's weight and bias, or ones and zeros where it has none."""
    weight, bias = builder.parameter("weight"), builder.parameter("bias")
    weight = builder.constant(filled(shape, 1.0), dtype) if weight is None else weight
    return weight, builder.constant(filled(shape, 0.0), dtype) if bias is None else bias


def affine(builder: OnnxBuilder, x: Any) -> Any:
    """Return a value of the weight's shape at its end times the op's weight, plus its bias, if it has them."""
    for name, kind in (("weight", "Mul"), ("bias", "Add")):
        each = builder.parameter(name)
        x = x if each is None else builder.op(kind, x, each)
    return x


def filled(shape: tuple[int, ...], value: float) -> Any:
    """Nested lists of one value."""
    return [filled(shape[1:], value)] * shape[0] if shape else value
