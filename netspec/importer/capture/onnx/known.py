"""The part of a graph that is known before it runs: constants, and the arithmetic that exporters do on sizes.

A known value is an array of numpy. One of whole numbers that depend on symbolic dimensions is an array of objects,
each an ``int`` or a ``Dim``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netspec.dims import Dim, InexactError, Size, TooComplexError, exact_div, floor_div, product

MOST_BYTES = 2**28
"""The most that one folded value may take."""
Attributes = Mapping[str, Any]
Fold = Callable[[Sequence[Any], Attributes], Any]


class Unfoldable(Exception):
    """A node whose value is not worked out here."""


def folded(kind: str, inputs: Sequence[Any], attributes: Attributes) -> Any:
    """Return the value of a node's only output from those of its inputs, ``None`` for one left out.

    Raises ``Unfoldable`` where it is none of those that are worked out, or would be too large.
    """
    if kind not in FOLDS:
        raise Unfoldable(kind)
    try:
        with np.errstate(all="ignore"):
            made = FOLDS[kind](inputs, attributes)
    except (TypeError, ValueError, IndexError, KeyError, ArithmeticError, AttributeError) as reason:
        raise Unfoldable(str(reason)) from None
    return _plain(np.asarray(made))


def numbers(value: Any) -> list[Any]:
    """Return the numbers of a known value in a row."""
    return [each if isinstance(each, (Dim, float, bool)) else int(each) for each in value.reshape(-1).tolist()]


def is_symbolic(value: Any) -> bool:
    """Return whether a known value depends on symbolic dimensions."""
    return bool(value.dtype == object)


def whole(value: Sequence[Size]) -> Any:
    """Return sizes as a known value of one dimension."""
    if all(isinstance(size, int) for size in value):
        return np.array(value, np.int64)
    made = np.empty(len(value), object)
    made[:] = value
    return made


def _limited(shape: Sequence[int], itemsize: int = 8) -> tuple[int, ...]:
    if any(size < 0 for size in shape) or math.prod(shape) * itemsize > MOST_BYTES:
        raise Unfoldable(f"a value of shape {list(shape)}")
    return tuple(shape)


def _elementwise(function: Callable[..., Any]) -> Fold:
    def fold(inputs: Sequence[Any], attributes: Attributes) -> Any:
        _limited(np.broadcast_shapes(*(each.shape for each in inputs)))
        return _narrowed(function(*inputs), inputs[0].dtype)

    return fold


def _narrowed(made: Any, dtype: Any) -> Any:
    """A result in the dtype that ONNX gives it: the first input's, unless it is a truth value."""
    made = np.asarray(made)
    if made.dtype.kind in "Ob" or dtype.kind == "O":
        return _plain(made)
    return made.astype(dtype)


def _plain(made: Any) -> Any:
    """An array of objects as one of numbers where none is symbolic."""
    if made.dtype == object and not any(isinstance(each, Dim) for each in made.reshape(-1)):
        flat = made.reshape(-1).tolist()
        kind = np.float64 if any(isinstance(each, float) for each in flat) else np.int64
        return np.array(flat, kind).reshape(made.shape)
    return made


def _quotient(left: Any, right: Any) -> Any:
    if left.dtype != object and right.dtype != object:
        if left.dtype.kind == "f":
            return left / right
        if not right.all():
            raise Unfoldable("a division by 0")
        return np.trunc(left / right) if np.abs(left).max(initial=0) < 2**52 else left // right
    return np.frompyfunc(_divided, 2, 1)(left, right)


def _divided(left: Size, right: Size) -> Size:
    if isinstance(right, int):
        if right <= 0:
            raise Unfoldable("a division by no positive number")
        return floor_div(left, right)
    try:
        return exact_div(left, right)
    except (InexactError, TooComplexError) as reason:
        raise Unfoldable(str(reason)) from None


def _same(left: Any, right: Any) -> Any:
    """Compare; two sizes that are equal for some values only count as different, a size and a negative number too."""
    return np.asarray(left == right, bool)


def _cast(inputs: Sequence[Any], attributes: Attributes) -> Any:
    if is_symbolic(inputs[0]):
        return inputs[0]
    kind = attributes["dtype"]
    if kind is None:
        raise Unfoldable("a cast to a type without numbers")
    return inputs[0].astype(kind)


def _slice(inputs: Sequence[Any], attributes: Attributes) -> Any:
    data, starts, ends, axes, steps = [*inputs, None, None, None, None][:5]
    if starts is None:
        starts, ends = np.array(attributes["starts"]), np.array(attributes["ends"])
        axes = np.array(attributes["axes"]) if "axes" in attributes else None
    places = range(len(starts)) if axes is None else numbers(axes)
    strides = [1] * len(starts) if steps is None else numbers(steps)
    cut = [slice(None)] * data.ndim
    for axis, start, end, step in zip(places, numbers(starts), numbers(ends), strides):
        if isinstance(start, Dim) or isinstance(end, Dim):
            raise Unfoldable("a slice up to a symbolic size")
        last = None if step < 0 and end < -data.shape[axis] else end
        cut[axis] = slice(start, last, step)
    return data[tuple(cut)]


def _gather(inputs: Sequence[Any], attributes: Attributes) -> Any:
    data, indices = inputs
    axis = attributes.get("axis", 0)
    row = data.size // max(data.shape[axis], 1)
    _limited((row, indices.size), data.dtype.itemsize)
    return np.take(data, indices.astype(np.int64), axis=axis)


def _reshape(inputs: Sequence[Any], attributes: Attributes) -> Any:
    data, wanted = inputs
    zero = not attributes.get("allowzero", 0)
    shape = [data.shape[at] if size == 0 and zero else size for at, size in enumerate(numbers(wanted))]
    return data.reshape(shape)


