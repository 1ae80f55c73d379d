"""Steps that nothing needs."""

from __future__ import annotations

from netspec.importer.program import ForeignProgram, ForeignStep, tensors_of
from netspec.ops.core.foreign import ForeignTensor


def drop_dead(program: ForeignProgram) -> None:
    """Take out the steps that no output depends on."""
    needed = set(program.outputs.values())
    kept: list[ForeignStep] = []
    for step in reversed(program.steps):
        if not needed.isdisjoint(made_by(step)):
            kept.append(step)
            needed.update(read_by(step))
    program.steps[:] = kept[::-1]


def made_by(step: ForeignStep) -> list[ForeignTensor]:
    """Return the tensors that a step gives."""
    outputs = step.call.outputs if step.reading is None else step.reading.outputs
    return [each for each in outputs if each is not None]


def read_by(step: ForeignStep) -> list[ForeignTensor]:
    """Return the tensors that a step reads, its own among them."""
    if step.reading is None:
        return tensors_of([*step.call.arguments.values()])
    return [*(each for each in step.reading.inputs if each is not None), *step.reading.state.values()]
