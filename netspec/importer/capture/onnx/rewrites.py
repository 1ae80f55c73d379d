"""Nodes that no op is alone, as several that are: of older versions of ONNX, and those that do many things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from netspec.dims import Dim, InexactError, Shape, Size, evaluate, exact_div, product
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, number_of
from netspec.ops.core.reshaping import resolve

Rewrite = Callable[["Rewriting"], Iterator[ForeignCall]]


class Rewriting:
    """A node that is rewritten: its call, and the version of ONNX that it is of."""

    def __init__(self, call: ForeignCall, version: int):
        self.call, self.version = call, version
        self.given = call.arguments

    def made(self) -> ForeignTensor:
        """Return a tensor between two nodes."""
        return ForeignTensor((), "float32")

    def last(self, name: str, /, **arguments: Any) -> ForeignCall:
        """Return the call that gives what the node gives."""
        return ForeignCall(name, arguments, self.call.outputs)

    def again(self, **arguments: Any) -> ForeignCall:
        """Return the node with these arguments too; those that are ``None`` are left out."""
        known = {name: value for name, value in {**self.given, **arguments}.items() if value is not None}
        return self.call._replace(arguments=known)

    def constant(self, value: float, dtype: str) -> ForeignTensor:
        """Return a number as a constant."""
        array = np.array(value, "float32" if dtype == "bfloat16" else dtype)
        return ForeignTensor((), dtype, constant=array)

    def viewed(self, source: ForeignTensor, shape: Shape) -> ForeignCall:
        """Return the call that gives a tensor in another shape."""
        (output,) = self.call.outputs
        if output is not None:
            output.shape = shape
        return self.last("view", self=source, size=list(shape))

    def axes(self) -> list[int] | None:
        """Return the dimensions that the node names; ``None`` where it names none, or works them out."""
        axes = self.given.get("axes")
        return axes if isinstance(axes, list) else None


def simpler(call: ForeignCall, version: int) -> list[ForeignCall]:
    """Return the calls that a node of this version of ONNX is, each of which an op may be."""
    rewrite = REWRITES.get(call.name)
    return [call] if rewrite is None else [*rewrite(Rewriting(call, version))]


def _subtracted(node: Rewriting) -> Iterator[ForeignCall]:
    left, right = node.given["A"], node.given["B"]
    below, above = number_of(right), number_of(left)
    if below is not None and above is None:
        yield node.last("Add", A=left, B=node.constant(-below, right.dtype))
    elif above is not None and below is None:
        turned = node.made()
        yield ForeignCall("Neg", {"X": right}, (turned,))
        yield node.last("Add", A=turned, B=left)
    else:
        yield node.call


def _divided(node: Rewriting) -> Iterator[ForeignCall]:
    left, right = node.given["A"], node.given["B"]
    below, above = number_of(right), number_of(left)
    if below and above is None and right.dtype.startswith("float"):
        yield node.last("Mul", A=left, B=node.constant(1 / below, right.dtype))
    elif above is not None and below is None:
        turned = node.made()
        outputs = node.call.outputs if above == 1 else (turned,)
        yield ForeignCall("Reciprocal", {"X": right}, outputs)
        if above != 1:
            yield node.last("Mul", A=turned, B=left)
    else:
        yield node.call


def _gemm(node: Rewriting) -> Iterator[ForeignCall]:
    """A product that is scaled, or of an input that is turned round or known to nobody, step by step."""
    left, right, added = node.given["A"], node.given["B"], node.given.get("C")
    alpha, beta = node.given.get("alpha", 1.0), node.given.get("beta", 1.0)
    plain = right.constant is not None and not node.given.get("transA", 0)
    if (
        plain
        and alpha == 1.0
        and (added is None or (beta == 1.0 and added.constant is not None and len(added.shape) == 1))
    ):
        yield node.again(alpha=None, beta=None)
        return
    for side in ("A", "B"):
        if node.given.get(f"trans{side}", 0):
            turned = node.made()
            yield ForeignCall("transpose", {"self": node.given[side], "dim0": 0, "dim1": 1}, (turned,))
            left, right = (turned, right) if side == "A" else (left, turned)
    steps: list[tuple[str, Any]] = [("MatMul", right)]
    if alpha != 1.0:
        steps.append(("Mul", node.constant(alpha, left.dtype)))
    if added is not None and beta != 0.0:
        if beta != 1.0:
            scaled = node.made()
            yield ForeignCall("Mul", {"A": added, "B": node.constant(beta, added.dtype)}, (scaled,))
            added = scaled
        steps.append(("Add", added))
    for at, (name, other) in enumerate(steps):
        outputs = node.call.outputs if at == len(steps) - 1 else (node.made(),)
        yield ForeignCall(name, {"A": left, "B": other}, outputs)
        left = outputs[0]


def _one_by_one(node: Rewriting) -> Iterator[ForeignCall]:
    """Squeeze and Unsqueeze of several dimensions, one after the other."""
    source, name = node.given["data"], node.call.name.lower()
    axes = node.axes()
    if axes is None and "axes" not in node.given and name == "squeeze":
        axes = [at for at, size in enumerate(source.shape) if size == 1]
    if axes is None:
        yield node.call
        return
    rank = len(source.shape) + (len(axes) if name == "unsqueeze" else 0)
    places = sorted({axis % rank for axis in axes}, reverse=name == "squeeze")
    if not places:
        yield node.last("Identity", input=source)
    for at, axis in enumerate(places):
        outputs = node.call.outputs if at == len(places) - 1 else (node.made(),)
        yield ForeignCall(name, {"self": source, "dim": axis}, outputs)
        source = outputs[0]


def _reshaped(node: Rewriting) -> Iterator[ForeignCall]:
    """A view; a 0 among its sizes keeps the input's there."""
    source, wanted = node.given["data"], node.given.get("shape")
    if not isinstance(wanted, list):
        yield node.call
        return
    keeps = not node.given.get("allowzero", 0)
    rank = len(source.shape)
    sizes = [source.shape[at] if keeps and size == 0 and at < rank else size for at, size in enumerate(wanted)]
    yield node.viewed(source, resolve(tuple(sizes), product(source.shape), "shape"))


