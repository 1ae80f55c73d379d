"""The numbers that the network's inputs take, derived from the ops that read them: rows of a table, lengths, masks.

Real numbers are any, but for those that must be in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netspec.elaborate.passes.draft import Draft
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops import InputRange, Op


def input_ranges(body: Level, below: Mapping[str, int]) -> dict[str, InputRange]:
    """Return the numbers that the ops take of each input; ``below`` has the bounds that the author gives."""
    found = dict(zip(body.input_names, _ranges(body, {})))
    made = {name: each or InputRange() for name, each in found.items() if each is not None or name in below}
    return {name: replace(each, below=below.get(name, each.below)) for name, each in made.items()}


def set_input_ranges(draft: Draft) -> None:
    """Set ``input_ranges``."""
    draft.input_ranges = input_ranges(draft.body, draft.below)


def _ranges(level: Level, known: dict[Level, Sequence[InputRange | None]]) -> Sequence[InputRange | None]:
    """The numbers that a level takes of each of its inputs; the first reader that says something decides."""
    if level not in known:
        taken: dict[Value, InputRange] = {}
        for step in reversed(level.steps):
            taken.update(_taken(step, taken, known))
        known[level] = [taken.get(value) for value in level.inputs]
    return known[level]


def _taken(
    step: Step, taken: Mapping[Value, InputRange], known: dict[Level, Sequence[InputRange | None]]
) -> dict[Value, InputRange]:
    if isinstance(step, Call):
        return {value: each for value, each in zip(step.inputs, _ranges(step.body, known)) if each is not None}
    real = all("float" in value.tensor.dtype for value in step.inputs)
    if real and type(step.op).input_range is Op.input_range and not any(value in taken for value in step.outputs):
        return {}
    made = {}
    for port, value in zip(step.ports or step.op.ports, step.inputs):
        input_range = step.op.input_range(port, *step.tensors) or _through(step, taken)
        if input_range is not None and (input_range.ordered or "float" not in value.tensor.dtype):
            made[value] = input_range
    return made


def _through(node: Node, taken: Mapping[Value, InputRange]) -> InputRange | None:
    """The numbers taken of a node's result, as numbers of its input: where it only casts, reshapes or coalesces."""
    input_range = taken.get(node.outputs[0])
    whole = len(node.inputs) == 1 or node.op.name == "coalesce"
    if input_range is None or not whole or type(node.op).parameters is not Op.parameters:
        return None
    if node.op.name == "logical_not" and input_range.first is not None:
        return replace(input_range, first=1 - input_range.first)
    return input_range if input_range.ordered or "float" not in node.outputs[0].tensor.dtype else None
