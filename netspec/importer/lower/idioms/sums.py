"""Sums of many tensors, which Python adds one after the other."""

from __future__ import annotations

from netspec.importer.lower.dead import made_by
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

FEWEST, MOST = 4, 256
"""A sum of fewer stays one of two at a time, as what is added to a residual."""


def of_many(steps: OpSteps, step: ForeignStep) -> Found:
    """((a + b) + c) + d, of which nothing else reads a part."""
    said = reading(step)
    if said.outputs[0] in _parts(steps):
        return None
    added: list[ForeignTensor | None] = [*said.inputs]
    while (maker := steps.maker(added[0], "add")) and added[0] in _parts(steps) and len(added) < MOST:
        added[:1] = reading(maker).inputs
    if len(added) == len(said.inputs) or len(added) < FEWEST:
        return None
    found = steps.step(step, "add", said.arguments, added, said.outputs)
    return None if found is None else [found]


def _parts(steps: OpSteps) -> set[ForeignTensor]:
    """The sums that nothing but another sum of the same module begins with."""
    if "sums" not in steps.memory:
        sums = {each: step for step in steps.program.steps if step.op == "add" for each in made_by(step)}
        begun = [(reading(step).inputs[0], step) for step in sums.values()]
        steps.memory["sums"] = {
            first
            for first, step in begun
            if first in sums and steps.uses[first] == 1 and sums[first].scopes == step.scopes
        }
    found: set[ForeignTensor] = steps.memory["sums"]
    return found


IDIOMS = {"add": (of_many,)}
