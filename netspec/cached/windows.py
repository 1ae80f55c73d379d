"""Causal convolutions over words: of those before, a step keeps as many as the kernel reaches back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netspec.cached.courses import Course
from netspec.cached.making import Kept, NewSteps, op_of
from netspec.graph import Node, Value
from netspec.ops import Tensor
from netspec.ops.core.arguments import spread


def reach(op: Any) -> int:
    """Return how many words a kernel reaches beyond the one that it begins at."""
    return int(spread(op.dilation, 1)[0] * (spread(op.kernel_size, 1)[0] - 1))


def padding_before(node: Node, course: Course) -> int | None:
    """Return how many zeros a node puts in front of the words; ``None`` where it does something else."""
    op: Any = node.op
    rank = len(node.inputs[0].shape)
    if op.name != "pad" or course != rank - 1 or op.mode != "constant" or op.value or len(op.pad) != 2 or op.pad[1]:
        return None
    return op.pad[0] if isinstance(op.pad[0], int) else None


def is_window(node: Node, course: Course, before: int) -> bool:
    """Return whether a node is a causal convolution of words that have so many zeros ``before``: once those that it
    puts behind are cut off.
    """
    op: Any = node.op
    if op.name != "conv1d" or course != len(node.inputs[0].shape) - 1 or op.padding == "same":
        return False
    if set(spread(op.stride, 1)) != {1} or op.padding_mode != "zeros":
        return False
    return bool(before + behind(op) == reach(op))


def behind(op: Any) -> int:
    """Return how many zeros a convolution puts at either end."""
    return 0 if op.padding == "valid" else int(spread(op.padding, 1)[0])


def with_window(node: Node, words: Value, taken: set[str]) -> tuple[list[Node], Value, Kept | None]:
    """Return the steps of a causal convolution over ``words`` and those that it keeps, what they make, and these."""
    op, axis = node.op, len(words.shape) - 1
    back = reach(op)
    steps = NewSteps(node, taken)
    plain = op.model_copy(update={"padding": 0})
    whole, kept = words, None
    if back:
        past = Value(Tensor((*words.shape[:-1], back), words.tensor.dtype))
        whole = steps.one("window", op_of("concat", dim=axis), past, words)
        kept = Kept("window", past, steps.one("kept", op_of("slice", dim=axis, start=-back), whole))
    (tensor,) = plain.infer(whole.tensor)
    made = Value(tensor)
    steps.put(replace(node, op=plain, inputs=(whole,), outputs=(made,)))
    return steps.nodes, made, kept


def cuts_off(node: Node, behind: int) -> bool:
    """Return whether a node cuts so many elements off, behind the last dimension."""
    op, rank = node.op, len(node.inputs[0].shape)
    if op.name != "slice" or op.dim % rank != rank - 1 or op.step != 1:  # type: ignore[attr-defined]
        return False
    return op.start in (None, 0) and op.end == -behind  # type: ignore[attr-defined]
