"""Windows over images that are padded unevenly, and interpolation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netspec.dims import Dim, InexactError, Size, exact_div
from netspec.importer.capture.onnx.rewrites.rewriting import Rewriting
from netspec.ops.core.foreign import ForeignCall

PLACES_SINCE = 11
"""The version from which on an interpolation says where its points are."""


def padded(node: Rewriting) -> Iterator[ForeignCall]:
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


def resized(node: Rewriting) -> Iterator[ForeignCall]:
    """An interpolation as torch has it: the same neighbours, or the same places of the corners."""
    source, given = node.given["X"], node.given
    rank, mode = len(source.shape) - 2, given.get("mode", "nearest")
    if node.version < PLACES_SINCE and mode == "nearest":
        given = {**given, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
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
        factors = [_factor(*pair) for pair in zip(source.shape[2:], sizes)]
        scales, sizes = (None, sizes) if None in factors else (factors, None)
    said = {"scale_factors": scales} if sizes is None else {"output_size": sizes}
    before = "_upsample" if name.startswith("_") else "upsample_"
    yield node.last(f"{before}{name}{rank}d", input=source, align_corners=corners, **said)


def _factor(size: Size, to: Size) -> float | None:
    """The factor by which one size becomes another, whatever their symbols are; ``None`` where there is none."""
    for below, above, power in ((size, to, 1), (to, size, -1)):
        try:
            made = exact_div(above, below)
        except InexactError:
            continue
        if isinstance(made, int):
            return float(made**power)
    return None
