"""Elements that are taken in their order, as torch's exporter writes strides: a view, or nothing at all.

And rows of an embedding that may be counted from its end: it takes none that are.
"""

from __future__ import annotations

import numpy as np

from netspec.dims import product
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading, recognize
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep


def say_plainly(program: ForeignProgram) -> None:
    """Say as a view what takes all elements of a tensor in their order, and rows of an embedding by their numbers."""
    recognize(program, OpTable(program), {"take": (_taken_in_order,), "embedding": (_from_the_end,)})


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


def _from_the_end(steps: OpSteps, step: ForeignStep) -> Found:
    """An embedding of ``where(x < 0, x + rows, x)``."""
    said = reading(step)
    chosen = steps.maker(said.inputs[0], "where")
    if chosen is None or len(reading(chosen).inputs) != 3:
        return None
    condition, moved, x = reading(chosen).inputs
    below, shifted = steps.maker(condition, "less"), steps.maker(moved, "shift")
    if x is None or below is None or shifted is None:
        return None
    rows = said.arguments["num_embeddings"]
    known = reading(below).arguments.get("value") == 0 and reading(shifted).arguments.get("amount") == rows
    if not known or reading(below).inputs[0] is not x or reading(shifted).inputs[0] is not x:
        return None
    found = steps.step(step, "embedding", said.arguments, (x, *said.inputs[1:]), said.outputs, said.state)
    return None if found is None else [found]
