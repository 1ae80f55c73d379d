"""Bags of equally many rows, which torch lays behind each other."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep


def of_one_size(steps: OpSteps, step: ForeignStep) -> Found:
    """Bags that begin at 0, B, 2·B, … of a matrix that was laid flat are its rows."""
    said = reading(step)
    flat, offsets, weights = said.inputs
    rows = steps.source(flat, "reshape", "flatten", "squeeze")
    starts = steps.maker(offsets, "arange")
    if rows is None or starts is None or weights is not None or len(rows.shape) != 2:
        return None
    counted = reading(starts).arguments
    if counted.get("start", 0) != 0 or counted.get("step", 1) != rows.shape[1] or said.outputs[0] is None:
        return None
    found = steps.step(step, step.op, said.arguments, (rows,), said.outputs, said.state)
    return None if found is None else [found]


IDIOMS = {"embedding_bag": (of_one_size,)}
