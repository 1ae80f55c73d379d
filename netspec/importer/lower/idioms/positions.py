"""Positions: a learned vector for each place, taken by numbers that count up."""

from __future__ import annotations

import numpy as np

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor


def learned_at_each(steps: OpSteps, step: ForeignStep) -> Found:
    """x + rows 0, 1, … of a table, of which there are as many as x is long."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    for x, rows in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
        table = steps.maker(rows, "embedding")
        if x is None or output is None or table is None or x.shape != output.shape or steps.uses[rows] > 1:  # type: ignore[index]
            continue
        said = reading(table)
        if said.arguments.keys() - {"num_embeddings", "embedding_dim"} or not _counts_along(steps, said.inputs[0], x):
            continue
        arguments = {"max_length": said.arguments["num_embeddings"]}
        found = steps.step(table, "learned_positions", arguments, (x,), (output,), said.state)
        return None if found is None else [found]
    return None


def _counts_along(steps: OpSteps, index: ForeignTensor | None, x: ForeignTensor) -> bool:
    """Return whether an index is 0, 1, … up to the length of x, at any sizes."""
    if index is None or index.shape[-1:] != x.shape[-2:-1] or any(size != 1 for size in index.shape[:-1]):
        return False
    if not steps.sizes_only.holds(index):
        return False
    values = [steps.sizes_only.value(index, sizes) for sizes in steps.sizes()]
    return all(each is not None and np.array_equal(each.ravel(), np.arange(each.size)) for each in values)


IDIOMS = {"add": (learned_at_each,)}
