"""Activations out of several nodes, for opsets that have none of their own; onnxruntime makes one of them again."""

import math
from typing import Any

from netspec.ops.core.roles.onnx_form import OnnxBuilder


def gelu_in_parts(builder: OnnxBuilder, x: Any, dtype: str, tanh: bool) -> Any:
    """Return x · Φ(x), or its approximation by a tanh."""
    half, one = builder.constant(0.5, dtype), builder.constant(1.0, dtype)
    if not tanh:
        part = builder.op("Erf", builder.op("Div", x, builder.constant(math.sqrt(2), dtype)))
        return builder.op("Mul", builder.op("Mul", x, builder.op("Add", part, one)), half)
    cube = builder.op("Mul", builder.op("Pow", x, builder.constant(3.0, dtype)), builder.constant(0.044715, dtype))
    inner = builder.op("Mul", builder.op("Add", x, cube), builder.constant(math.sqrt(2 / math.pi), dtype))
    part = builder.op("Add", builder.op("Tanh", inner), one)
    return builder.op("Mul", builder.op("Mul", x, half), part)
