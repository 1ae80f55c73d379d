"""Attention in ONNX out of products and a softmax, as opsets before 23 have it; every tool knows these nodes."""

from typing import Any

from netspec.dims import Size
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.sizes import count_up, size_scalar
from netspec.ops.core.tensors import Tensor

MASKED = -3.4028234663852886e38
"""The score of a key that a query may not look at: a row of nothing but infinities would have no softmax."""


def attention_weights(
    builder: OnnxBuilder,
    query: Any,
    key: Any,
    rank: int,
    mask: Any,
    dtype: str,
    causal: tuple[Size, Size] | None = None,
    is_truth: bool = True,
) -> Any:
    """Return softmax(Q·Kᵀ), of queries (…, L, E), scaled already, and keys (…, S, E), which have ``rank`` dimensions.

    ``mask`` is true where a query may look, or unless it ``is_truth`` added to the scores. With ``causal``, L and S, no
    query looks at a later key.
    """
    turned = builder.op("Transpose", key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = builder.op("MatMul", query, turned)
    least = builder.constant(MASKED, dtype) if causal or is_truth else None
    if mask is not None:
        scores = builder.op("Where", mask, scores, least) if is_truth else builder.op("Add", scores, mask)
    if causal:
        scores = builder.op("Where", seen(builder, query, key, causal), scores, least)
    return builder.op("Softmax", scores, axis=-1)


def seen(builder: OnnxBuilder, query: Any, key: Any, sizes: tuple[Size, Size]) -> Any:
    """Return a mask (L, S) that is true where the key is no later than the query; layers of like sizes share it."""
    return builder.once(("seen", sizes), lambda: no_later(builder, query, key))


def no_later(builder: OnnxBuilder, query: Any, key: Any, start: Any = None) -> Any:
    """Return a mask (L, S) that is true where the key is no later than the query; queries begin at ``start``.

    It is made of numbers that are compared, as not every tool that turns files into others knows ``Trilu``.
    """
    rows, columns = (count_up(builder, builder.op("Shape", x, start=-2, end=-1)) for x in (query, key))
    rows = rows if start is None else builder.op("Add", rows, start)
    ends = builder.op("Add", builder.op("Unsqueeze", rows, builder.constant([-1])), builder.constant(1))
    return builder.op("Less", columns, ends)


def only_seeing(builder: OnnxBuilder, result: Any, mask: Any, dtype: str) -> Any:
    """Return zeros for the queries that may look at no key, as torch does."""
    seeing = builder.op("ReduceMax", as_number(builder, mask, dtype), builder.constant([-1]), keepdims=1)
    return builder.op("Mul", result, seeing)


def scaled(builder: OnnxBuilder, query: Any, width: Size, scale: float | None, tensor: Tensor) -> Any:
    """Return queries times a scale, 1/√width where none is given; ``tensor`` is what they are."""
    if scale is None and not isinstance(width, int):
        root = builder.op(
            "Sqrt", builder.cast(size_scalar(builder, "attention", width, [query], [tensor]), tensor.dtype)
        )
        return builder.op("Div", query, root)
    by = width**-0.5 if scale is None and isinstance(width, int) else scale
    return builder.op("Mul", query, builder.constant(by, tensor.dtype))


def repeated_heads(builder: OnnxBuilder, x: Any, rank: int, heads: int, times: int) -> Any:
    """Return keys or values with each of their heads ``times`` times, which makes ``heads`` of them."""
    each = builder.op("Unsqueeze", x, builder.constant([rank - 2]))
    each = builder.op("Expand", each, builder.constant([times, 1, 1]))
    ends = builder.op("Shape", x, start=0, end=rank - 3), builder.op("Shape", x, start=rank - 2)
    return builder.op("Reshape", each, builder.op("Concat", ends[0], builder.constant([heads]), ends[1], axis=0))


def in_heads(builder: OnnxBuilder, x: Any, heads: int, width: int) -> Any:
    """Return (N, T, E) as (N, heads, T, width)."""
    parts = builder.op("Reshape", x, builder.constant([0, 0, heads, width]))
    return builder.op("Transpose", parts, perm=[0, 2, 1, 3])


def joined(builder: OnnxBuilder, x: Any, width: int) -> Any:
    """Return (N, heads, T, …) as (N, T, width)."""
    return builder.op("Reshape", builder.op("Transpose", x, perm=[0, 2, 1, 3]), builder.constant([0, 0, width]))
