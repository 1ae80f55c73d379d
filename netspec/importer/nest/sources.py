"""Steps for what no step makes: parameters, buffers and constants that are read as values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading

LARGEST = 4096
"""The most numbers that a text has of a constant."""


def with_sources(program: ForeignProgram) -> list[ForeignStep]:
    """Return the steps with those that give a parameter, a buffer or a constant, each before its first reader."""
    made: set[Any] = {id(tensor) for tensor in program.inputs.values()}
    steps: list[ForeignStep] = []
    for step in program.steps:
        assert step.reading is not None
        for tensor in step.reading.inputs:
            if tensor is None or {id(tensor), _constant_in(step, tensor)} & made:
                continue
            made.add(_constant_in(step, tensor) or id(tensor))
            steps += _source(tensor, step)
        made |= {id(tensor) for tensor in step.reading.outputs if tensor is not None}
        steps.append(step)
    for tensor in program.outputs.values():
        if id(tensor) not in made:
            made.add(id(tensor))
            steps += _source(tensor, ForeignStep(ForeignCall("output", {}, ())))
    return steps


def _constant_in(step: ForeignStep, tensor: ForeignTensor) -> Any:
    """Return what stands for a constant in the module that reads it: each has its own."""
    return (id(tensor), step.scopes) if tensor.constant is not None and not tensor.key else None


def _source(tensor: ForeignTensor, reader: ForeignStep) -> Iterator[ForeignStep]:
    """The step that gives a tensor, at the place of its first reader."""
    call = ForeignCall("source", {}, (tensor,))
    arguments: dict[str, Any]
    if tensor.key and tensor.learned:
        op, arguments = "parameter", {"shape": list(tensor.shape)}
    elif tensor.key:
        op, arguments = "buffer", {"value": tensor.constant.tolist(), "dtype": tensor.dtype}
    elif tensor.constant is not None:
        op, arguments = "constant", {"value": tensor.constant.tolist(), "dtype": tensor.dtype}
    else:
        raise AssertionError(f"nothing makes {tensor}")
    if arguments.get("dtype") == "float32":
        del arguments["dtype"]
    state = {"": tensor} if tensor.key else {}
    yield ForeignStep(call, reader.scopes, reader.place, op, OpReading(arguments, (), state, (tensor,)))