def _transposed(node: Rewriting) -> Iterator[ForeignCall]:
    """An exchange of two dimensions, those at the end counted from there; or another order."""
    source = node.given["data"]
    rank = len(source.shape)
    order = list(node.given.get("perm", range(rank)[::-1]))
    moved = [axis for axis, from_axis in enumerate(order) if axis != from_axis]
    if len(moved) == 2:
        first, second = (axis - rank if moved[0] == rank - 2 else axis for axis in moved)
        yield node.last("transpose", self=source, dim0=first, dim1=second)
    else:
        yield node.last("permute", self=source, dims=order)


def _split(node: Rewriting) -> Iterator[ForeignCall]:
    sizes, count, axis = node.given.get("split"), len(node.call.outputs), node.given.get("axis", 0)
    if isinstance(sizes, ForeignTensor):
        yield node.call
    elif sizes is None or len(set(sizes)) == 1:
        yield node.last("chunk", self=node.given["input"], chunks=count, dim=axis)
    else:
        yield node.last("split_with_sizes", self=node.given["input"], split_sizes=sizes, dim=axis)


def _sliced(node: Rewriting) -> Iterator[ForeignCall]:
    """Slices of several dimensions, one after the other; one that takes all is none."""
    source, starts, ends = node.given["data"], node.given["starts"], node.given["ends"]
    axes, steps = node.given.get("axes"), node.given.get("steps")
    if any(isinstance(part, ForeignTensor) for part in (starts, ends, axes, steps)):
        yield node.call
        return
    rank, made = len(source.shape), []
    for at, (start, end) in enumerate(zip(starts, ends)):
        axis, step = (at if axes is None else axes[at] % rank), 1 if steps is None else steps[at]
        size = source.shape[axis]
        beyond = isinstance(end, int) and (end >= size if isinstance(size, int) else end >= 2**31 - 1)
        if start == 0 and step == 1 and (beyond or end == size):
            continue
        made.append({"starts": [start], "ends": [end], "axes": [axis], "steps": [step]})
    if not made:
        yield node.last("Identity", input=source)
    for at, each in enumerate(made):
        outputs = node.call.outputs if at == len(made) - 1 else (node.made(),)
        turned = each["steps"] == [-1] and each["starts"] == [-1]
        if turned:
            yield ForeignCall("Flip", {"data": source, "dims": each["axes"]}, outputs)
        else:
            yield ForeignCall("Slice", {"data": source, **each}, outputs)
        source = outputs[0]


