"""torchvision's operators in plain torch, where those that it compiled do not load: it was built for another torch.

They take and give the same, and keep the same for the backward pass.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from netspec.runtime.vision import import_torchvision

SCHEMAS = {
    "roi_align": "(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool": "(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) "
    "-> (Tensor, Tensor)",
    "deform_conv2d": "(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor",
}


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    left, top, right, bottom = boxes.unbind(1)
    areas = (right - left) * (bottom - top)
    kept: list[int] = []
    for at in scores.argsort(descending=True, stable=True).tolist():
        width = torch.minimum(right[at], right[kept]) - torch.maximum(left[at], left[kept])
        height = torch.minimum(bottom[at], bottom[kept]) - torch.maximum(top[at], top[kept])
        shared = width.clamp(min=0) * height.clamp(min=0)
        if not (shared / (areas[at] + areas[kept] - shared) > threshold).any():
            kept.append(at)
    return torch.tensor(kept, dtype=torch.int64)


def points(start: Tensor, size: Tensor, bins: int, ratio: int) -> Tensor:
    """The places (bins, ratio) along one side of a box."""
    count = ratio if ratio > 0 else max(math.ceil(float(size) / bins), 1)
    each = size / bins
    return start + torch.arange(bins).unsqueeze(1) * each + (torch.arange(count) + 0.5) * each / count


def around(place: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two entries beside each place along a dimension, the share of the second, and whether it is within."""
    within = (place >= -1) & (place <= size)
    place = place.clamp(0, size - 1)
    low = place.floor().long()
    return low, (low + 1).clamp(max=size - 1), place - low, within


def roi_align(x: Tensor, rois: Tensor, scale: float, height: int, width: int, ratio: int, aligned: bool) -> Tensor:
    made = []
    for roi in rois.detach():
        image = x[int(roi[0])]
        corners = roi[1:] * scale - (0.5 if aligned else 0.0)
        sides = (corners[2:] - corners[:2]) if aligned else (corners[2:] - corners[:2]).clamp(min=1.0)
        down, right = (points(corners[at], sides[at], bins, ratio) for at, bins in ((1, height), (0, width)))
        if float(sides.min()) <= 0 and ratio <= 0:
            made.append(image.new_zeros(image.size(0), height, width))
            continue
        top, bottom, low, rows = around(down.flatten(), image.size(1))
        left, side, near, columns = around(right.flatten(), image.size(2))
        lines = image[:, top] * (1 - low).unsqueeze(1) + image[:, bottom] * low.unsqueeze(1)
        found = (lines[:, :, left] * (1 - near) + lines[:, :, side] * near) * (rows.unsqueeze(1) & columns)
        made.append(found.reshape(-1, height, down.size(1), width, right.size(1)).mean((2, 4)))
    return torch.stack(made)


