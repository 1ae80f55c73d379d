"""The layout of tensors in memory: strides, and the shapes that can be read from the same memory without a copy.

Strides count elements, as in torch. ``None`` stands for those of a contiguous tensor. Symbolic sizes are taken to be
above 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netspec.dims import Shape, Size, evaluate

Strides = tuple[Size, ...]


class OutputLayout(NamedTuple):
    """The memory of an output, that of the input of number ``source`` or its own, and its strides."""

    source: int | None = None
    strides: Strides | None = None


NEW = OutputLayout()
"""Memory of its own, contiguous."""


def strides_of(shape: Shape, strides: Strides | None) -> Strides:
    """The strides, spelled out where they are those of a contiguous tensor."""
    if strides is not None:
        return strides
    steps: list[Size] = []
    step: Size = 1
    for size in reversed(shape):
        steps.append(step)
        step = step * size
    return tuple(reversed(steps))


def shortened(shape: Shape, strides: Strides) -> Strides | None:
    """The strides, ``None`` where the tensor is contiguous; a dimension of 1 has any stride."""
    pairs = zip(shape, strides, strides_of(shape, None))
    return None if all(size == 1 or have == wanted for size, have, wanted in pairs) else strides


def viewed(shape: Shape, strides: Strides | None, target: Shape) -> OutputLayout | None:
    """The place of a tensor of another shape in the same memory; ``None`` where torch's ``reshape`` must copy."""
    if strides is None:
        return OutputLayout(0)
    chunks = _chunks(shape, strides)
    steps: list[Size] = []
    at = len(target)
    for count, step in reversed(chunks):
        taken: Size = 1
        while at > 0 and (taken != count or target[at - 1] == 1):
            at -= 1
            steps.append(step * taken)
            taken = taken * target[at]
            if isinstance(count, int) and isinstance(taken, int) and taken > count:
                return None
        if taken != count:
            return None
    steps += [1] * at
    return OutputLayout(0, shortened(target, tuple(reversed(steps))))


def _chunks(shape: Shape, strides: Strides) -> list[tuple[Size, Size]]:
    """Runs of dimensions that lie one in the other: the elements of each, and their stride."""
    chunks: list[tuple[Size, Size]] = []
    for size, stride in zip(shape, strides):
        if size == 1:
            continue
        if chunks and chunks[-1][1] == stride * size:
            chunks[-1] = chunks[-1][0] * size, stride
        else:
            chunks.append((size, stride))
    return chunks or [(1, 1)]


def like(shape: Shape, tensors: Sequence[tuple[Shape, Strides | None]]) -> Strides | None:
    """The strides of a new tensor made element by element: it lies as the first of the tensors of its shape does."""
    for sizes, strides in tensors:
        if sizes == shape:
            return None if strides is None else dense(shape, strides)
    return None


def dense(shape: Shape, strides: Strides) -> Strides | None:
    """Strides in the same order, without gaps."""
    order = sorted(range(len(shape)), key=lambda axis: (_typical(strides[axis]), -axis), reverse=True)
    sizes = strides_of(tuple(shape[axis] for axis in order), None)
    by_axis = dict(zip(order, sizes))
    return shortened(shape, tuple(by_axis[axis] for axis in range(len(shape))))


def _typical(size: Size) -> int:
    """A number to sort sizes by."""
    return size if isinstance(size, int) else evaluate(size, dict.fromkeys(size.symbols, 1009))


def folds(shape: Shape, strides: Strides | None, swapped: bool = False) -> bool:
    """Return whether the first two dimensions can be read as one, the second first if ``swapped``."""
    steps = strides_of(shape, strides)
    if swapped:
        shape, steps = (shape[1], shape[0], *shape[2:]), (steps[1], steps[0], *steps[2:])
    return viewed(shape, shortened(shape, steps), (shape[0] * shape[1], *shape[2:])) is not None