def _flattened(node: Rewriting) -> Iterator[ForeignCall]:
    source = node.given["input"]
    axis = node.given.get("axis", 1)
    axis = axis + len(source.shape) if axis < 0 else axis
    yield node.viewed(source, (product(source.shape[:axis]), product(source.shape[axis:])))


def _softmax(node: Rewriting) -> Iterator[ForeignCall]:
    """Before version 13 all dimensions from ``axis`` on, 1 by default, are one."""
    source = node.given["input"]
    if node.version >= 13:
        yield node.call
        return
    axis = node.given.get("axis", 1) % max(len(source.shape), 1)
    if axis == len(source.shape) - 1:
        yield node.again(axis=-1)
        return
    flat, soft = node.made(), node.made()
    flat.shape = (product(source.shape[:axis]), product(source.shape[axis:]))
    yield ForeignCall("view", {"self": source, "size": list(flat.shape)}, (flat,))
    yield ForeignCall(node.call.name, {"input": flat, "axis": -1}, (soft,))
    yield node.viewed(soft, source.shape)


def _norm(node: Rewriting) -> Iterator[ForeignCall]:
    """Sums of squares and of absolute values."""
    source, made = node.given["data"], node.made()
    inner = {"ReduceL1": "Abs", "ReduceLogSum": "Identity"}.get(node.call.name, "Square")
    if inner == "Abs":
        yield ForeignCall("Abs", {"X": source}, (made,))
    elif inner == "Square":
        yield ForeignCall("Mul", {"A": source, "B": source}, (made,))
    else:
        made = source
    arguments = {**node.given, "data": made}
    outer = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(node.call.name)
    total = node.call.outputs if outer is None else (node.made(),)
    yield ForeignCall("ReduceSum", arguments, total)
    if outer is not None:
        yield node.last(outer, X=total[0])


def _padded(node: Rewriting) -> Iterator[ForeignCall]:
    """Windows that are padded on one side more than on the other: a padding before them, unless an op says it."""
    source = node.given["X"]
    rank = len(source.shape) - 2
    pads, auto = node.given.get("pads"), node.given.get("auto_pad", "NOTSET")
    kernel = node.given.get("kernel_shape") or list(node.given["W"].shape[2:])
    strides, dilations = (node.given.get(name, [1] * rank) for name in ("strides", "dilations"))
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(source.shape[2:], kernel, strides, dilations, auto == "SAME_UPPER")
    if pads is None or pads[:rank] == pads[rank:]:
        yield node.again(auto_pad=None, pads=pads, kernel_shape=kernel)
        return
    totals = [size * (each - 1) for size, each in zip(dilations, kernel)]
    known_as_same = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    if node.call.name == "Conv" and set(strides) == {1} and pads == known_as_same:
        yield node.again(auto_pad=None, pads=pads)
        return
    outside = {"MaxPool": float("-inf"), "AveragePool": None}.get(node.call.name, 0.0)
    if outside is None and not node.given.get("count_include_pad", 0):
        yield node.call
        return
    padded = node.made()
    amounts = [0, 0, *pads[:rank], 0, 0, *pads[rank:]]
    yield ForeignCall("Pad", {"data": source, "pads": amounts, "constant_value": outside or 0.0}, (padded,))
    yield node.again(X=padded, pads=None, auto_pad=None, kernel_shape=kernel)


def _same(sizes: Any, kernel: Any, strides: Any, dilations: Any, upper: bool) -> list[int] | None:
    """The padding with which a window gives as many outputs as a stride makes of a size, if known; else stride is 1."""
    before, after = [], []
    for size, each, stride, dilation in zip(sizes, kernel, strides, dilations):
        span = dilation * (each - 1) + 1
        if stride == 1:
            total = span - 1
        elif isinstance(size, Dim):
            return None
        else:
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
        less = total // 2
        before.append(less if upper else total - less)
        after.append(total - less if upper else less)
    return [*before, *after]


def _bordered(node: Rewriting) -> Iterator[ForeignCall]:
    """A padding of nothing is none."""
    pads = node.given.get("pads")
    nothing = isinstance(pads, list) and not any(pads)
    yield node.last("Identity", input=node.given["data"]) if nothing else node.call


