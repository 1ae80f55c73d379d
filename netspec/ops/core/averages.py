"""Means in ONNX that are as exact as PyTorch's: onnxruntime adds up one number after the other, PyTorch in parts."""

from collections.abc import Iterable
from typing import Any

from netspec.ops.core.roles.onnx_form import OnnxBuilder


def mean_over(builder: OnnxBuilder, x: Any, axes: Iterable[int], keepdims: bool = False) -> Any:
    """The mean over some dimensions, one after the other: so no sum is of more numbers than a dimension has.

    Dimensions that are kept with the size 1 are named again with the one before them: onnxruntime reduces the last
    dimensions of a tensor many times faster than those that one of size 1 comes after.
    """
    done: list[int] = []
    for axis in sorted(axes, reverse=True):
        done = [axis, *done] if keepdims else [axis]
        x = builder.op("ReduceMean", x, builder.constant(done), keepdims=int(keepdims))
    return x


def centred(builder: OnnxBuilder, x: Any, axes: Iterable[int]) -> Any:
    """Return the difference from the mean over some dimensions; its square is exact, however large the mean."""
    return builder.op("Sub", x, mean_over(builder, x, axes, keepdims=True))