def _squeeze(inputs: Sequence[Any], attributes: Attributes) -> Any:
    axes = _axes(inputs, attributes)
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _unsqueeze(inputs: Sequence[Any], attributes: Attributes) -> Any:
    return np.expand_dims(inputs[0], tuple(_axes(inputs, attributes) or ()))


def _axes(inputs: Sequence[Any], attributes: Attributes) -> list[Any] | None:
    if len(inputs) > 1 and inputs[1] is not None:
        return numbers(inputs[1])
    return attributes.get("axes")


def _concat(inputs: Sequence[Any], attributes: Attributes) -> Any:
    if sum(each.nbytes for each in inputs) > MOST_BYTES:
        raise Unfoldable("a long concatenation")
    return _plain(np.concatenate(inputs, attributes["axis"]))


def _expand(inputs: Sequence[Any], attributes: Attributes) -> Any:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(_integers(inputs[1])))
    return np.array(np.broadcast_to(inputs[0], _limited(shape, inputs[0].dtype.itemsize)))


def _filled(inputs: Sequence[Any], attributes: Attributes) -> Any:
    value = attributes.get("value")
    value = np.zeros(1, np.float32) if value is None else value
    return np.full(_limited(_integers(inputs[0]), value.dtype.itemsize), value.reshape(-1)[0])


def _integers(value: Any) -> list[int]:
    made = numbers(value)
    if any(isinstance(size, Dim) for size in made):
        raise Unfoldable("a symbolic shape")
    return [int(size) for size in made]


def _range(inputs: Sequence[Any], attributes: Attributes) -> Any:
    start, limit, step = (each.reshape(-1)[0] for each in inputs)
    if any(isinstance(each, Dim) for each in (start, limit, step)) or step == 0:
        raise Unfoldable("a range up to a symbolic size")
    count = max(math.ceil((float(limit) - float(start)) / float(step)), 0)
    _limited((count,))
    return (start + step * np.arange(count)).astype(inputs[0].dtype)


def _tile(inputs: Sequence[Any], attributes: Attributes) -> Any:
    repeats = _integers(inputs[1])
    _limited([size * count for size, count in zip(inputs[0].shape, repeats)], inputs[0].dtype.itemsize)
    return np.tile(inputs[0], repeats)


def _reduced(function: Callable[..., Any]) -> Fold:
    def fold(inputs: Sequence[Any], attributes: Attributes) -> Any:
        axes = _axes(inputs, attributes)
        if is_symbolic(inputs[0]) and function is np.prod and inputs[0].ndim == 1:
            made = whole([product(inputs[0].tolist())])
            return made if attributes.get("keepdims", 1) else made[0]
        keep = bool(attributes.get("keepdims", 1))
        made = function(inputs[0], axis=None if axes is None else tuple(axes), keepdims=keep)
        return _narrowed(made, inputs[0].dtype)

    return fold


def _matmul(inputs: Sequence[Any], attributes: Attributes) -> Any:
    left, right = inputs
    if left.ndim == right.ndim == 2:
        _limited((left.shape[0], right.shape[1]), left.dtype.itemsize)
    elif left.size * right.size > 2**24:
        raise Unfoldable("a large product")
    return np.matmul(left, right)


def _trilu(inputs: Sequence[Any], attributes: Attributes) -> Any:
    count = 0 if len(inputs) < 2 or inputs[1] is None else int(inputs[1])
    return np.triu(inputs[0], count) if attributes.get("upper", 1) else np.tril(inputs[0], count)


def _where(inputs: Sequence[Any], attributes: Attributes) -> Any:
    condition, yes, no = inputs
    _limited(np.broadcast_shapes(condition.shape, yes.shape, no.shape))
    return _plain(np.where(condition, yes, no))


def _scattered(inputs: Sequence[Any], attributes: Attributes) -> Any:
    data, indices, updates = inputs
    if attributes.get("reduction", "none") != "none":
        raise Unfoldable("a scatter that adds")
    made = np.array(data)
    made[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))] = updates
    return made


def _transpose(inputs: Sequence[Any], attributes: Attributes) -> Any:
    return np.transpose(inputs[0], attributes.get("perm"))


def _cumsum(inputs: Sequence[Any], attributes: Attributes) -> Any:
    if attributes.get("exclusive", 0) or attributes.get("reverse", 0):
        raise Unfoldable("a sum the other way")
    return np.cumsum(inputs[0], int(inputs[1])).astype(inputs[0].dtype)


def _power(left: Any, right: Any) -> Any:
    return np.power(left.astype(np.float64), right) if left.dtype.kind == "f" else np.power(left, right)


ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": _quotient,
    "Mod": lambda a, b: a % b,
    "Pow": _power,
    "Equal": _same,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Not": np.logical_not,
    "Neg": lambda a: -a,
    "Abs": np.abs,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tanh": np.tanh,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Sign": np.sign,
    "Max": lambda *each: np.max(np.broadcast_arrays(*each), axis=0),
    "Min": lambda *each: np.min(np.broadcast_arrays(*each), axis=0),
}

FOLDS: Mapping[str, Fold] = {
    **{kind: _elementwise(function) for kind, function in ELEMENTWISE.items()},
    "Identity": lambda inputs, attributes: inputs[0],
    "Cast": _cast,
    "CastLike": lambda inputs, attributes: inputs[0].astype(inputs[1].dtype),
    "Slice": _slice,
    "Gather": _gather,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Expand": _expand,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Tile": _tile,
    "Transpose": _transpose,
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "MatMul": _matmul,
    "Trilu": _trilu,
    "Where": _where,
    "ScatterND": _scattered,
    "CumSum": _cumsum,
}
"""The nodes that are worked out, beside ``Shape``, ``Size`` and ``Constant``."""
