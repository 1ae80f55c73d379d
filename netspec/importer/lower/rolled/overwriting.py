"""Tensors whose rows are all overwritten one after the other, as in ``output[:, t] = h``: the rows, joined."""

from __future__ import annotations

from typing import NamedTuple

from netspec.importer.lower.dead import drop_dead
from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.registry import OPS


class RowWrite(NamedTuple):
    """A step that gives ``base`` with one row, of size 1 along ``dim``, in the place of its own."""

    base: ForeignTensor
    row: ForeignTensor
    dim: int
    at: int


def join_rows(program: ForeignProgram, table: OpTable) -> None:
    """Put one step that joins all rows in the place of the last that writes one."""
    makers = {each: step for step in program.steps if step.reading for each in step.reading.outputs if each is not None}
    writes: dict[ForeignTensor, RowWrite] = {}
    for step in program.steps:
        found = _row_write(step, makers)
        if found is not None:
            output = reading(step).outputs[0]
            assert output is not None
            writes[output] = found
    if not writes:
        return
    bases = {write.base for write in writes.values()}
    for step in program.steps:
        output = reading(step).outputs[0] if step.reading and step.op == "concat" else None
        if output is not None and output in writes and output not in bases:
            rows = _all_rows(output, writes)
            if rows:
                arguments = {"dim": writes[output].dim}
                said = OpReading(arguments, tuple(rows), {}, (output,))
                step.call = ForeignCall("concat", arguments, (output,))
                step.reading = table.proven(OPS["concat"], said)
    drop_dead(program)


def _all_rows(output: ForeignTensor, writes: dict[ForeignTensor, RowWrite]) -> list[ForeignTensor]:
    """Return the rows that a tensor has after a chain of writes, if every row is written."""
    rows: dict[int, ForeignTensor] = {}
    last = writes[output]
    size = output.shape[last.dim]
    tensor = output
    while tensor in writes and writes[tensor].dim == last.dim:
        rows.setdefault(writes[tensor].at, writes[tensor].row)
        tensor = writes[tensor].base
    return [rows[at] for at in range(len(rows))] if len(rows) == size and max(rows) == len(rows) - 1 else []


def _row_write(step: ForeignStep, makers: dict[ForeignTensor, ForeignStep]) -> RowWrite | None:
    """Return what a step that joins the parts around a row with the row does."""
    if step.op != "concat" or step.reading is None or len(step.reading.inputs) not in (2, 3):
        return None
    output = step.reading.outputs[0]
    parts = [each for each in step.reading.inputs if each is not None]
    if output is None or len(parts) != len(step.reading.inputs):
        return None
    dim = step.reading.arguments.get("dim", 1) % len(output.shape)
    cuts = [_cut(each, dim, makers) for each in parts]
    at = next((at for at, each in enumerate(parts) if cuts[at] is None and each.shape[dim] == 1), None)
    others = [cut for place, cut in enumerate(cuts) if place != at]
    if at is None or any(cut is None for cut in others):
        return None
    bases = {cut[0] for cut in others if cut is not None}
    before = sum(_size(each, dim) for each in parts[:at])
    wanted = [
        (0, before) if place < at else (before + 1, output.shape[dim]) for place in range(len(parts)) if place != at
    ]
    if len(bases) != 1 or [cut[1:] for cut in others if cut is not None] != wanted:
        return None
    base = bases.pop()
    return RowWrite(base, parts[at], dim, before) if base.shape == output.shape else None


def _size(tensor: ForeignTensor, dim: int) -> int:
    size = tensor.shape[dim]
    return size if isinstance(size, int) else -1


def _cut(
    tensor: ForeignTensor, dim: int, makers: dict[ForeignTensor, ForeignStep]
) -> tuple[ForeignTensor, int, int] | None:
    """Return what a tensor is a part of along a dimension, and from where to where."""
    step = makers.get(tensor)
    if step is None or step.op != "slice" or step.reading is None or step.reading.arguments.get("step", 1) != 1:
        return None
    whole = step.reading.inputs[0]
    if (
        whole is None
        or step.reading.arguments["dim"] % len(whole.shape) != dim
        or not isinstance(whole.shape[dim], int)
    ):
        return None
    size = int(str(whole.shape[dim]))
    start, end = step.reading.arguments.get("start") or 0, step.reading.arguments.get("end")
    end = size if end is None else end
    return whole, start % size if start else 0, end if end >= 0 else end + size