def _resized(node: Rewriting) -> Iterator[ForeignCall]:
    """An interpolation as torch has it: the same neighbours, or the same places of the corners."""
    source, given = node.given["X"], node.given
    rank, mode = len(source.shape) - 2, given.get("mode", "nearest")
    places = given.get("coordinate_transformation_mode", "half_pixel")
    rounding = given.get("nearest_mode", "round_prefer_floor")
    corners = {"align_corners": True, "half_pixel": False, "pytorch_half_pixel": False}.get(places)
    if mode == "nearest":
        ways = {("asymmetric", "floor"): "nearest", ("half_pixel", "round_prefer_ceil"): "_nearest_exact"}
        name = ways.get((places, rounding))
    else:
        names = {"linear": ("linear", "bilinear", "trilinear"), "cubic": ("", "bicubic", "")}
        name = names.get(mode, ("",) * 3)[rank - 1] if corners is not None else None
    scales, sizes = (
        each[-rank:] if isinstance(each, list) and each else None for each in (given.get("scales"), given.get("sizes"))
    )
    strange = given.get("cubic_coeff_a", -0.75) != -0.75 or given.get("antialias", 0) or given.get("exclude_outside", 0)
    if not name or strange or (scales is None and sizes is None):
        yield node.call
        return
    if sizes is not None and any(isinstance(size, Dim) for size in sizes):
        scales, sizes = [_factor(*pair) for pair in zip(source.shape[2:], sizes)], None
    said = {"scale_factors": scales} if sizes is None else {"output_size": sizes}
    before = "_upsample" if name.startswith("_") else "upsample_"
    yield node.last(f"{before}{name}{rank}d", input=source, align_corners=corners, **said)


def _factor(size: Size, to: Size) -> float:
    """The factor by which one size becomes another, whatever their symbols are. Raises ``ArithmeticError``."""
    try:
        return float(evaluate(exact_div(to, size), {}))
    except InexactError:
        return 1 / evaluate(exact_div(size, to), {})


def _summed(node: Rewriting) -> Iterator[ForeignCall]:
    """A sum or the like of one tensor is that tensor."""
    listed = next((value for value in node.given.values() if isinstance(value, list)), [])
    yield node.last("Identity", input=listed[0]) if len(listed) == 1 else node.call


def _cast(node: Rewriting) -> Iterator[ForeignCall]:
    source, wanted = node.given["input"], node.given.get("dtype")
    known = {"dtype": np.dtype(wanted).name} if wanted is not None else {}
    if known.get("dtype") == source.dtype:
        yield node.last("Identity", input=source)
    else:
        yield node.last("Cast", input=source, **known)


def _recurrent(node: Rewriting) -> Iterator[ForeignCall]:
    """The layer as torch has it, with output [T, N, directions · H], and that as ONNX has it, [T, directions, N, H].

    Where the input is a batch turned to have time first, so is the output.
    """
    x, weights, size = node.given["X"], node.given["W"], node.given["hidden_size"]
    time, batch = x.shape[:2]
    ways = weights.shape[0]
    whole, *states = (*node.call.outputs, None, None, None)[: 3 if node.call.name == "LSTM" else 2]
    turned, made, output = node.made(), node.made(), node.made()
    yield ForeignCall("transpose", {"self": x, "dim0": 0, "dim1": 1}, (turned,))
    arguments = {**node.given, "X": turned, "batch_first": 1}
    yield ForeignCall(node.call.name, arguments, (made, *states))
    if whole is None:
        return
    yield ForeignCall("transpose", {"self": made, "dim0": 0, "dim1": 1}, (output,))
    if ways == 1:
        yield ForeignCall("unsqueeze", {"self": output, "dim": 1}, (whole,))
        return
    split = node.made()
    split.shape = (time, batch, ways, size)
    yield ForeignCall("view", {"self": output, "size": list(split.shape)}, (split,))
    yield ForeignCall("transpose", {"self": split, "dim0": 1, "dim1": 2}, (whole,))


REWRITES: Mapping[str, Rewrite] = {
    "Sub": _subtracted,
    "Div": _divided,
    "Gemm": _gemm,
    "Squeeze": _one_by_one,
    "Unsqueeze": _one_by_one,
    "Slice": _sliced,
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "Split": _split,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "ReduceL1": _norm,
    "ReduceL2": _norm,
    "ReduceSumSquare": _norm,
    "ReduceLogSum": _norm,
    "Conv": _padded,
    "MaxPool": _padded,
    "AveragePool": _padded,
    "Pad": _bordered,
    "Sum": _summed,
    "Concat": _summed,
    "Cast": _cast,
    "Resize": _resized,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
