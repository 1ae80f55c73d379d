"""The steps of a program that no op says: told all at once, or left as ``opaque`` steps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from netspec.diagnostics import UsageError
from netspec.importer.lower.own import place_own
from netspec.importer.program import ForeignProgram, ForeignStep, LoweringProblem, tensors_of
from netspec.ops.core.foreign import OpReading

MOST_TOLD = 40
"""The most places that are listed, of those that cannot be said."""

PARTIAL_HELP = "With --partial (`partial=True`) these become `opaque` steps, which table and diagram show."


def guard_said(program: ForeignProgram, partial: bool) -> None:
    """Guard: ops say every step, but for those that a ``partial`` spec leaves ``opaque``. Raises ``UsageError``."""
    told = {id(problem.step) for problem in program.problems}
    unread = [step for step in program.steps if step.reading is None and id(step) not in told]
    program.problems += [LoweringProblem(step, f"no op does what `{step.call.name}` does here") for step in unread]
    if program.problems and not partial:
        raise UsageError(f"{program.name} cannot be said whole, for want of {said(program)}\n{PARTIAL_HELP}")
    leave_opaque(program)


def said(program: ForeignProgram) -> str:
    """Return all that has no counterpart, with its line, its module and how often it is there; equal ones once."""
    told: dict[tuple[str, str], list[str]] = {}
    for problem in program.problems:
        scope = problem.step.scopes[-1] if problem.step.scopes else None
        where = f"{scope.path} ({scope.class_name})" if scope is not None else program.name
        told.setdefault((problem.step.place, problem.reason), []).append(where)
    lines = [
        f"  {place + ': ' if place else ''}{reason}\n    in {_several(Counter(paths))}"
        for (place, reason), paths in told.items()
    ]
    more = [f"  … and {len(lines) - MOST_TOLD} more places"] if len(lines) > MOST_TOLD else []
    count = f"{len(lines)} place{'s' * (len(lines) != 1)}"
    return "\n".join([f"{count}:", *lines[:MOST_TOLD], *more])


def _several(paths: Counter[str]) -> str:
    """The first path, with how often it is there, and how many more there are."""
    path, times = next(iter(paths.items()))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{path}{f', {times} times' if times > 1 else ''}{more}"


def leave_opaque(program: ForeignProgram) -> None:
    """Make every step that no op says ``opaque``: one for each tensor that others read of it."""
    if not program.problems:
        return
    wanted = {id(problem.step): problem for problem in program.problems}
    read = {id(tensor) for step in program.steps for tensor in _inputs(step)}
    read |= {id(tensor) for tensor in program.outputs.values()}
    steps: list[ForeignStep] = []
    for step in program.steps:
        steps += [step] if id(step) not in wanted else _opaque(wanted[id(step)], read)
    program.steps = steps
    place_own(program)


def _inputs(step: ForeignStep) -> list[object]:
    if step.reading is not None:
        return [tensor for tensor in step.reading.inputs if tensor is not None]
    return [tensor for value in step.call.arguments.values() for tensor in tensors_of(value)]


def _opaque(problem: LoweringProblem, read: set[int]) -> Iterator[ForeignStep]:
    step = problem.step
    inputs = tuple(tensor for value in step.call.arguments.values() for tensor in tensors_of(value))
    outputs = [tensor for tensor in step.call.outputs if tensor is not None]
    for number, output in enumerate(outputs):
        if id(output) in read:
            which = f"output {number} of " if len(outputs) > 1 else ""
            place = f", {os.path.basename(step.place)}" if step.place else ""
            of = f"{which}{step.call.name}{place}".replace("{", "(").replace("}", ")")
            arguments = {"of": of, "shape": tuple(output.shape), "dtype": output.dtype}
            reading = OpReading(arguments, inputs, {}, (output,))
            yield ForeignStep(step.call, step.scopes, step.place, "opaque", reading)
