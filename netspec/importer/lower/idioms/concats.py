"""Concatenations that grow, each the one before with something behind it; and parts that are cut from them again."""

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


def again(steps: OpSteps, step: ForeignStep) -> Found:
    """A step that joins the same tensors as an earlier one of its module is that one."""
    said = reading(step)
    known: dict[tuple[object, ...], ForeignTensor] = steps.memory.setdefault("joined", {})
    key = (step.scopes, said.arguments.get("dim", 1), *said.inputs)
    earlier = known.setdefault(key, said.outputs[0])  # type: ignore[arg-type]
    return None if earlier is said.outputs[0] else earlier


def cut_again(steps: OpSteps, step: ForeignStep) -> Found:
    """A range that lies in one of the tensors that were joined, as where entries are overwritten, is one of that."""
    said = reading(step)
    joined = steps.maker(said.inputs[0], "concat")
    if joined is None or said.inputs[0] is None:
        return None
    rank, dim = len(said.inputs[0].shape), said.arguments["dim"]
    parts = reading(joined).inputs
    if reading(joined).arguments.get("dim", 1) % rank != dim % rank:
        return None
    sizes = [part.shape[dim] for part in parts if part is not None]
    start, end = said.arguments.get("start") or 0, said.arguments.get("end")
    if not all(isinstance(each, int) for each in (*sizes, start, 0 if end is None else end)):
        return None
    size = sum(map(int, sizes))
    end = size if end is None else end
    start, end = (max(at + size, 0) if at < 0 else min(at, size) for at in (start, end))
    first = 0
    for part, width in zip(parts, sizes):
        if first <= start < end <= first + width:
            if (start, end) == (first, first + width) and "step" not in said.arguments:
                return part
            arguments = {**said.arguments, "start": start - first, "end": end - first}
            found = steps.step(step, "slice", arguments, (part,), said.outputs)
            return None if found is None else [found]
        first += int(width)
    return None


def _around(steps: OpSteps, step: ForeignStep, tensor: ForeignTensor | None) -> tuple[ModuleCall, ...]:
    """The calls that a step and what makes a tensor both stand in: there it belongs, not to the one that reads it."""
    maker = steps.made.get(tensor) if tensor is not None else None
    if maker is None:
        return step.scopes
    shared = [one for one, other in zip(step.scopes, maker.scopes) if one == other]
    return step.scopes[: len(shared)]


IDIOMS = {"concat": (alone, again, grown), "slice": (cut_again,)}
