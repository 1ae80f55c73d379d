"""Large masks that say which places stand in one zone, as those of shifted windows: by the numbers of the zones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import OpSteps
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignTensor

LARGE = 1024
"""A mask with no more numbers is written as it is."""
Held = tuple[ForeignTensor, tuple[ModuleCall, ...]]


def say_zones(program: ForeignProgram, table: OpTable) -> None:
    """Put steps that compare the zones of two places in the place of masks, where these are all that they say."""
    steps = OpSteps(program, table)
    zones: dict[ForeignTensor, Any] = {}
    held: dict[Held, ForeignTensor] = {}
    done: list[ForeignStep] = []
    for step in program.steps:
        if step.reading is not None:
            for tensor in step.reading.inputs:
                if tensor is None or tensor.key or tensor.constant is None or tensor.constant.size <= LARGE:
                    continue
                if tensor not in zones:
                    zones[tensor] = zones_of(tensor.constant)
                if zones[tensor] is not None and (tensor, step.scopes) not in held:
                    made = _compared(steps, step, tensor, zones[tensor])
                    held[tensor, step.scopes] = made[-1].call.outputs[0] if made else tensor  # type: ignore[assignment]
                    done += made
            inputs = tuple(
                each if each is None else held.get((each, step.scopes), each) for each in step.reading.inputs
            )
            step.reading = step.reading._replace(inputs=inputs)
        done.append(step)
    program.steps[:] = done


def zones_of(mask: Any) -> Any:
    """Return the zones of the places along the last dimension of a mask, which has one value for two places of one zone
    and another for two that stand apart: 0, or true, for the former. ``None`` where it is no such mask.
    """
    if mask.ndim < 2 or mask.shape[-1] != mask.shape[-2]:
        return None
    same = mask if mask.dtype == bool else mask == 0
    apart = mask[~same]
    if not same.diagonal(axis1=-2, axis2=-1).all() or not apart.size or not (apart == apart[0]).all():
        return None
    first = same.argmax(axis=-1)
    if not np.array_equal(first[..., :, None] == first[..., None, :], same):
        return None
    count = first.shape[-1]
    ranks = np.zeros((*first.shape[:-1], count), dtype=np.int64)
    np.put_along_axis(ranks, first, 1, axis=-1)
    return np.take_along_axis(ranks.cumsum(axis=-1) - 1, first, axis=-1)


def _compared(steps: OpSteps, at: ForeignStep, mask: ForeignTensor, zones: Any) -> list[ForeignStep]:
    """The steps that make a mask of zones; none where an op would not do it."""
    *around, count, _ = mask.shape
    made: list[ForeignStep] = []

    def add(op: str, arguments: dict[str, Any], output: ForeignTensor, *inputs: ForeignTensor) -> ForeignTensor:
        step = steps.step(at, op, arguments, inputs, (output,))
        if step is not None:
            made.append(step)
        return output

    seen = ForeignTensor((*around, 1, count), "int64", constant=zones[..., None, :])
    column = ForeignTensor((*around, count, 1), "int64")
    seeing = add("transpose", {"dim0": -2, "dim1": -1}, column, seen)
    if mask.dtype == "bool":
        add("equal", {}, ForeignTensor(mask.shape, "bool"), seen, seeing)
        return made if len(made) == 2 else []
    value = float(mask.constant[mask.constant != 0][0])
    apart = add("not_equal", {}, ForeignTensor(mask.shape, "bool"), seen, seeing)
    number = add("cast", {"dtype": mask.dtype}, ForeignTensor(mask.shape, mask.dtype), apart)
    last = ForeignTensor(mask.shape, mask.dtype)
    if math.isinf(value):
        add("masked_fill", {"value": value}, last, number, apart)
    else:
        add("scale", {"factor": value}, last, number)
    return made if len(made) == 4 else []
