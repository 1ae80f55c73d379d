"""Elements that are taken in their order, as torch's exporter writes strides: a view, or nothing at all."""

from __future__ import annotations

import numpy as np

from netspec.dims import product
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading, recognize
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep


def say_views(program: ForeignProgram) -> None:
    """Say as views what takes all elements of a tensor in their order."""
    recognize(program, OpTable(program), {"take": (_taken_in_order,)})


def _taken_in_order(steps: OpSteps, step: ForeignStep) -> Found:
    (flat, places), (output,) = reading(step).inputs[:2], reading(step).outputs
    x = steps.source(flat, "flatten", "reshape")
    if x is None or flat is None or places is None or output is None or len(flat.shape) != 1:
        return None
    if product(x.shape) != product(output.shape) or reading(step).arguments.get("dim", 0) != 0:
        return None
    chosen = steps.values_at_sizes(places)
    if not chosen or not all((each.reshape(-1) == np.arange(each.size)).all() for each in chosen):
        return None
    if x.shape == output.shape:
        return x
    found = steps.step(step, "reshape", {"shape": output.shape}, (x,), (output,))
    return None if found is None else [found]
