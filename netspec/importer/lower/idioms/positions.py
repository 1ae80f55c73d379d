"""Positions: a learned vector for each place, taken by numbers that count up; sines and cosines of each place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netspec.importer.lower.idioms.heads.masks import values_of
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor, exactly

CLOSE = 1e-5
"""The largest difference of numbers that count as equal."""


def learned_at_each(steps: OpSteps, step: ForeignStep) -> Found:
    """x + rows 0, 1, … of a table, of which there are as many as x is long."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    for x, rows in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
        table = steps.maker(rows, "embedding")
        if x is None or output is None or table is None or x.shape != output.shape or steps.uses[rows] > 1:  # type: ignore[index]
            continue
        said = reading(table)
        if said.arguments.keys() - {"num_embeddings", "embedding_dim"} or not _counts_along(steps, said.inputs[0], x):
            continue
        arguments = {"max_length": said.arguments["num_embeddings"]}
        found = steps.step(table, "learned_positions", arguments, (x,), (output,), said.state)
        return None if found is None else [found]
    return None


def waves_at_each(steps: OpSteps, step: ForeignStep) -> Found:
    """x + sines and cosines in turns, of angles that grow with the place."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    for x, waves in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
        if x is None or waves is None or output is None or x.shape != output.shape or "float" not in x.dtype:
            continue
        base = _base(steps, waves, x) if len(x.shape) > 1 and waves.shape[-2:] == x.shape[-2:] else None
        if base is not None:
            arguments = {} if base == 10000 else {"base": base}
            found = steps.step(step, "sinusoidal_positions", arguments, (x,), (output,))
            return None if found is None else [found]
    return None


def equal_steps(steps: OpSteps, step: ForeignStep) -> Found:
    """Numbers from one end to another in as many equal steps as a symbolic size says."""
    (output,) = reading(step).outputs
    if output is None or len(output.shape) != 1 or isinstance(output.shape[0], int) or output.dtype != "float32":
        return None
    steps.made[output] = step
    values = [each for each in steps.values_at_sizes(output) if each.size > 1]
    if not values or any(abs(each[[0, -1]] - values[0][[0, -1]]).max() > CLOSE for each in values):
        return None
    numbers = steps.sizes_only.numbers(output)
    start = _nearest(float(values[0][0]), numbers)
    end = _nearest(float(values[0][-1]), [*numbers, *(start + number for number in numbers)])
    if start == end or any(abs(each - np.linspace(start, end, each.size)).max() > CLOSE * abs(end) for each in values):
        return None
    found = steps.step(step, "linspace", {"start": start, "end": end, "steps": output.shape[0]}, (), (output,))
    return None if found is None else [found]


def _nearest(value: float, numbers: Sequence[float]) -> float:
    """Return the number that one of single precision is: of those that it may be, or else a short one."""
    near = [signed for each in numbers for signed in (each, -each) if abs(signed - value) <= CLOSE * abs(value)]
    return min(near, key=lambda each: abs(each - value), default=exactly(value))


def _base(steps: OpSteps, waves: ForeignTensor, x: ForeignTensor) -> float | None:
    """The base of the angles whose sines and cosines, in turns, a tensor has at each place, if it is such a one."""
    width = x.shape[-1]
    if not isinstance(width, int) or width < 4 or width % 2 or any(size != 1 for size in waves.shape[:-2]):
        return None
    base = None
    for each in values_of(steps, waves):
        flat = each.reshape(-1, width)
        if len(flat) < 2:
            return None
        speed = math.atan2(flat[1, 2], flat[1, 3])
        base = base or (float(f"{speed ** (-width / 2):.4g}") if speed > 0 else None)
        if base is None:
            return None
        angles = np.arange(len(flat))[:, None] * base ** (-np.arange(0, width, 2) / width)
        if not np.allclose(flat, np.stack([np.sin(angles), np.cos(angles)], -1).reshape(flat.shape), atol=2e-5):
            return None
    return base


def _counts_along(steps: OpSteps, index: ForeignTensor | None, x: ForeignTensor) -> bool:
    """Return whether an index is 0, 1, … up to the length of x, at any sizes."""
    if index is None or index.shape[-1:] != x.shape[-2:-1] or any(size != 1 for size in index.shape[:-1]):
        return False
    if not steps.sizes_only.holds(index):
        return False
    values = [steps.sizes_only.value(index, sizes) for sizes in steps.sizes()]
    return all(each is not None and np.array_equal(each.ravel(), np.arange(each.size)) for each in values)


IDIOMS = {
    "add": (learned_at_each, waves_at_each),
    **{name: (equal_steps,) for name in ("multiply", "scale", "divide", "shift")},
}
