"""Values with a number for each pair of words: masks, and biases by distance. A step has rows for its words alone, and
columns for those before, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from netspec.cached.courses import COMPARED, EVERYWHERE, Course, WordPairs, along
from netspec.cached.making import PAST, NewSteps, op_of
from netspec.dims import Size
from netspec.graph import Node, Value

BEGIN = frozenset(("full", "causal_mask", "relative_position_buckets", "alibi"))
"""Ops that make such a value of sizes."""
LEAST = -1e4
"""A number that hides a word when it is added to its score, or one below."""
KEEP_HIDING = frozenset(("add", "cast", "permute", "transpose", "unsqueeze", "identity", "dropout", "logical_and"))
"""Ops that hide what one of their inputs hides, as long as it is of the same kind: a mask that is added, or one that is
true where a word may be seen.
"""


def begins_pairs(node: Node, courses: Sequence[Course], length: Size) -> bool:
    """Return whether a node makes a value for pairs of words, where its inputs run so."""
    op, made = node.op, node.outputs[0]
    if op.name not in BEGIN or len(along(made.shape, length)) != 2:
        return False
    if op.name == "causal_mask":
        return op.diagonal == 0  # type: ignore[attr-defined, no-any-return]
    return op.name == "full" or all(course == len(value.shape) - 2 for course, value in zip(courses, node.inputs))


def begun_pairs(steps: NewSteps, node: Node, columns: Value, length: Size) -> tuple[Value, WordPairs]:
    """Add the node that makes it in a step; return that value. ``columns`` (P + T, 1) has the length of all words."""
    op = node.op
    rows, last = along(node.outputs[0].shape, length)
    if op.name == "full":
        size = tuple(PAST + length if axis == last else each for axis, each in enumerate(op.size))  # type: ignore[attr-defined]
        made = steps.one(node.name, op.model_copy(update={"size": size}), *node.inputs[:1], columns)
        return made, WordPairs(rows, last, fill=float(op.fill_value))  # type: ignore[attr-defined]
    if op.name == "causal_mask":
        op = op.model_copy(update={"diagonal": PAST})
    made = steps.one(node.name, op, node.inputs[0], columns)
    return made, WordPairs(rows, last, hides=op.name == "causal_mask")


def over_pairs(
    steps: NewSteps, node: Node, courses: Sequence[Course], columns: Value
) -> tuple[Value, WordPairs] | None:
    """Add what a node makes of pairs of words, and return that; ``None`` where it does not treat each by itself."""
    op, rank = node.op, len(node.outputs[0].shape)
    given = [(course, len(value.shape)) for course, value in zip(courses, node.inputs) if isinstance(course, WordPairs)]
    if any(isinstance(course, int) for course in courses) or len(node.outputs) > 1:
        return None
    first, own = given[0]
    if op.name == "triu":
        return _ahead(steps, node, first, columns)
    axes = {(course.rows - size, course.columns - size) for course, size in given}
    if op.name == "embedding":
        rows, last = first.rows, first.columns
    elif op.name in ("permute", "transpose"):
        order = [*range(own)]
        if op.name == "permute":
            order = [dim % own for dim in op.dims]  # type: ignore[attr-defined]
        else:
            order[op.dim0], order[op.dim1] = order[op.dim1], order[op.dim0]  # type: ignore[attr-defined]
        rows, last = order.index(first.rows), order.index(first.columns)
    elif op.name == "unsqueeze":
        dim = op.dim % (own + 1)  # type: ignore[attr-defined]
        rows, last = first.rows + (first.rows >= dim), first.columns + (first.columns >= dim)
    elif op.name in EVERYWHERE | COMPARED or (op.elementwise and not hasattr(op, "dim")):
        if len(axes) > 1:
            return None
        rows, last = (axis + rank for axis in next(iter(axes)))
    else:
        return None
    hides = _of_one_kind(node) and any(course.hides for course, _ in given)
    made = steps.one(node.name, op, *node.arranged(node.inputs), named=node.named)
    return made, WordPairs(rows, last, hides=hides)


def _ahead(steps: NewSteps, node: Node, course: WordPairs, columns: Value) -> tuple[Value, WordPairs] | None:
    """Add the mask that hides the words to come, of a number for each pair: 0 for those that are seen."""
    (pairs,), dtype = node.inputs, node.outputs[0].tensor.dtype
    if "float" not in dtype:
        return None
    if course[:2] != (0, 1) or node.op.diagonal != 1 or course.fill is None or course.fill > LEAST:  # type: ignore[attr-defined]
        return None
    seen = steps.one("seen", op_of("causal_mask", diagonal=PAST), pairs, columns)
    hidden = steps.one("hidden", op_of("shift", amount=-1.0), steps.one("seen", op_of("cast", dtype=dtype), seen))
    return steps.one(node.name, op_of("scale", factor=-course.fill), hidden), WordPairs(0, 1, hides=True)


def _of_one_kind(node: Node) -> bool:
    """Return whether what an input hides is hidden by what a node makes, too."""
    tensors = [value.tensor for value in (*node.inputs, *node.outputs)]
    kinds = {tensor.dtype == "bool" for tensor in tensors}
    return node.op.name in KEEP_HIDING and len(kinds) == 1 and (node.op.name != "add" or kinds == {False})


def hides_later(mask: Course, value: Value | None) -> bool:
    """Return whether a mask shows no word those to come."""
    rank = 0 if value is None else len(value.shape)
    return isinstance(mask, WordPairs) and mask.hides and mask[:2] == (rank - 2, rank - 1)
