"""Arithmetic with a number for each channel, as what it was: biases, and batch norms, (x − mean) · weight + bias."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import OpSteps, reading
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor

EPS = 1e-5
Added = Collection[ForeignTensor | None]
"""The tensors to which a number is added for each channel."""
Idiom = Callable[[OpSteps, ForeignStep, Added], ForeignStep | None]
LEAST, MOST = 2, 5
"""The numbers of dimensions that rows and images may have."""


def say_affine(program: ForeignProgram) -> None:
    """Say arithmetic on channels as biases of convolutions and as batch norms, where its constants have no names."""
    _say(program, _biased)
    _say(program, _batch_norm)


def _say(program: ForeignProgram, idiom: Idiom) -> None:
    if any(step.reading is None for step in program.steps):
        return
    steps = OpSteps(program, OpTable(program))
    added = {x for step in program.steps for x, bias in [_operands(step, "add")] if bias is not None}
    done: list[ForeignStep] = []
    for step in program.steps:
        steps.made.update({each: step for each in reading(step).outputs if each is not None})
        found = idiom(steps, step, added)
        done.append(step if found is None else found)
        if found is not None:
            steps.made.update({each: found for each in reading(found).outputs if each is not None})
    program.steps = done


def _biased(steps: OpSteps, last: ForeignStep, added: Added) -> ForeignStep | None:
    """The convolution to which a step adds a bias."""
    x, bias = _operands(last, "add")
    maker = steps.made.get(x) if x is not None else None
    if bias is None or x is None or maker is None or not maker.op.startswith("conv") or steps.uses[x] != 1:
        return None
    said = reading(maker)
    if "weight" not in said.state or "bias" in said.state:
        return None
    arguments = {name: value for name, value in said.arguments.items() if name != "bias"}
    return steps.step(
        maker, maker.op, arguments, said.inputs, reading(last).outputs, {**said.state, "bias": _row(bias)}
    )


def _batch_norm(steps: OpSteps, last: ForeignStep, added: Added) -> ForeignStep | None:
    """The batch norm that ends with a step. It takes the place of those before it, which nothing reads any more."""
    output = reading(last).outputs[0]
    if output is None or not LEAST <= len(output.shape) <= MOST:
        return None
    if last.op == "multiply" and output in added and steps.uses[output] == 1:
        return None  # it ends with the sum
    x, bias = _operands(last, "add")
    x, weight = _before(steps, x, "multiply") if bias is not None else _operands(last, "multiply")
    if weight is None:
        return None
    before, mean = _before(steps, x, "subtract")
    source = before if mean is not None else x
    if source is None or (bias is None and mean is None):
        return None
    state = {
        "weight": _row(weight),
        "bias": _row(bias) if bias is not None else _filled(weight, 0.0),
        "running_mean": _row(mean) if mean is not None else _filled(weight, 0.0),
        "running_var": _filled(weight, 1 - EPS),
        "num_batches_tracked": ForeignTensor((), "int64", constant=np.zeros((), np.int64)),
    }
    return steps.step(last, f"batch_norm{max(len(output.shape) - 2, 1)}d", {}, (source,), (output,), state)


def _before(steps: OpSteps, tensor: ForeignTensor | None, op: str) -> tuple[ForeignTensor | None, ForeignTensor | None]:
    """The operands of the step that gives a tensor, if nothing else reads that."""
    maker = steps.maker(tensor, op)
    if maker is None or tensor is None or steps.uses[tensor] != 1:
        return tensor, None
    return _operands(maker, op)


def _operands(step: ForeignStep, op: str) -> tuple[ForeignTensor | None, ForeignTensor | None]:
    """The input of a step of this op, and the constant with a number for each channel that is its other input."""
    inputs: Sequence[Any] = reading(step).inputs if step.op == op else ()
    if len(inputs) == 2:
        for x, constant in ((inputs[0], inputs[1]), (inputs[1], inputs[0])):
            if x is not None and _is_by_channel(constant, x):
                return x, constant
            if op == "subtract":
                break
    return None, None


def _is_by_channel(constant: Any, x: ForeignTensor) -> bool:
    if not isinstance(constant, ForeignTensor) or constant.constant is None or constant.key or len(x.shape) < LEAST:
        return False
    shape = (1,) * (len(x.shape) - len(constant.shape)) + tuple(constant.shape)
    return shape == (1, x.shape[1], *(1 for _ in x.shape[2:])) and x.shape[1] != 1


def _row(constant: ForeignTensor) -> ForeignTensor:
    """A constant as a vector, a tensor of its own."""
    values = np.array(constant.constant).reshape(-1)
    return ForeignTensor(values.shape, constant.dtype, constant=values)


def _filled(like: ForeignTensor, value: float) -> ForeignTensor:
    values = np.full(like.constant.size, value, like.constant.dtype)
    return ForeignTensor(values.shape, like.dtype, constant=values)
