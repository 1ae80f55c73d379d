"""Rotary embeddings by hand: x · cos + rotate_half(x) · sin, where both come from positions 0, 1, 2, …"""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.importer.lower.idioms.masks import values_of
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor


def by_hand(steps: OpSteps, step: ForeignStep) -> Found:
    """The sum of a tensor times cosines and of its halves turned round times sines."""
    said = reading(step)
    (output,) = said.outputs
    sides = [steps.maker(each, "multiply") for each in said.inputs]
    if len(sides) != 2 or None in sides or output is None:
        return None
    for plain, turned in (sides, sides[::-1]):
        found = _sides(steps, plain, turned)
        base = None if found is None else _base(steps, *found)
        if found is None or base is None:
            continue
        arguments = {} if base == 10000 else {"base": base}
        made = steps.step(step, "rotary_embedding", arguments, (found[0],), (output,))
        return None if made is None else [made]
    return None


def _sides(
    steps: OpSteps, plain: ForeignStep | None, turned: ForeignStep | None
) -> tuple[ForeignTensor, ForeignTensor, ForeignTensor] | None:
    """The tensor, the cosines and the sines."""
    assert plain is not None
    assert turned is not None
    for half, sines in (reading(turned).inputs, reading(turned).inputs[::-1]):
        x = _turned(steps, half)
        for given, cosines in (reading(plain).inputs, reading(plain).inputs[::-1]):
            if x is not None and given is x and cosines is not None and sines is not None:
                return x, cosines, sines
    return None


def _turned(steps: OpSteps, tensor: ForeignTensor | None) -> ForeignTensor | None:
    """The tensor whose second half, negated, stands before its first."""
    joined = steps.maker(tensor, "concat")
    if joined is None or tensor is None or len(reading(joined).inputs) != 2:
        return None
    if reading(joined).arguments.get("dim", 1) not in (-1, len(tensor.shape) - 1):
        return None
    first, second = reading(joined).inputs
    late = steps.maker(steps.source(first, "neg"), "slice", "chunk", "split")
    early = steps.maker(second, "slice", "chunk", "split")
    if late is None or early is None or reading(late).inputs[0] is not reading(early).inputs[0]:
        return None
    x, width = reading(early).inputs[0], tensor.shape[-1]
    if x is None or not isinstance(width, int) or x.shape != tensor.shape:
        return None
    if late is early and early.op != "slice":
        halves = [second, steps.source(first, "neg")] == [*reading(early).outputs]
        return x if halves and reading(early).arguments.get("dim", 0) in _last(x) else None
    one, two = reading(late).arguments, reading(early).arguments
    last = one.get("dim") in _last(x) and two.get("dim") in _last(x)
    return x if last and one == {"dim": one.get("dim"), "start": width // 2} and two.get("end") == width // 2 else None


def _last(x: ForeignTensor) -> tuple[int, int]:
    return (-1, len(x.shape) - 1)


def _base(steps: OpSteps, x: ForeignTensor, cosines: ForeignTensor, sines: ForeignTensor) -> float | None:
    """The base whose angles the cosines and the sines are of, if there is one."""
    width = x.shape[-1]
    if not isinstance(width, int) or width < 4:
        return None
    first, second = values_of(steps, cosines), values_of(steps, sines)
    if not first or not second:
        return None
    angles = np.arctan2(*(np.asarray(each[-1], float).reshape(-1, width)[1] for each in (second, first)))
    if angles[1] <= 0:
        return None
    exact = float(angles[1]) ** (-width / 2)
    base = float(f"{exact:.5g}")
    for cosine, sine in zip(first, second):
        if not (_is_of(cosine, np.cos, base, width) and _is_of(sine, np.sin, base, width)):
            return None
    return base


def _is_of(values: Any, function: Any, base: float, width: int) -> bool:
    """Return whether values are those of the angles of positions along the dimension before the last."""
    length = values.shape[-2] if values.ndim > 1 else 0
    powers = base ** (-np.arange(0, width, 2) / width)
    angles = np.arange(length)[:, None] * np.concatenate([powers, powers])
    wanted = function(angles)
    return values.size == wanted.size and np.allclose(values.reshape(wanted.shape), wanted, atol=2e-5)


IDIOMS = {"add": (by_hand,)}
