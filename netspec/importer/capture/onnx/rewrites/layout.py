"""Nodes that only rearrange elements, as torch's views, one dimension at a time."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import product
from netspec.importer.capture.onnx.rewrites.rewriting import Rewriting
from netspec.ops.core.foreign import ForeignCall, ForeignTensor
from netspec.ops.core.reshaping import resolve


def one_by_one(node: Rewriting) -> Iterator[ForeignCall]:
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


def reshaped(node: Rewriting) -> Iterator[ForeignCall]:
    """A view; a 0 among its sizes keeps the input's there."""
    source, wanted = node.given["data"], node.given.get("shape")
    if not isinstance(wanted, list):
        yield node.call
        return
    keeps = not node.given.get("allowzero", 0)
    rank = len(source.shape)
    sizes = [source.shape[at] if keeps and size == 0 and at < rank else size for at, size in enumerate(wanted)]
    yield node.viewed(source, resolve(tuple(sizes), product(source.shape), "shape"))


def transposed(node: Rewriting) -> Iterator[ForeignCall]:
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


def cut(node: Rewriting) -> Iterator[ForeignCall]:
    sizes, count, axis = node.given.get("split"), len(node.call.outputs), node.given.get("axis", 0)
    if isinstance(sizes, ForeignTensor):
        yield node.call
    elif sizes is None or len(set(sizes)) == 1:
        yield node.last("chunk", self=node.given["input"], chunks=count, dim=axis)
    else:
        yield node.last("split_with_sizes", self=node.given["input"], split_sizes=sizes, dim=axis)


def sliced(node: Rewriting) -> Iterator[ForeignCall]:
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


def flattened(node: Rewriting) -> Iterator[ForeignCall]:
    source = node.given["input"]
    axis = node.given.get("axis", 1)
    axis = axis + len(source.shape) if axis < 0 else axis
    yield node.viewed(source, (product(source.shape[:axis]), product(source.shape[axis:])))


def bordered(node: Rewriting) -> Iterator[ForeignCall]:
    """A padding of nothing is none."""
    pads = node.given.get("pads")
    nothing = isinstance(pads, list) and not any(pads)
    yield node.last("Identity", input=node.given["data"]) if nothing else node.call
