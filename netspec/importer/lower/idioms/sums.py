"""Sums of many tensors, which Python adds one after the other."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

FEWEST, MOST = 4, 256
"""A sum of fewer stays one of two at a time, as what is added to a residual."""


def of_many(steps: OpSteps, step: ForeignStep) -> Found:
    """((a + b) + c) + d, of which nothing else reads a part."""
    said = reading(step)
    added: list[ForeignTensor | None] = [*said.inputs]
    while (maker := steps.maker(added[0], "add")) and maker.scopes == step.scopes and len(added) < MOST:
        first = added[0]
        if first is None or steps.uses[first] > 1:
            break
        added[:1] = reading(maker).inputs
    if len(added) == len(said.inputs) or len(added) < FEWEST:
        return None
    found = steps.step(step, "add", said.arguments, added, said.outputs)
    return None if found is None else [found]


IDIOMS = {"add": (of_many,)}
