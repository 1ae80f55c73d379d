"""Biases by distance: learned ones whose index is the bucket of each distance, as T5 has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading, symbols_in
from netspec.importer.program import ForeignStep
from netspec.ops.attention.bias import RelativePositionBuckets
from netspec.ops.core.foreign import ForeignTensor

FARTHEST = 600
"""The distance up to which buckets are worked out."""


def bucketed(steps: OpSteps, step: ForeignStep) -> Found:
    """Learned biases (L, S, heads), whose rows are taken by the bucket of each distance."""
    said = reading(step)
    (index,) = said.inputs
    made = None if index is None else steps.made.get(index)
    if index is None or made is None or made.op == RelativePositionBuckets.name or len(index.shape) != 2:
        return None
    query = _of_length(steps, made, index.shape[0])
    key = query if index.shape[0] == index.shape[1] else _of_length(steps, made, index.shape[1])
    arguments = None if query is None or key is None else _arguments(steps, index, said.arguments["num_embeddings"])
    if arguments is None:
        return None
    bucket = ForeignTensor(index.shape, index.dtype)
    inputs = (query,) if key is query else (query, key)
    first = steps.step(made, RelativePositionBuckets.name, arguments, inputs, (bucket,))
    found = first and steps.step(step, step.op, said.arguments, (bucket,), said.outputs, said.state)
    return [first, found] if first and found else None


def _arguments(steps: OpSteps, index: ForeignTensor, rows: int) -> dict[str, Any] | None:
    """The arguments with which the op gives an index, if there are some."""
    if not symbols_in(index) or not steps.sizes_only.holds(index):
        return None
    names = sorted({name for each in steps.program.inputs.values() for name in symbols_in(each)})
    values = steps.sizes_only.value(index, dict.fromkeys(names, FARTHEST))
    if values is None or values.shape != (FARTHEST, FARTHEST):
        return None
    behind, ahead = values[:, 0], values[0]  # of the first key from each query, and of each key from the first query
    apart = np.arange(FARTHEST) - np.arange(FARTHEST)[:, None]
    if not np.array_equal(values, np.where(apart > 0, ahead[abs(apart)], behind[abs(apart)])):
        return None
    for said in _sayings(behind, ahead, rows):
        op = RelativePositionBuckets(**said)
        wanted = np.searchsorted(op.begins(), np.arange(FARTHEST), "right")
        beyond = wanted + op.per_side() if op.bidirectional else np.zeros_like(wanted)
        if np.array_equal(behind, wanted) and np.array_equal(ahead[1:], beyond[1:]):
            return {name: value for name, value in said.items() if value != type(op).model_fields[name].default}
    return None


def _sayings(behind: Any, ahead: Any, rows: int) -> Iterator[dict[str, Any]]:
    """The arguments that may give the buckets of distances: the distance of the last one tells the rest."""
    both = bool(ahead.any())
    exact = rows // (4 if both else 2)
    if rows % (4 if both else 2) or exact < 1:
        return
    for most in (128, *range(exact + 1, FARTHEST)):
        yield {"num_buckets": rows, "max_distance": most, "bidirectional": both}


def _of_length(steps: OpSteps, made: ForeignStep, length: Any) -> ForeignTensor | None:
    """The tensor of numbers that the module of a step reads first, of those with a length."""
    scopes = made.scopes[-1:]
    for step in steps.made.values():
        if scopes and scopes[0] not in step.scopes:
            continue
        inputs = reading(step).inputs if step.reading is not None else ()
        given = [each for each in inputs if each is not None and each.constant is None and not each.key]
        long = [each for each in given if "float" in each.dtype and len(each.shape) > 2 and each.shape[-2] == length]
        if long:
            return long[0]
    return None


IDIOMS = {"embedding": (bucketed,)}
