"""Views around a layer that works on the last dimension alone."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep

VIEWS = ("reshape", "flatten", "unflatten")


def unfolded(steps: OpSteps, step: ForeignStep) -> Found:
    """A linear map of rows that were folded into one dimension, and are unfolded again."""
    (made,), (output,) = reading(step).inputs[:1], reading(step).outputs
    layer = steps.maker(made, "affine", "linear")
    if layer is None or output is None or steps.uses[made] > 1:  # type: ignore[index]
        return None
    x = steps.source(reading(layer).inputs[0], *VIEWS)
    said = reading(layer)
    if x is None or x.shape[:-1] != output.shape[:-1] or x.shape[-1:] != said.inputs[0].shape[-1:]:  # type: ignore[union-attr]
        return None
    found = steps.step(layer, layer.op, said.arguments, (x, *said.inputs[1:]), (output,), said.state)
    return None if found is None else [found]


IDIOMS = {name: (unfolded,) for name in VIEWS}
