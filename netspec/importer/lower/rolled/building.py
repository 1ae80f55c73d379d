"""The steps of a loop as those of a scan: its marks, one copy of the body between them, and what joins sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.rolled.leaving import LoopResults
from netspec.importer.lower.rolled.wiring import (
    LoopWiring,
    NoLoop,
    OwnRead,
    Place,
    SequenceRead,
    StateRead,
)
from netspec.importer.lower.table import OpTable, WrongReading
from netspec.importer.program import SCAN, SCAN_END, ForeignLoop, ForeignStep, common_scopes
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.registry import OPS


def scan_steps(
    steps: Sequence[ForeignStep], wiring: LoopWiring, results: LoopResults, table: OpTable
) -> list[ForeignStep]:
    """Return the steps in the place of a run's. Raises ``NoLoop`` where an op does not take what it would read."""
    return _Scan(steps, wiring, results, table).made()


class _Scan:
    def __init__(self, steps: Sequence[ForeignStep], wiring: LoopWiring, results: LoopResults, table: OpTable):
        self.steps, self.wiring, self.results, self.table = steps, wiring, results, table
        self.run = wiring.run
        places = [self.run.place(copy, at) for copy in range(self.run.total) for at in range(self.run.width)]
        self.scopes = common_scopes([steps[place].scopes for place in places if place is not None])
        self.like = steps[self.run.start]
        self.before: list[ForeignStep] = []
        self.inside: list[ForeignStep] = []
        self.sequences: dict[tuple[Any, ...], tuple[ForeignTensor, ForeignTensor]] = {}
        self.elements: dict[tuple[Any, ...], ForeignTensor] = {}
        self.states: dict[tuple[ForeignTensor, Place], ForeignTensor] = {}
        self.way = 0

    def made(self) -> list[ForeignStep]:
        """The steps: what prepares the sequences, the marks with the body between them, and what joins its results."""
        body = [self._copied(at) for at in self.wiring.body]
        if not self.sequences:
            self._count()
        loop = ForeignLoop(self.run.total, len(self.sequences), len(self.states), self.way < 0)
        wholes, elements = zip(*self.sequences.values())
        first = self._mark(SCAN, loop, [*wholes, *(key[0] for key in self.states)], [*elements, *self.states.values()])
        collected, behind = self._collected()
        finals = [self._final(place) for _, place in self.states]
        following = [self._made(place) for _, place in self.states]
        last = self._mark(SCAN_END, loop, [*collected, *following], [*collected.values(), *finals])
        return [*self.before, first, *self.inside, *body, last, *behind]

    def _mark(
        self, op: str, loop: ForeignLoop, inputs: Sequence[ForeignTensor], outputs: Sequence[ForeignTensor]
    ) -> ForeignStep:
        said = OpReading({}, tuple(inputs), {}, tuple(outputs))
        return ForeignStep(ForeignCall(op, {}, tuple(outputs)), self.scopes, self.like.place, op, said, loop)

    def _copied(self, at: int) -> ForeignStep:
        """The step of the first copy, which reads the body's own tensors."""
        step = self.steps[self.run.start + at]
        said = reading(step)
        inputs = tuple(self._read(at, port) for port in range(len(said.inputs)))
        return replace(step, reading=said._replace(inputs=inputs))

    def _read(self, at: int, port: int) -> ForeignTensor | None:
        read = self.wiring.reads[at, port]
        if isinstance(read, SequenceRead):
            return self._element(read)
        if isinstance(read, OwnRead):
            return self._made(read.place)
        if isinstance(read, StateRead):
            key = read.first, read.place
            if key not in self.states:
                self.states[key] = ForeignTensor(read.first.shape, read.first.dtype)
                self._guard_alike(read)
            return self.states[key]
        return read

    def _guard_alike(self, read: StateRead) -> None:
        made = self._made(read.place)
        if made.shape != read.first.shape or made.dtype != read.first.dtype:
            raise NoLoop

    def _made(self, place: Place) -> ForeignTensor:
        """The tensor that a step of the body makes, in the first copy."""
        at, port = place
        if at in self.wiring.elements:
            return self._element(self.wiring.elements[at])
        tensor = reading(self.steps[self.run.start + at]).outputs[port]
        assert tensor is not None
        return tensor

    def _element(self, read: SequenceRead) -> ForeignTensor:
        """One step of a sequence, as the body reads it."""
        whole = read.whole
        shape = (*whole.shape[: read.dim], *whole.shape[read.dim + 1 :])
        key = (whole if whole.constant is None or whole.key else repr(whole.constant.tolist())), *read[1:4]
        if key not in self.sequences:
            self.sequences[key] = self._prepared(read), ForeignTensor(shape, whole.dtype)
        element = self.sequences[key][1]
        if not read.is_slice:
            return element
        if key not in self.elements:
            kept = ForeignTensor((*shape[: read.dim], 1, *shape[read.dim :]), whole.dtype)
            self.elements[key] = self._say(self.inside, "unsqueeze", {"dim": read.dim}, element, kept)
        return self.elements[key]

    def _prepared(self, read: SequenceRead) -> ForeignTensor:
        """A sequence as a scan takes it: along its second dimension, as long as there are copies."""
        self.way = self.way or read.way
        axis = min(1, len(read.whole.shape) - 1)
        made = self._cut(read)
        if read.dim != axis:
            made = moved(self, self.before, made, read.dim, axis)
        if read.way != self.way:
            made = self._say(self.before, "flip", {"dims": (axis,)}, made)
        return made

    def _cut(self, read: SequenceRead) -> ForeignTensor:
        """The part of a sequence that is read."""
        size, count = read.whole.shape[read.dim], self.run.total
        low = read.first if read.way > 0 else read.first - count + 1
        if low == 0 and size == count:
            return read.whole
        if not isinstance(size, int) or low < 0 or low + count > size:
            raise NoLoop
        shape = (*read.whole.shape[: read.dim], count, *read.whole.shape[read.dim + 1 :])
        said = {"dim": read.dim, "start": low or None, "end": None if low + count == size else low + count - size}
        kept = {name: value for name, value in said.items() if value is not None}
        return self._say(self.before, "slice", kept, read.whole, ForeignTensor(shape, read.whole.dtype))

    def _count(self) -> None:
        """Give a loop without sequences one: the numbers of its iterations."""
        numbers = ForeignTensor((self.run.total,), "int64")
        self._say(self.before, "arange", {"end": self.run.total}, None, numbers)
        self.sequences["count",] = numbers, ForeignTensor((), "int64")

    def _collected(self) -> tuple[dict[ForeignTensor, ForeignTensor], list[ForeignStep]]:
        """The values that the scan collects, each with the tensor of all iterations, and the steps that join them."""
        wholes: dict[ForeignTensor, ForeignTensor] = {}
        behind: list[ForeignStep] = []
        for each in self.results.collected:
            made = self._made(each.place)
            axis = min(1, len(made.shape))
            shape = (*made.shape[:axis], self.run.total, *made.shape[axis:])
            turned = each.way != (self.way or 1) and each.dim is not None
            if made not in wholes and each.dim == axis and not turned:
                wholes[made] = each.whole
                continue
            whole = wholes.setdefault(made, ForeignTensor(shape, made.dtype))
            if turned:
                whole = self._say(behind, "flip", {"dims": (axis,)}, whole)
            if each.dim is None:  # one iteration's
                index = each.copy if self.way >= 0 else self.run.total - 1 - each.copy
                said = {"dim": axis, "index": index - self.run.total if index == self.run.total - 1 else index}
                self._say(behind, "select", said, whole, each.whole)
            elif each.dim != axis:
                moved(self, behind, whole, axis, each.dim, each.whole)
            else:
                self._say(behind, "identity", {}, whole, each.whole)
        return wholes, behind

    def _final(self, place: Place) -> ForeignTensor:
        """The last state."""
        found = self.results.finals.get(place)
        made = self._made(place)
        return found if found is not None else ForeignTensor(made.shape, made.dtype)

    def _say(
        self,
        steps: list[ForeignStep],
        op: str,
        arguments: Mapping[str, Any],
        read: ForeignTensor | None,
        made: ForeignTensor | None = None,
    ) -> ForeignTensor:
        """Add a step of an op; returns what it gives."""
        if made is None:
            assert read is not None
            made = ForeignTensor(read.shape, read.dtype)
        try:
            said = self.table.proven(OPS[op], OpReading(arguments, (read,), {}, (made,)))
        except WrongReading:
            raise NoLoop from None
        call = ForeignCall(op, arguments, (made,))
        steps.append(ForeignStep(call, self.scopes, self.like.place, op, said))
        return made


def moved(
    scan: _Scan,
    steps: list[ForeignStep],
    whole: ForeignTensor,
    old: int,
    new: int,
    made: ForeignTensor | None = None,
) -> ForeignTensor:
    """Return a tensor with one of its dimensions at another place."""
    order = [at for at in range(len(whole.shape)) if at != old]
    order.insert(new, old)
    output = made or ForeignTensor(tuple(whole.shape[at] for at in order), whole.dtype)
    if abs(old - new) == 1:
        said: dict[str, Any] = {"dim0": min(old, new), "dim1": max(old, new)}
        return scan._say(steps, "transpose", said, whole, output)
    return scan._say(steps, "permute", {"dims": tuple(order)}, whole, output)
