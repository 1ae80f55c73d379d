"""Normalisation by hand: RMS norm, layer norm of one dimension, and weights that follow a norm."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor


def root_mean_square(steps: OpSteps, step: ForeignStep) -> Found:
    """x · rsqrt(mean(x²) + eps), or x / sqrt(mean(x²) + eps)."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    if len(inputs) != 2:
        return None
    sides = [inputs, inputs[::-1]] if step.op == "multiply" else [inputs]
    for x, factor in sides:
        shifted = steps.maker(steps.source(factor, "rsqrt" if step.op == "multiply" else "sqrt"), "shift")
        if shifted is None or x is None:
            continue
        mean = steps.maker(reading(shifted).inputs[0], "reduce_mean")
        if mean is None or not _is_square(steps, reading(mean).inputs[0], x):
            continue
        said = reading(mean).arguments
        if said.get("dim") not in (-1, len(x.shape) - 1) or not said.get("keepdim"):
            continue
        arguments = {"eps": reading(shifted).arguments["amount"], "elementwise_affine": False}
        found = steps.step(step, "rms_norm", arguments, (x,), (output,))
        return None if found is None else [found]
    return None


def _is_square(steps: OpSteps, tensor: ForeignTensor | None, x: ForeignTensor) -> bool:
    step = steps.maker(tensor, "pow", "square", "multiply")
    if step is None:
        return False
    inputs = [each for each in reading(step).inputs if each is not None]
    if step.op == "multiply":
        return inputs == [x, x]
    return inputs == [x] and (step.op == "square" or reading(step).arguments.get("exponent") == 2)


def weighted(steps: OpSteps, step: ForeignStep) -> Found:
    """A norm without a weight, times a learned vector of the last dimension."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    for made, weight in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
        norm = steps.maker(made, "rms_norm")
        if norm is None or weight is None or not (weight.key and weight.learned) or steps.uses[made] > 1:  # type: ignore[index]
            continue
        said = reading(norm)
        if said.state or said.arguments.get("normalized_shape") is not None or len(weight.shape) != 1:
            continue
        arguments = {key: value for key, value in said.arguments.items() if key != "elementwise_affine"}
        found = steps.step(step, "rms_norm", arguments, said.inputs, (output,), {"weight": weight})
        return None if found is None else [found]
    return None


def over_one_dimension(steps: OpSteps, step: ForeignStep) -> Found:
    """A norm of the last dimension between two permutations, which bring another one there and back."""
    (moved,), (output,) = reading(step).inputs, reading(step).outputs
    norm = steps.maker(moved, "layer_norm", "rms_norm")
    first = steps.maker(reading(norm).inputs[0], "permute") if norm is not None else None
    if norm is None or first is None or reading(norm).arguments.get("normalized_shape") is not None:
        return None
    if steps.uses[moved] > 1:  # type: ignore[index]
        return None  # something reads the norm as it is, too
    there, back = reading(first).arguments["dims"], reading(step).arguments["dims"]
    rank = len(there)
    there, back = ([dim % rank for dim in dims] for dims in (there, back))
    axis = there[-1]
    if there != [*range(axis), *range(axis + 1, rank), axis] or [there[dim] for dim in back] != list(range(rank)):
        return None
    arguments = {**reading(norm).arguments, "dim": axis}
    found = steps.step(norm, norm.op, arguments, reading(first).inputs, (output,), reading(norm).state)
    return None if found is None else [found]


def over_neighbours(steps: OpSteps, step: ForeignStep) -> Found:
    """x / (k + alpha · mean of x² over neighbouring channels)^beta, the channels padded with zeros."""
    (x, divisor), (output,) = reading(step).inputs, reading(step).outputs
    power = steps.maker(divisor, "pow")
    shifted = steps.maker(reading(power).inputs[0], "shift") if power is not None else None
    scaled = steps.maker(reading(shifted).inputs[0], "scale") if shifted is not None else None
    if power is None or shifted is None or scaled is None or x is None or output is None:
        return None
    pool = steps.maker(steps.source(reading(scaled).inputs[0], "squeeze"), f"avg_pool{len(x.shape) - 1}d")
    pad = steps.maker(reading(pool).inputs[0], "pad") if pool is not None else None
    if pool is None or pad is None or not _is_square(steps, steps.source(reading(pad).inputs[0], "unsqueeze"), x):
        return None
    size, rest = reading(pool).arguments["kernel_size"][0], (1,) * (len(x.shape) - 2)
    amounts = (0, 0) * len(rest) + (size // 2, (size - 1) // 2)
    window = {"kernel_size": (size, *rest), "stride": 1}
    if dict(reading(pool).arguments) != window or dict(reading(pad).arguments) != {"pad": amounts}:
        return None
    numbers = {"alpha": (scaled, "factor"), "beta": (power, "exponent"), "k": (shifted, "amount")}
    arguments = {"size": size, **{name: reading(of).arguments[word] for name, (of, word) in numbers.items()}}
    found = steps.step(step, "local_response_norm", arguments, (x,), (output,))
    return None if found is None else [found]


IDIOMS = {
    "multiply": (root_mean_square, weighted),
    "divide": (root_mean_square, over_neighbours),
    "permute": (over_one_dimension,),
}
