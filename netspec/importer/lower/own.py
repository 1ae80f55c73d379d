"""Parameters, buffers and constants that steps read as inputs: ops of their own, where the module has them."""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np

from netspec.importer.program import SCAN, SCAN_END, ForeignProgram, ForeignStep, ModuleCall, tensors_of
from netspec.importer.write.constants import spell_list
from netspec.importer.write.phrases import Formula
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading

LONGEST_BUFFER = 64
"""The most numbers of a buffer that stand in the text as they are."""
LONGEST_SPELLED = 1 << 16
"""The most numbers of one that an expression gives, as that of a mask; those of others come with the weights."""
Held = tuple[ForeignTensor, tuple[ModuleCall, ...]]


def place_own(program: ForeignProgram) -> None:
    """Put a step before each first use of a tensor that no step makes, in the call of the module that holds it.

    What is read in a loop and outside of it goes before the loop.
    """
    made = set(program.inputs.values())
    depths = _depths(program)
    levels: list[list[ForeignStep]] = [[]]  # the steps so far, then those in each loop that is open
    held: dict[Held, ForeignTensor] = {}
    for step in program.steps:
        if step.reading is not None:
            inputs = tuple(
                each if each is None or each in made else _placed(each, step, held, levels[depths[each]])
                for each in step.reading.inputs
            )
            step.reading = step.reading._replace(inputs=inputs)
            made.update(each for each in step.reading.outputs if each is not None)
        else:
            made.update(tensors_of(step.call.outputs))
        if step.op == SCAN:
            levels.append([])
        levels[-1].append(step)
        if step.op == SCAN_END:
            inside = levels.pop()
            levels[-1] += inside
    for name, output in program.outputs.items():
        if output not in made:
            program.outputs[name] = _placed(output, ForeignStep(ForeignCall("output", {}, ())), held, levels[0])
    program.steps = levels[0]


def _depths(program: ForeignProgram) -> dict[ForeignTensor, int]:
    """Return how many loops are around all that reads a tensor, by the tensors."""
    around: tuple[int, ...] = ()
    common: dict[ForeignTensor, tuple[int, ...]] = {tensor: () for tensor in program.outputs.values()}
    for at, step in enumerate(program.steps):
        for tensor in step.reading.inputs if step.reading is not None else ():
            if tensor is not None:
                pairs = zip(common.get(tensor, around), around)
                common[tensor] = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if step.op == SCAN:
            around = (*around, at)
        elif step.op == SCAN_END:
            around = around[:-1]
    return {tensor: len(loops) for tensor, loops in common.items()}


def _placed(
    tensor: ForeignTensor, step: ForeignStep, held: dict[Held, ForeignTensor], steps: list[ForeignStep]
) -> ForeignTensor:
    """The output of a step that gives this tensor; the step is added if it is not there."""
    scopes = _home(tensor, step.scopes)
    if (tensor, scopes) not in held:
        output = held[tensor, scopes] = ForeignTensor(tensor.shape, tensor.dtype, constant=tensor.constant)
        name, arguments = _source(tensor)
        state = {"": tensor} if tensor.key else {}
        inputs = () if tensor.key else (None,)
        reading = OpReading(arguments, inputs, state, (output,))
        steps.append(ForeignStep(ForeignCall(name, arguments, (output,)), scopes, step.place, name, reading))
    return held[tensor, scopes]


def _home(tensor: ForeignTensor, scopes: tuple[ModuleCall, ...]) -> tuple[ModuleCall, ...]:
    """The calls, among these, of modules that hold the tensor; all of them for a constant."""
    if not tensor.key:
        return scopes
    count = 0
    while count < len(scopes) and tensor.key.startswith(f"{scopes[count].path}."):
        count += 1
    return scopes[:count]


def _source(tensor: ForeignTensor) -> tuple[str, dict[str, Any]]:
    """The op that gives a tensor, and its arguments."""
    if tensor.key and tensor.learned:
        return "parameter", {"shape": tensor.shape}
    dtype = {} if tensor.dtype == "float32" else {"dtype": tensor.dtype}
    if not tensor.key:
        if _is_identity(tensor):
            return "eye", {"n": tensor.shape[0]}
        return "constant", {"value": _nested(tensor.constant.tolist()), **dtype}
    numbers = tensor.constant
    if numbers is None or numbers.size > LONGEST_SPELLED or not numbers.any():
        return "buffer", {"shape": tensor.shape, **dtype}
    value = _nested(numbers.tolist())
    if numbers.size > LONGEST_BUFFER and not _is_short(value):
        return "buffer", {"shape": tensor.shape, **dtype}
    return "buffer", {"value": value, **dtype}


@lru_cache(maxsize=64)
def _is_short(value: tuple[Any, ...]) -> bool:
    """Return whether there is an expression for nested numbers."""
    return isinstance(spell_list(value), Formula)


def _is_identity(tensor: ForeignTensor) -> bool:
    """Return whether a constant is a matrix of ones on its diagonal."""
    square = len(tensor.shape) == 2 and tensor.shape[0] == tensor.shape[1] and tensor.shape[0] != 1
    return square and tensor.dtype == "float32" and bool((tensor.constant == np.eye(len(tensor.constant))).all())


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value
