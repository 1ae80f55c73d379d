"""The reading of netspec's own files: nodes with a note become the op that it says, where that is proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx

from netspec.importer.capture.onnx.own.held import held_tensors
from netspec.importer.capture.onnx.own.notes import MALFORMED, NotedOp, SilentOps, noted_op
from netspec.importer.capture.onnx.own.proof import MetValues, WrittenOp, is_written_as
from netspec.importer.capture.onnx.table import NodeTable
from netspec.importer.lower.table import WrongReading, tensors_at
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.registry import OPS

Names = dict[str, Any]
MOST_SILENT = 100
"""Steps without nodes that follow one another."""


class OwnReader:
    """Reads nodes by their notes, in an opset. ``said`` has the steps that were read so, with their paths; ``blocks``
    the blocks of paths.
    """

    def __init__(
        self,
        program: ForeignProgram,
        table: NodeTable,
        silent: SilentOps,
        output: Callable[[str], ForeignTensor],
        opset: int,
    ):
        self.program, self.table, self.silent, self.output, self.opset = program, table, silent, output, opset
        self.said: dict[ForeignStep, str] = {}
        self.blocks: dict[str, str] = {}
        self.given: dict[tuple[str, Any], ForeignTensor] = {}
        self.met = MetValues()

    def read(self, nodes: Sequence[onnx.NodeProto], at: int, names: Names) -> int:
        """Read the op that begins with a node; return how many nodes it is, 0 where no note says it, or a wrong one."""
        note = noted_op(nodes[at])
        if note is None:
            return 0
        own = nodes[at : at + note.nodes]
        return note.nodes if len(own) == note.nodes and self.step(note, own, names) else 0

    def result(self, name: str, names: Names) -> Any:
        """Return the tensor of an output of the network, which a step without nodes may give."""
        alias = self.silent.outputs.get(name, "")
        before = names.get(name)
        made = self.value(alias, names) if alias in self.silent.values else None
        real = names.get(self.silent.values.get(alias, ""))
        return made if made is not None and before is not None and before is real else before

    def value(self, name: str, names: Names, depth: int = 0) -> Any:
        """Return the tensor of a name in a note; ``None`` where there is none."""
        if name not in self.silent.values:
            return names.get(name)
        real = names.get(self.silent.values[name])
        note = self.silent.makers.get(name)
        if real is None or note is None or depth > MOST_SILENT:
            return None
        if (name, real) not in self.given and not self.step(note, (), names, depth + 1):
            return None
        return self.given.get((name, real))

    def step(self, note: NotedOp, nodes: Sequence[onnx.NodeProto], names: Names, depth: int = 0) -> bool:
        """Add the step of a note; return whether it is proven."""
        state = held_tensors(note, names)
        kind = OPS[note.op]
        given = tuple(None if each is None else self.value(each, names, depth) for each in note.inputs)
        if state is None or any(name and tensor is None for name, tensor in zip(note.inputs, given)):
            return False
        inputs = given if kind.variadic else given[: len(kind.ports)]
        outputs: Any = tuple(None if name is None else self.output(self.real(name)) for name in note.outputs)
        try:
            reading = self.table.proven(kind, OpReading(note.arguments, inputs, state, outputs))
            op = kind(**reading.arguments)
            learned = op.parameters(*tensors_at(inputs))
            written = WrittenOp(
                op,
                note.path,
                self.named(note.inputs, given),
                self.named(note.outputs, outputs),
                state,
                {name for name, key in note.state.items() if key in names},
            )
            if not is_written_as(written, nodes, lambda name: _numbers(names.get(name)), self.opset, self.met):
                return False
        except (WrongReading, AssertionError, MemoryError, *MALFORMED):
            return False
        for name, tensor in state.items():
            tensor.learned = name in learned
        call = ForeignCall(note.op, {}, outputs)
        step = ForeignStep(call, (), nodes[0].name[:200] if nodes else "", note.op, reading)
        self.said[step] = note.path
        self.blocks.update(note.blocks)
        self.program.steps.append(step)
        self.enter(note, outputs, names, silent=not nodes)
        return True

    def enter(self, note: NotedOp, outputs: Sequence[Any], names: Names, silent: bool) -> None:
        """Enter what a step gives under its names."""
        for name, tensor in zip(note.outputs, outputs):
            if name is not None and silent:
                self.given[name, names.get(self.real(name))] = tensor
            elif name is not None:
                names[name] = tensor

    def named(self, names: Sequence[str | None], tensors: Sequence[Any]) -> list[tuple[str, ForeignTensor] | None]:
        """Return tensors with the file's names of them."""
        return [None if name is None else (self.real(name), tensor) for name, tensor in zip(names, tensors)]

    def real(self, name: str) -> str:
        """Return the file's name of a value."""
        return self.silent.values.get(name, name)


def _numbers(tensor: Any) -> Any:
    return tensor.constant if isinstance(tensor, ForeignTensor) else None
