"""Nodes of older versions of ONNX, and those that are rare: as those of today, or as the steps that they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netspec.dims import exact_div
from netspec.importer.capture.onnx.rewrites.rewriting import Rewriting
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

BROADCAST_SINCE = 7
"""The version since which arithmetic broadcasts as numpy does; before, ``axis`` says where the second input begins."""
GROUPS_UNTIL = 20
"""The last version in which a norm of groups has one number for each of them."""


def beside(node: Rewriting) -> Rewriting:
    """Return arithmetic with its second input in the shape that broadcasts as numpy does."""
    given = {name: value for name, value in node.given.items() if name not in ("axis", "broadcast")}
    left, right, axis = given["A"], given["B"], node.given.get("axis")
    if node.version < BROADCAST_SINCE and axis is not None and right.constant is not None:
        after = len(left.shape) - axis - len(right.shape)
        values = right.constant.reshape(*right.shape, *(1 for _ in range(after)))
        given["B"] = ForeignTensor(values.shape, right.dtype, right.key, right.learned, values)
    return Rewriting(node.call._replace(arguments=given), node.version)


def arithmetic(node: Rewriting) -> Iterator[ForeignCall]:
    yield beside(node).call


def upsampled(node: Rewriting) -> Iterator[ForeignCall]:
    """The nearest neighbours, as ``Resize`` has them; a linear interpolation is none that torch has."""
    scales = node.given.get("scales")
    if node.given.get("mode", "nearest") != "nearest" or not isinstance(scales, list):
        yield node.call
        return
    rank = len(node.given["X"].shape) - 2
    yield node.last(f"upsample_nearest{rank}d", input=node.given["X"], scale_factors=scales[-rank:])


def hard_sigmoid(node: Rewriting) -> Iterator[ForeignCall]:
    """Of another slope than torch's: step by step."""
    slope, offset = node.given.get("alpha", 0.2), node.given.get("beta", 0.5)
    x = node.given["X"]
    if abs(slope - 1 / 6) < 1e-6 and offset == 0.5:
        yield node.call
        return
    steep, moved = node.made(), node.made()
    yield ForeignCall("Mul", {"A": x, "B": node.constant(slope, x.dtype)}, (steep,))
    yield ForeignCall("Add", {"A": steep, "B": node.constant(offset, x.dtype)}, (moved,))
    yield node.last("clamp", self=moved, min=0.0, max=1.0)


def thresholded(node: Rewriting) -> Iterator[ForeignCall]:
    yield node.last("threshold", self=node.given["X"], threshold=node.given.get("alpha", 1.0), value=0.0)


def shrunk(node: Rewriting) -> Iterator[ForeignCall]:
    bias, limit = node.given.get("bias", 0.0), node.given.get("lambd", 0.5)
    names = {0.0: "hardshrink", limit: "softshrink"}
    yield node.last(names[bias], self=node.given["input"], lambd=limit) if bias in names else node.call


def unit_length(node: Rewriting) -> Iterator[ForeignCall]:
    given = node.given
    yield node.last("normalize", self=given["input"], p=float(given.get("p", 2)), dim=given.get("axis", -1))


def cast_like(node: Rewriting) -> Iterator[ForeignCall]:
    yield node.last("Cast", input=node.given["input"], dtype=node.given["target_type"].dtype)


def group_norm(node: Rewriting) -> Iterator[ForeignCall]:
    """Weights of groups as those of their channels."""
    if node.version > GROUPS_UNTIL:
        yield node.call
        return
    each, made = exact_div(node.given["X"].shape[1], node.given["num_groups"]), dict(node.given)
    for name in ("scale", "bias"):
        row = made[name]
        if row.constant is None or not isinstance(each, int):
            yield node.call
            return
        values = np.repeat(row.constant, each)
        made[name] = ForeignTensor(values.shape, row.dtype, row.key, row.learned, values)
    yield node.again(**made)


def to_space(node: Rewriting) -> Iterator[ForeignCall]:
    """Channels as pixels of a block: torch's order of them is ``CRD``."""
    source, size = node.given["input"], node.given["blocksize"]
    if node.given.get("mode", "DCR") == "CRD":
        yield node.last("pixel_shuffle", self=source, upscale_factor=size)
        return
    batch, channels, height, width = source.shape
    shape = (batch, size, size, exact_div(channels, size * size), height, width)
    whole = (batch, shape[3], height * size, width * size)
    yield from _reordered(node, source, shape, [0, 3, 4, 1, 5, 2], whole)


def to_depth(node: Rewriting) -> Iterator[ForeignCall]:
    """The pixels of a block as channels."""
    source, size = node.given["input"], node.given["blocksize"]
    batch, channels, height, width = source.shape
    rows, columns = exact_div(height, size), exact_div(width, size)
    shape = (batch, channels, rows, size, columns, size)
    yield from _reordered(node, source, shape, [0, 3, 5, 1, 2, 4], (batch, channels * size * size, rows, columns))


def _reordered(
    node: Rewriting, source: ForeignTensor, shape: Any, order: list[int], whole: Any
) -> Iterator[ForeignCall]:
    split, turned = node.made(), node.made()
    split.shape = shape
    yield ForeignCall("view", {"self": source, "size": list(shape)}, (split,))
    yield ForeignCall("permute", {"self": split, "dims": order}, (turned,))
    yield node.viewed(turned, whole)


def of_onnxruntime(node: Rewriting) -> Iterator[ForeignCall]:
    """A node that onnxruntime had before ONNX did."""
    tanh = {"approximate": "tanh"} if node.call.name.endswith("FastGelu") else {}
    x, *others = node.given.values()
    yield node.call if others else node.last("Gelu", X=x, **tanh)


def transposed_conv(node: Rewriting) -> Iterator[ForeignCall]:
    """A transposed convolution whose output is cut more at the end than at the beginning: by a slice behind it."""
    source, weight, given = node.given["X"], node.given["W"], node.given
    rank = len(source.shape) - 2
    strides, dilations = (given.get(name, [1] * rank) for name in ("strides", "dilations"))
    kernel = given.get("kernel_shape") or list(weight.shape[2:])
    extra, auto = given.get("output_padding", [0] * rank), given.get("auto_pad", "NOTSET")
    wanted = given.get("output_shape") or (
        [size * stride for size, stride in zip(source.shape[2:], strides)] if auto.startswith("SAME") else None
    )
    pads = given.get("pads", [0] * (2 * rank))
    if wanted is not None:
        whole = zip(source.shape[2:], strides, extra, kernel, dilations, wanted)
        totals = [(size - 1) * by + more + (k - 1) * d + 1 - out for size, by, more, k, d, out in whole]
        if not all(isinstance(total, int) and total >= 0 for total in totals):
            yield node.call
            return
        less, rest = [total // 2 for total in totals], [total - total // 2 for total in totals]
        pads = [*less, *rest] if auto == "SAME_UPPER" else [*rest, *less]
    cuts = [max(after - more - before, 0) for before, after, more in zip(pads, pads[rank:], extra)]
    ends = [after - cut for after, cut in zip(pads[rank:], cuts)]
    said: dict[str, Any] = {"auto_pad": None, "output_shape": None, "kernel_shape": kernel}
    call = node.again(**said, pads=[*pads[:rank], *ends])
    for axis, cut in enumerate(cuts):
        if cut:
            before = node.made()
            yield call._replace(outputs=(before,))
            call = node.last("slice", self=before, dim=axis + 2, start=0, end=-cut)
    yield call
