"""Batch normalisation by buffers, by hand, as detectors have it."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

VIEWS = ("reshape", "unflatten")


def frozen_batch_norm(steps: OpSteps, step: ForeignStep) -> Found:
    """x · scale + (bias − mean · scale), where scale is weight · rsqrt(var + eps)."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    product = next((each for each in inputs if steps.maker(each, "multiply")), None)
    rest = steps.maker(next((each for each in inputs if each is not product), None), "subtract")
    scaled = steps.maker(product, "multiply")
    if scaled is None or rest is None or len(inputs) != 2:
        return None
    x, scale = reading(scaled).inputs
    bias = _buffer(steps, reading(rest).inputs[0])
    moved = steps.maker(reading(rest).inputs[1], "multiply")
    made = steps.maker(scale, "multiply")
    if moved is None or made is None or reading(moved).inputs[1] is not scale:
        return None
    shifted = steps.maker(steps.source(reading(made).inputs[1], "rsqrt"), "shift")
    weight, mean = _buffer(steps, reading(made).inputs[0]), _buffer(steps, reading(moved).inputs[0])
    variance = _buffer(steps, reading(shifted).inputs[0]) if shifted is not None else None
    if shifted is None or x is None or not (weight and bias and mean and variance):
        return None
    state = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    arguments = {"eps": reading(shifted).arguments["amount"]}
    found = steps.step(step, "frozen_batch_norm2d", arguments, (x,), (output,), state)
    return None if found is None else [found]


def _buffer(steps: OpSteps, tensor: ForeignTensor | None) -> ForeignTensor | None:
    """The buffer of channels that a view [1, C, 1, 1] is of."""
    source = steps.source(tensor, *VIEWS)
    if source is None or tensor is None or not source.key or source.learned:
        return None
    return source if tensor.shape == (1, *source.shape, 1, 1) else None


IDIOMS = {"add": (frozen_batch_norm,)}
