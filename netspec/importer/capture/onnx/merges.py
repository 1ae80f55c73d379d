"""Steps that are one op together: a product and its bias, a window and the padding before it; and those that nothing
reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor, OpReading

WINDOWS = ("conv1d", "conv2d", "conv3d", "max_pool1d", "max_pool2d", "max_pool3d")
NOT_NEGATIVE = ("relu", "relu6", "sigmoid", "softmax", "hardsigmoid")
"""The ops whose outputs are never below 0, so that a padding of zeros is never the largest alone."""


def merge(program: ForeignProgram, said: Collection[ForeignStep] = ()) -> None:
    """Join the steps of a program that are one op together; those that are ``said`` stay as they are."""
    makers: dict[ForeignTensor, ForeignStep] = {}
    uses = Counter(_read(program))
    kept: list[ForeignStep] = []
    for step in program.steps:
        before = None if step in said else _biased(step, makers, uses)
        if before is not None:
            assert before.reading is not None
            assert step.reading is not None
            bias = _bias(before, step.reading)
            assert bias is not None
            state = {**before.reading.state, "bias": bias}
            arguments = {name: value for name, value in before.reading.arguments.items() if name != "bias"}
            kept.remove(before)
            step.op, step.call = before.op, before.call._replace(outputs=step.call.outputs)
            step.reading = OpReading(arguments, before.reading.inputs, state, step.reading.outputs)
        elif step not in said:
            _take_padding(step, makers, uses)
        kept.append(step)
        if step.reading is not None and step not in said:
            makers.update((each, step) for each in step.reading.outputs if each is not None)
    program.steps = kept


def _biased(step: ForeignStep, makers: Any, uses: Counter[Any]) -> ForeignStep | None:
    """The ``linear`` whose bias a step adds, if it does nothing else."""
    if step.op not in ("add", "shift") or step.reading is None or len(step.reading.inputs) > 2:
        return None
    for each in step.reading.inputs:
        before: ForeignStep | None = makers.get(each)
        if before is None or before.op != "linear" or uses[each] > 1:
            continue
        if _bias(before, step.reading) is not None:
            return before
    return None


def _bias(linear: ForeignStep, added: OpReading) -> ForeignTensor | None:
    """The bias among what is added to the output of a ``linear`` that has none."""
    assert linear.reading is not None
    if "bias" in linear.reading.state:
        return None
    wanted = (linear.reading.arguments["out_features"],)
    if "amount" in added.arguments:  # a number by itself
        values = np.full(wanted, added.arguments["amount"], np.float32)
        return ForeignTensor(wanted, "float32", constant=values) if wanted == (1,) else None
    found = [each for each in added.inputs if each is not None and each.constant is not None and each.shape == wanted]
    return found[0] if found else None


def _take_padding(step: ForeignStep, makers: Mapping[ForeignTensor, ForeignStep], uses: Counter[Any]) -> None:
    """Say the even padding before a window as the window's own, if nothing else reads what is padded."""
    reading = step.reading
    if reading is None or not step.op.startswith(WINDOWS) or reading.arguments.get("padding", 0) != 0:
        return
    padded = reading.inputs[0]
    before = makers.get(padded) if padded is not None else None
    if before is None or before.op != "pad" or before.reading is None or uses[padded] > 1:
        return
    said, rank = before.reading.arguments, int(step.op[-2])
    amounts = [*said["pad"], *[0] * (2 * rank)]
    pairs = list(zip(amounts[: 2 * rank : 2], amounts[1 : 2 * rank : 2]))[::-1]
    even = all(low == high and isinstance(low, int) and low >= 0 for low, high in pairs) and not any(
        amounts[2 * rank :]
    )
    if not even or said.get("mode", "constant") != "constant" or said.get("value") not in (None, 0.0):
        return
    if step.op.startswith("max_pool"):
        source = makers.get(before.reading.inputs[0])  # type: ignore[arg-type]
        kernel = reading.arguments["kernel_size"]
        sizes = kernel if isinstance(kernel, tuple) else (kernel,) * rank
        small = all(low <= size // 2 for (low, _), size in zip(pairs, sizes))
        if source is None or source.op not in NOT_NEGATIVE or not small:
            return
    padding = tuple(low for low, _ in pairs)
    arguments = {**reading.arguments, "padding": padding if len(set(padding)) > 1 else padding[0]}
    step.reading = reading._replace(arguments=arguments, inputs=before.reading.inputs[:1])


def drop_unread(program: ForeignProgram, said: Collection[ForeignStep] = ()) -> None:
    """Leave out the steps whose outputs nothing reads; those that are ``said`` stay."""
    wanted = set(program.outputs.values())
    kept: list[ForeignStep] = []
    for step in reversed(program.steps):
        if step in said or any(output in wanted for output in step.call.outputs):
            kept.append(step)
            wanted.update(_inputs(step))
    program.steps = kept[::-1]
    program.problems = [problem for problem in program.problems if problem.step in kept]


def _read(program: ForeignProgram) -> list[ForeignTensor]:
    return [each for step in program.steps for each in _inputs(step)] + [*program.outputs.values()]


def _inputs(step: ForeignStep) -> list[ForeignTensor]:
    if step.reading is not None:
        return [each for each in step.reading.inputs if each is not None]
    listed = (value if isinstance(value, list) else [value] for value in step.call.arguments.values())
    return [each for values in listed for each in values if isinstance(each, ForeignTensor)]