def roi_pool(x: Tensor, rois: Tensor, scale: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    made, places = [], []
    for roi in rois.detach():
        image = x[int(roi[0])]
        first, top, last, bottom = ((roi[1:] * scale).abs() + 0.5).floor().mul(roi[1:].sign()).int().tolist()
        sides = max(bottom - top + 1, 1) / height, max(last - first + 1, 1) / width
        for row in range(height):
            rows = edges(top, sides[0], row, image.size(1))
            for column in range(width):
                columns = edges(first, sides[1], column, image.size(2))
                part = image[:, rows[0] : rows[1], columns[0] : columns[1]].flatten(1)
                empty = image.new_zeros(image.size(0)), torch.full((image.size(0),), -1)
                value, at = part.max(1) if part.size(1) else empty
                made.append(value)
                places.append(at)
    shape = (rois.size(0), height, width, x.size(1))
    values, indices = (torch.stack(each).reshape(shape).permute(0, 3, 1, 2) for each in (made, places))
    return values.contiguous(), indices.int().contiguous()


def edges(start: int, side: float, at: int, size: int) -> tuple[int, int]:
    """Where a part of a box begins and ends along a dimension."""
    first, last = math.floor(at * side) + start, math.ceil((at + 1) * side) + start
    return min(max(first, 0), size), min(max(last, 0), size)


def deform_conv2d(x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *numbers: int) -> Tensor:
    *options, groups, offset_groups, use_mask = numbers
    steps, pads, gaps = options[:2], options[2:4], options[4:]
    batch, channels, *sizes = x.shape
    kernel, made = weight.shape[2:], offset.shape[2:]
    moves = offset.reshape(batch, offset_groups, *kernel, 2, *made)
    places = []
    for at in (0, 1):
        view = [1] * 7
        view[2 + at], there = kernel[at], [1] * 6
        there[4 + at] = made[at]
        inside = (torch.arange(kernel[at]) * gaps[at]).reshape(view[:6])
        begins = (torch.arange(made[at]) * steps[at] - pads[at]).reshape(there)
        places.append(moves[:, :, :, :, at] + inside + begins)
    groups_of = x.reshape(batch, offset_groups, channels // offset_groups, *sizes)
    columns = sampled(groups_of, *places)
    if use_mask:
        columns = columns * mask.reshape(batch, offset_groups, 1, *kernel, *made)
    columns = columns.reshape(batch, groups, channels // groups, *kernel, *made)
    filters = weight.reshape(groups, -1, *weight.shape[1:])
    made = torch.einsum("ngcijhw,gocij->ngohw", columns, filters).flatten(1, 2) + bias.reshape(-1, 1, 1)
    return made.contiguous()


def sampled(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """The images (N, G, C, H, W) at places (N, G, …), zeros around them: (N, G, C, …)."""
    height, width = x.shape[3:]
    top, left = down.floor(), right.floor()
    found: Any = 0
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, across = (top + row).long(), (left + column).long()
        share = (1 - (down - top - row).abs()) * (1 - (right - left - column).abs())
        there = (y >= 0) & (y < height) & (across >= 0) & (across < width)
        index = y.clamp(0, height - 1) * width + across.clamp(0, width - 1)
        flat = index.flatten(2).unsqueeze(2).expand(-1, -1, x.size(2), -1)
        values = x.flatten(3).gather(3, flat).unflatten(3, index.shape[2:])
        found = found + values * (share * there).unsqueeze(2)
    return found


def with_gradients(name: str, function: Callable[..., Any], real: int, kept: tuple[int, ...]) -> None:
    """Define an operator that keeps these inputs; gradients flow to its first ``real`` inputs but the boxes."""
    torch.library.define(f"torchvision::{name}", SCHEMAS[name])
    torch.library.impl(f"torchvision::{name}", "CPU")(function)

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        more = [output[1]] if isinstance(output, tuple) else []
        ctx.save_for_backward(*(inputs[at] for at in kept), *more)
        ctx.others, ctx.shape = inputs, inputs[0].shape

    def back(ctx: Any, grad: Tensor, *_: Any) -> Any:
        given = [*ctx.others]
        flows = [at for at in range(real) if given[at].requires_grad]
        with torch.enable_grad():
            for at in flows:
                given[at] = given[at].detach().requires_grad_()
            made = function(*given)
            made = made[0] if isinstance(made, tuple) else made
            slopes = dict(zip(flows, torch.autograd.grad(made, [given[at] for at in flows], grad)))
        return tuple(slopes.get(at) for at in range(len(given)))

    torch.library.register_autograd(f"torchvision::{name}", back, setup_context=keep)


def install() -> None:
    """Define what is missing."""
    import_torchvision()
    import torchvision

    if torchvision.extension._has_ops():
        return
    torch.library.impl("torchvision::nms", "CPU")(nms)
    with_gradients("roi_align", roi_align, 1, (1,))
    with_gradients("roi_pool", roi_pool, 1, (1,))
    with_gradients("deform_conv2d", deform_conv2d, 5, (0, 1, 2, 3, 4))
    for module in ("torchvision.extension", "torchvision.ops.roi_align"):
        sys.modules[module]._has_ops = lambda: True  # type: ignore[attr-defined]


install()
