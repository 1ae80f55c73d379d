"""The courses of values along the words that a decoder reads, and the ops that treat each word by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Union

from netspec.dims import Shape, Size, product
from netspec.graph import Node
from netspec.ops import Op


class WordPairs(NamedTuple):
    """The course of a value that has a number for each pair of words: of the one that looks, along the dimension
    ``rows``, and of the one that is looked at, along ``columns``.

    ``hides`` says that it is a mask by which no word sees later ones, ``fill`` is the number of all pairs if it is one.
    """

    rows: int
    columns: int
    hides: bool = False
    fill: float | None = None


Course = Union[int, WordPairs, Literal["always", "before", "now", "lost"]]
"""The dimension of a value that runs along the words, or, of one that has no such, or a number for each pair of them:

``always``, it follows from the weights; ``before``, it is known before the first word, from other inputs; ``now``, it
is made anew for each word, of sizes; ``lost``, it mixes the words, and nothing may read it.
"""

ALONE = frozenset(
    ("softmax", "log_softmax", "softmin", "masked_softmax", "glu", "normalize", "topk", "sort", "argsort", "cumsum")
)
ALONG = frozenset(
    ("chunk", "split", "unbind", "concat", "stack", "select", "slice", "gather", "scatter", "squeeze", "unsqueeze")
)
REDUCED = frozenset(("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "argmax", "argmin"))
"""Ops that mix the elements along their ``dim``, and treat all other dimensions place by place."""
EVERYWHERE = frozenset(("identity", "dropout", "where", "embedding", "one_hot", "cast", "clamp", "coalesce"))
"""Ops that treat every element by itself."""
COMPARED = frozenset(("equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_not"))
MOVED = frozenset(("flatten", "unflatten", "reshape"))
"""Ops that divide dimensions anew, in the order of the elements."""
TURNED = frozenset(("transpose", "permute", "expand"))


def along(shape: Shape, length: Size) -> list[int]:
    """Return the dimensions of a shape that have the length of the words."""
    return [axis for axis, size in enumerate(shape) if size == length]


def axis_made(shape: Shape, length: Size) -> Course:
    """Return the course of what an op makes of words, each by itself."""
    found = along(shape, length)
    return found[0] if len(found) == 1 else "lost"


def is_word_by_word(node: Node, courses: Sequence[Course], length: Size) -> bool:
    """Return whether a node treats each word by itself, where its inputs run so."""
    op, shapes = node.op, [value.shape for value in node.inputs]
    axes = [(axis, len(shape)) for axis, shape in zip(courses, shapes) if isinstance(axis, int)]
    if op.name in EVERYWHERE or op.name in COMPARED or _is_elementwise(op):
        return len({axis - rank for axis, rank in axes}) == 1
    if op.name in ALONE | ALONG | REDUCED:
        return len({axis for axis, _ in axes}) == 1 and all(axis not in _dims(op, rank) for axis, rank in axes)
    if op.name in TURNED:
        return True
    if op.name in MOVED:
        return all(_in_place(shape, value.shape, length) for shape in shapes for value in node.outputs)
    if op.name == "matmul":
        return _is_of_rows(courses, shapes)
    if op.name == "einsum":
        return _is_a_letter(op.equation, courses)  # type: ignore[attr-defined]
    if op.name == "affine":
        return isinstance(courses[0], int) and len(axes) == 1 and courses[0] < len(shapes[0]) - 1
    last = [axis for axis, rank in axes if axis == rank - 1]
    return not last and len({axis for axis, _ in axes}) == 1 and op.is_batched_over_leading_dims(len(shapes[0]))


def _is_elementwise(op: Op) -> bool:
    """Return whether an op treats every element by itself: it does so in memory, and at every place in front."""
    return op.elementwise and op.batched_over_leading_dims and not hasattr(op, "dim")


def _dims(op: Op, rank: int) -> set[int]:
    """The dimensions that an op mixes, of an input of this rank."""
    dim = getattr(op, "dim", None)
    if dim is None:
        return set(range(rank))
    count = rank + (op.name in ("stack", "unsqueeze"))
    dims = {each % count for each in (dim if isinstance(dim, (tuple, list)) else (dim,))}
    return set() if op.name in ("stack", "unsqueeze") else dims


def _in_place(given: Shape, made: Shape, length: Size) -> bool:
    """Return whether the words come after as many elements in both shapes, so that none is torn."""
    before, after = along(given, length), along(made, length)
    if len(before) != 1 or len(after) != 1:
        return False
    return product(given[: before[0]]) == product(made[: after[0]])


def _is_a_letter(equation: str, courses: Sequence[Course]) -> bool:
    """Return whether the words are a letter of an equation that no other input has, and that the result has."""
    left, _, result = equation.replace(" ", "").partition("->")
    if "." in left:
        return False
    terms = left.split(",")
    letters = {term[axis] for term, axis in zip(terms, courses) if isinstance(axis, int)}
    others = "".join(term for term, axis in zip(terms, courses) if not isinstance(axis, int))
    return len(letters) == 1 and letters.isdisjoint(others) and letters <= {*result}


def _is_of_rows(courses: Sequence[Course], shapes: Sequence[Shape]) -> bool:
    """Return whether each word has rows of a product of its own: of the first factor, or of both in front."""
    left, right = courses
    if isinstance(left, int) and not isinstance(right, int):
        return left < len(shapes[0]) - 1
    if isinstance(left, int) and isinstance(right, int):
        ends = left - len(shapes[0]), right - len(shapes[1])
        return ends[0] == ends[1] < -2
    return isinstance(right, int) and right < len(shapes[1]) - 2
