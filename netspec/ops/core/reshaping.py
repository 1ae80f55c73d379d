"""The sizes of what is reshaped: -1 among them, and how many elements there are."""

import math
from collections.abc import Sequence
from typing import Any

from netspec.dims import Dim, InexactError, Shape, Size, exact_div, floor_div, pretty, pretty_shape, product
from netspec.ops.core.agreement import differ
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import Worked, formula, size_vectors, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor


def resolve(sizes: Sequence[Size], total: Size, argument: str) -> Shape:
    """The sizes with -1 replaced by what is left of ``total`` elements; a remainder is the caller's to check."""
    known = [size for size in sizes if isinstance(size, int)]
    if known.count(-1) > 1 or any(size < 1 and size != -1 for size in known):
        raise ShapeError("one size may be -1, all others are at least 1", argument=argument)
    if -1 not in sizes:
        return tuple(sizes)
    left = total
    try:
        for size in sizes:
            left = exact_div(left, size) if isinstance(size, Dim) else left
    except InexactError as found:
        raise ShapeError(f"-1 has no integer size, as {found}", argument=argument) from None
    left = floor_div(left, math.prod(size for size in known if size != -1))
    return tuple(left if size == -1 else size for size in sizes)


def agree(source: Shape, target: Shape, argument: str) -> None:
    """Guard: both shapes hold equally many elements, as far as that is known."""
    if differ(product(source), product(target)):
        found = f"{product(source)} elements of {pretty_shape(source)}"
        raise ShapeError(f"{found} do not fit into {pretty_shape(target)}", argument=argument)


def merged(source: Shape, target: Shape) -> tuple[int, int]:
    """Return the first and the last dimension of ``source`` that one of ``target`` is, the others being the same.

    Where there are none, the last is before the first.
    """
    extra = len(source) - len(target)
    if extra < 1 or not target:
        return 0, -1
    start = 0
    while start < len(target) - 1 and source[start] == target[start]:
        start += 1
    for first in range(start, -1, -1):  # a size of 1 may be merged with what is before it
        whole = product(source[first : first + extra + 1])
        if whole == target[first] and source[first + extra + 1 :] == target[first + 1 :]:
            return first, first + extra
    return 0, -1


def with_rest(shape: Shape) -> Shape:
    """Return the sizes with -1 for the one that is hardest to say, if any is symbolic."""
    texts = [len(str(size)) if isinstance(size, Dim) else 0 for size in shape]
    if not any(texts):
        return shape
    at = max(range(len(shape)), key=lambda place: texts[place])
    return (*shape[:at], -1, *shape[at + 1 :])


def unread(sizes: Sequence[Size], shapes: Sequence[Shape]) -> list[Size]:
    """Return the sizes that shapes do not tell, unless it is a lone one, for which -1 will do."""
    missing = [size for size in sizes if formula(size, shapes) is None]
    return missing if len(missing) > (-1 not in sizes) else []


def guard_read(name: str, sizes: Sequence[Size], shapes: Sequence[Shape], argument: str) -> None:
    """Guard: what is made of these shapes can be told from them when the network runs."""
    missing = unread(sizes, shapes)
    if missing:
        text = f"{name} has no input that tells the size {' or '.join(map(pretty, missing))}"
        raise ShapeError(text, argument=argument)


def place_left(sizes: Sequence[Size], shapes: Sequence[Shape]) -> int | None:
    """Return the place that -1 may stand at: of a size that is not told, else of one that is to be worked out."""
    if -1 in sizes:
        return sizes.index(-1)
    found = [formula(size, shapes) for size in sizes]
    worked = [place for place, each in enumerate(found) if isinstance(each, Worked)]
    return found.index(None) if None in found else next(iter(worked), None)


def spelled(name: str, sizes: Sequence[Size], arguments: Sequence[str], inputs: Sequence[Tensor]) -> list[str]:
    """Return the sizes in PyTorch, with -1 where it will do."""
    left = place_left(sizes, [tensor.shape for tensor in inputs])
    return ["-1" if place == left else spell_size(name, size, arguments, inputs) for place, size in enumerate(sizes)]


def reshape(builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Tensor], target: Shape) -> Any:
    """ONNX Reshape whose symbolic sizes are copied, read from the inputs' shapes, or found by -1."""
    source = tensors[0].shape
    copied = [isinstance(size, Dim) and size in source[place : place + 1] for place, size in enumerate(target)]
    sizes: list[Size] = [0 if copy else size for copy, size in zip(copied, target)]
    moved = [place for place, size in enumerate(sizes) if isinstance(size, Dim)]
    left = moved[0] if len(moved) == 1 else place_left(sizes, [tensor.shape for tensor in tensors])
    if left is not None:
        sizes[left] = -1
    return builder.op("Reshape", inputs[0], size_vectors(builder, "reshape", sizes, inputs, tensors))
