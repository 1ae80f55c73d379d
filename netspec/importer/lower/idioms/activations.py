"""Activations by hand: a function of one tensor, element by element, that is an op's function of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

MOST_STEPS = 16
"""The most steps of an activation."""
POINTS = np.concatenate([np.linspace(-12, 12, 997), np.linspace(-1, 1, 101)])
ERF = np.vectorize(math.erf, otypes=[float])


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(−x))."""
    return 1 / (1 + np.exp(-x))


def tanh_gelu(x: Any) -> Any:
    """Return the approximation of GELU by tanh."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x))."""
    return np.logaddexp(0, x)


Function = Callable[[Any, Mapping[str, Any]], Any]
SIMPLE: dict[str, Function] = {
    "scale": lambda x, said: x * said["factor"],
    "shift": lambda x, said: x + said["amount"],
    "pow": lambda x, said: x ** said["exponent"],
    "square": lambda x, said: x * x,
    "tanh": lambda x, said: np.tanh(x),
    "erf": lambda x, said: ERF(x),
    "exp": lambda x, said: np.exp(x),
    "log1p": lambda x, said: np.log1p(x),
    "neg": lambda x, said: -x,
    "abs": lambda x, said: np.abs(x),
    "sigmoid": lambda x, said: sigmoid(x),
    "reciprocal": lambda x, said: 1 / x,
    "relu": lambda x, said: np.maximum(x, 0),
    "relu6": lambda x, said: np.clip(x, 0, 6),
    "hardtanh": lambda x, said: np.clip(x, said.get("min_val", -1), said.get("max_val", 1)),
    "clamp": lambda x, said: np.clip(x, said.get("min"), said.get("max")),
    "hardsigmoid": lambda x, said: np.clip(x + 3, 0, 6) / 6,
    "softplus": lambda x, said: softplus(x) if not said else x * math.nan,
}
"""The functions of one input."""
JOINING: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}
CLOSE = 1e-6
"""The largest difference: the numbers of a file are of single precision."""
KNOWN: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("gelu", {}, 0.5 * POINTS * (1 + ERF(POINTS / math.sqrt(2)))),
    ("gelu", {"approximate": "tanh"}, tanh_gelu(POINTS)),
    ("silu", {}, POINTS * sigmoid(POINTS)),
    ("hardswish", {}, POINTS * np.clip(POINTS + 3, 0, 6) / 6),
    ("hardsigmoid", {}, np.clip(POINTS + 3, 0, 6) / 6),
    ("relu6", {}, np.clip(POINTS, 0, 6)),
    ("mish", {}, POINTS * np.tanh(softplus(POINTS))),
)
"""The ops by what they give at the points."""


def by_hand(steps: OpSteps, step: ForeignStep) -> Found:
    """Several ops that together are one activation of the tensor that they start from."""
    (output,) = reading(step).outputs
    if output is None or "float" not in output.dtype:
        return None
    for start in _starts(steps, step):
        if start.shape != output.shape or not _only_from(steps, step, start, 0):
            continue
        with np.errstate(all="ignore"):
            values = _value(steps, output, start, step)
        for op, arguments, wanted in KNOWN:
            if values is not None and np.allclose(values, wanted, rtol=CLOSE, atol=CLOSE):
                found = steps.step(step, op, arguments, (start,), (output,))
                return None if found is None else [found]
    return None


def _starts(steps: OpSteps, last: ForeignStep) -> list[ForeignTensor]:
    """The tensors that the steps before read, the nearest first, without those of the last step alone."""
    waiting, seen = [last], {id(last)}
    tensors: list[ForeignTensor] = []
    while waiting and len(seen) <= MOST_STEPS:
        step = waiting.pop(0)
        for each in reading(step).inputs:
            if each is None:
                continue
            tensors.append(each)
            before = steps.maker(each, *SIMPLE, *JOINING)
            if before is not None and id(before) not in seen:
                seen.add(id(before))
                waiting.append(before)
    single = len([each for each in reading(last).inputs if each is not None]) == 1
    return list(dict.fromkeys(tensors))[int(single) :]


def _only_from(steps: OpSteps, step: ForeignStep, start: ForeignTensor, depth: int) -> bool:
    if depth > MOST_STEPS or (step.op not in SIMPLE and step.op not in JOINING):
        return False
    for each in reading(step).inputs:
        if each is None or each is start:
            continue
        before = steps.made.get(each)
        if before is None or before.reading is None or not _only_from(steps, before, start, depth + 1):
            return False
    return True


def _value(steps: OpSteps, tensor: ForeignTensor, start: ForeignTensor, last: ForeignStep) -> Any:
    """The values of a tensor where the start has those of the points."""
    if tensor is start:
        return POINTS
    step = last if tensor in reading(last).outputs else steps.made[tensor]
    inputs = [_value(steps, each, start, last) for each in reading(step).inputs if each is not None]
    if any(each is None for each in inputs):
        return None
    if step.op in JOINING:
        made = inputs[0]
        for each in inputs[1:]:
            made = JOINING[step.op](made, each)
        return made
    if step.op == "pow" and len(inputs) > 1:
        return None
    return SIMPLE[step.op](inputs[0], reading(step).arguments)


IDIOMS = {name: (by_hand,) for name in ("multiply", "scale", "divide", "clamp", "hardtanh")}
