"""Steps that are one op together: a product and the addition of a bias; and those that nothing reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor, OpReading


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
        kept.append(step)
        if step.reading is not None and step not in said:
            makers.update((each, step) for each in step.reading.outputs if each is not None)
    program.steps = kept


def _biased(step: ForeignStep, makers: Any, uses: Counter[Any]) -> ForeignStep | None:
    """The ``linear`` whose bias a step adds, if it does nothing else."""
    if step.op != "add" or step.reading is None or len(step.reading.inputs) != 2:
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
    found = [each for each in added.inputs if each is not None and each.constant is not None and each.shape == wanted]
    return found[0] if found else None


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
