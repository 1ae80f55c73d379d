"""The matrices of Fourier transforms in ONNX, made of nodes; for a known length onnxruntime makes them once.

onnxruntime's own DFT is off by 1e-5 and more where the length is no power of 2, and STFT has no padding.
"""

import math
from typing import Any

from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import count_up


def waves(builder: OnnxBuilder, rows: Any, columns: Any, period: Any) -> tuple[Any, Any]:
    """Return cosine and sine of 2π·j·k/period, (rows, columns); all three are vectors of one element."""
    places = builder.op("Unsqueeze", count_up(builder, rows), builder.constant([1]))
    steps = builder.op("Mod", builder.op("Mul", places, count_up(builder, columns)), period)
    turns = builder.op("Div", builder.cast(steps, "float32"), builder.cast(period, "float32"))
    angle = builder.op("Mul", turns, builder.constant(2 * math.pi, "float32"))
    return builder.op("Cos", angle), builder.op("Sin", angle)


def paired(builder: OnnxBuilder, first: Any, second: Any, axis: int) -> Any:
    """Return two values along a new dimension."""
    parts = [builder.op("Unsqueeze", each, builder.constant([axis])) for each in (first, second)]
    return builder.op("Concat", *parts, axis=axis)


def forward_matrix(builder: OnnxBuilder, length: Any, columns: Any) -> Any:
    """Return the matrix of a transform of real numbers, (length, columns · 2)."""
    cosine, sine = waves(builder, length, columns, length)
    made = paired(builder, cosine, builder.op("Neg", sine), 2)
    return builder.op("Flatten", made, axis=1)


def complex_matrix(builder: OnnxBuilder, length: Any, inverse: bool) -> Any:
    """Return the matrix of a transform of pairs, (length · 2, length · 2)."""
    cosine, sine = waves(builder, length, length, length)
    against = builder.op("Neg", sine)
    first, second = (against, sine) if not inverse else (sine, against)
    made = paired(builder, paired(builder, cosine, first, 2), paired(builder, second, cosine, 2), 1)
    sizes = builder.op("Mul", length, builder.constant([2]))
    return builder.op("Reshape", made, builder.op("Concat", builder.constant([-1]), sizes, axis=0))


def backward_matrix(builder: OnnxBuilder, columns: Any, length: Any) -> Any:
    """Return the matrix of the inverse transform to real numbers, (columns · 2, length), not divided by the length."""
    cosine, sine = waves(builder, columns, length, length)
    place = count_up(builder, columns)
    lone = builder.op(
        "Equal", builder.op("Mod", builder.op("Mul", place, builder.constant(2)), length), builder.constant(0)
    )
    one, two = builder.constant(1.0, "float32"), builder.constant(2.0, "float32")
    weight = builder.op("Unsqueeze", builder.op("Where", lone, one, two), builder.constant([1]))
    made = paired(builder, builder.op("Mul", cosine, weight), builder.op("Neg", builder.op("Mul", sine, weight)), 1)
    return builder.op("Reshape", made, builder.op("Concat", builder.constant([-1]), length, axis=0))
