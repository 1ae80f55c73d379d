"""The sizes and dtypes of several inputs: how they agree, and what they broadcast to."""

from collections.abc import Iterable, Sequence

from netspec.dims import Dim, Shape, Size, pretty_shape
from netspec.ops.core.tensors import ShapeError, Tensor


def differ(left: Size, right: Size) -> bool:
    """Return whether two sizes are known to differ."""
    difference = left - right
    return isinstance(difference, int) and difference != 0


def one_dtype(name: str, inputs: Sequence[Tensor]) -> None:
    """Guard: torch would promote mixed dtypes, ONNX would not."""
    if len({tensor.dtype for tensor in inputs}) > 1:
        found = " and ".join(dict.fromkeys(tensor.dtype for tensor in inputs))
        raise ShapeError(f"{name} takes inputs of one dtype, but got {found}")


def broadcast(name: str, *shapes: Shape) -> Shape:
    """The shape that all are repeated to, as torch does it; what depends on a symbol is left to ``repeated``."""
    made: list[Size] = []
    for _, sizes in aligned(shapes):
        kept = dominant(sizes)
        if any(differ(size, kept) for size in sizes if size != 1):
            found = " and ".join(dict.fromkeys(map(pretty_shape, shapes)))
            raise ShapeError(f"{name} takes equal shapes, or sizes of 1 to repeat, but got {found}")
        made.append(kept)
    return tuple(made)


def repeated(name: str, shapes: Sequence[Shape]) -> Iterable[tuple[Size, Size, str]]:
    """Yield the sizes that must be equal for the shapes to broadcast, in the form of ``Op.requirements``."""
    for axis, sizes in aligned(shapes):
        kept = dominant(sizes)
        why = f"{name} needs equal sizes (or 1) in dim {axis}"
        yield from ((kept, size, why) for size in sizes if size != 1)


def aligned(shapes: Sequence[Shape]) -> Iterable[tuple[int, list[Size]]]:
    """For each dimension of the result, counted from 0, the inputs' sizes there; shapes align at their ends."""
    rank = max(map(len, shapes))
    for axis in range(rank):
        yield axis, [shape[axis - rank + len(shape)] for shape in shapes if axis - rank + len(shape) >= 0]


def dominant(sizes: Sequence[Size]) -> Size:
    """The size that the others must equal, where they are not 1: a known one, else the first symbolic one."""
    known = [size for size in sizes if isinstance(size, int) and size != 1]
    symbolic = [size for size in sizes if isinstance(size, Dim)]
    return (known or symbolic or [1])[0]
