"""Concatenations that grow: each is the one before with something behind it."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignTensor


def alone(steps: OpSteps, step: ForeignStep) -> Found:
    """A concatenation of one tensor is that tensor."""
    inputs = reading(step).inputs
    return inputs[0] if len(inputs) == 1 else None


def grown(steps: OpSteps, step: ForeignStep) -> Found:
    """Join an earlier concatenation with one more, instead of all that it joined."""
    said = reading(step)
    dim, inputs = said.arguments.get("dim", 1), said.inputs
    before: dict[tuple[object, ...], ForeignTensor] = steps.memory.setdefault("concats", {})
    earlier = before.get((dim, *inputs[:-1])) if len(inputs) > 2 else None
    before[(dim, *inputs)] = said.outputs[0]  # type: ignore[assignment]
    if earlier is None:
        return None
    found = steps.step(step, "concat", said.arguments, (earlier, inputs[-1]), said.outputs)
    if found is None:
        return None
    first = steps.made[earlier]
    for joined, newest in ((found, inputs[-1]), (first, reading(first).inputs[-1])):
        joined.scopes = _around(steps, joined, newest)
    return [found]


def _around(steps: OpSteps, step: ForeignStep, tensor: ForeignTensor | None) -> tuple[ModuleCall, ...]:
    """The calls that a step and what makes a tensor both stand in: there it belongs, not to the one that reads it."""
    maker = steps.made.get(tensor) if tensor is not None else None
    if maker is None:
        return step.scopes
    shared = [one for one, other in zip(step.scopes, maker.scopes) if one == other]
    return step.scopes[: len(shared)]


IDIOMS = {"concat": (alone, grown)}
