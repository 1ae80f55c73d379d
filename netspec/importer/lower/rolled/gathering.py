"""A module that is a loop and what goes before or behind it: all of it as the loop's body.

What reads no state may run for all iterations at once, as netspec's own modules have it. Such steps go back into the
body, so that the module is a scan, with its keys, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netspec.importer.lower.dead import made_by, read_by
from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.table import OpTable, WrongReading
from netspec.importer.program import SCAN, ForeignLoop, ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor, OpReading
from netspec.ops.registry import OPS


def gather_loops(program: ForeignProgram, table: OpTable) -> None:
    """Let each scan that is all that its module does have the module's other steps in its body."""
    for loop in [step.loop for step in program.steps if step.op == SCAN]:
        assert loop is not None
        begin = next(step for step in program.steps if step.loop is loop)
        if begin.scopes:
            gathered = _Gathering(program, table, loop)
            gathered.behind()
            gathered.before()
            if gathered.is_whole():
                program.steps[:] = gathered.steps()


class _Gathering:
    """Moves the steps of one module. ``inner`` has what the body has of each tensor of all iterations; ``first`` and
    ``last`` are the places of the scan's marks.
    """

    def __init__(self, program: ForeignProgram, table: OpTable, loop: ForeignLoop):
        self.program, self.table, self.loop = program, table, loop
        self.first, self.last = (at for at, step in enumerate(program.steps) if step.loop is loop)
        self.begin, self.end = program.steps[self.first], program.steps[self.last]
        self.home = self.begin.scopes[-1]
        begins, ends = reading(self.begin), reading(self.end)
        count = len(ends.inputs) - loop.states
        self.inner: dict[ForeignTensor | None, ForeignTensor | None] = {
            **dict(zip(begins.inputs[: loop.sequences], begins.outputs)),
            **dict(zip(ends.outputs[:count], ends.inputs)),
        }
        self.body = program.steps[self.first + 1 : self.last]
        self.readers: dict[ForeignTensor, list[ForeignStep]] = {}
        for step in program.steps:
            for tensor in read_by(step):
                self.readers.setdefault(tensor, []).append(step)
        self.at_once: dict[int, Sequence[bool]] = {}  # which inputs of a step are of all iterations
        self.moved: dict[int, ForeignStep] = {}

    def ours(self) -> Iterator[tuple[int, ForeignStep]]:
        """The module's own steps outside the body."""
        for at, step in enumerate(self.program.steps):
            outside = not self.first <= at <= self.last
            if outside and step.reading is not None and step.loop is None and self.home in step.scopes:
                yield at, step

    def before(self) -> None:
        """Find the steps before the loop that nothing but its body needs."""
        inside = {id(step) for step in self.body}
        outputs = {*self.program.outputs.values()}
        for _, step in reversed([each for each in self.ours() if each[0] < self.first]):
            made = made_by(step)
            roles = {self._role(tensor, reader) for tensor in made for reader in self.readers.get(tensor, [])}
            readers = [reader for tensor in made for reader in self.readers.get(tensor, [])]
            known = all(id(each) in inside or id(each) in self.moved or each is self.begin for each in readers)
            if not known or len(roles) != 1 or not outputs.isdisjoint(made) or "state" in roles:
                continue
            if "sequence" in roles:
                varying = self._at_once(step)
                if varying is None:
                    continue
                self.at_once[id(step)] = varying
            self.moved[id(step)] = step

    def _role(self, tensor: ForeignTensor, reader: ForeignStep) -> str:
        """Return how a step that may be in the body, or the mark at the beginning, reads a tensor."""
        inputs = reading(reader).inputs
        places = [at for at, each in enumerate(inputs) if each is tensor]
        if reader is self.begin:
            return "sequence" if all(at < self.loop.sequences for at in places) else "state"
        varying = self.at_once.get(id(reader))
        return "sequence" if varying is not None and all(varying[at] for at in places) else "fixed"

    def behind(self) -> None:
        """Find the steps behind the loop that read what it has collected, all iterations alike."""
        late = {tensor for step in self.program.steps[self.last :] for tensor in made_by(step)}
        known = {*self.inner} & {*reading(self.end).outputs}
        for _, step in [each for each in self.ours() if each[0] > self.last]:
            varying = self._at_once(step)
            read = reading(step).inputs
            if varying is None or known.isdisjoint(read):
                continue
            if any(each in late and not (each in known and many) for each, many in zip(read, varying)):
                continue
            self.at_once[id(step)] = varying
            self.moved[id(step)] = step
            known.update(made_by(step))

    def is_whole(self) -> bool:
        """Return whether something moves, and the module has nothing else with a key."""
        left = [step for _, step in self.ours() if id(step) not in self.moved]
        return bool(self.moved) and not any(reading(step).state for step in left)

    def _at_once(self, step: ForeignStep) -> Sequence[bool] | None:
        """Return which inputs of a step are of all iterations, where it does with them what it would do in each;
        ``None`` where it does not.
        """
        said = reading(step)
        ranks = [0 if each is None else len(each.shape) for each in said.inputs]
        rank = max(ranks, default=0)
        varying = [each == rank and rank > 0 for each in ranks]
        if rank == 0 or any(each == rank - 1 and each > 0 for each in ranks):
            return None
        if any(many and not self._is_whole_sequence(each) for each, many in zip(said.inputs, varying)):
            return None
        if any(each is None or not self._is_whole_sequence(each) for each in made_by(step)):
            return None
        return varying if self._alone(step, varying) is not None else None

    def _is_whole_sequence(self, tensor: ForeignTensor | None) -> bool:
        return tensor is not None and bool(tensor.shape) and tensor.shape[_axis(tensor)] == self.loop.length

    def _alone(self, step: ForeignStep, varying: Sequence[bool]) -> OpReading | None:
        """Return what a step does in one iteration, with new tensors; ``None`` where that is another thing."""
        said = reading(step)
        inputs = tuple(_one(each) if many and each is not None else each for each, many in zip(said.inputs, varying))
        outputs = tuple(None if each is None else _one(each) for each in said.outputs)
        rank = max(len(each.shape) for each, many in zip(inputs, varying) if many and each is not None)
        arguments = dict(said.arguments)
        if isinstance(dim := arguments.get("dim"), int) and dim >= 0:
            arguments["dim"] = dim - rank - 1
        kind = OPS[step.op]
        try:
            if not kind.model_validate(arguments).is_batched_over_leading_dims(rank):
                return None
            return self.table.proven(kind, OpReading(arguments, inputs, said.state, outputs))
        except WrongReading:
            return None

    def steps(self) -> list[ForeignStep]:
        """The program's steps, with those that move in the body."""
        rest = [step for step in self.program.steps if id(step) not in self.moved]
        at = next(at for at, step in enumerate(rest) if step.loop is self.loop)
        end = next(at for at, step in enumerate(rest) if step is self.end)
        early = [step for step in self.program.steps[: self.first] if id(step) in self.moved]
        late = [step for step in self.program.steps[self.last :] if id(step) in self.moved]
        inputs: dict[ForeignTensor, ForeignTensor] = {}
        made = [self._inside(step, inputs) for step in early]
        behind = [self._inside(step, inputs) for step in late]
        begin = self._begins(early, inputs)
        return [*rest[:at], begin, *made, *self.body, *behind, self._ends(late, rest[end + 1 :]), *rest[end + 1 :]]

    def _inside(self, step: ForeignStep, inputs: dict[ForeignTensor, ForeignTensor]) -> ForeignStep:
        """The step in the body; ``inputs`` gets one step of each sequence that it reads from outside."""
        varying = self.at_once.get(id(step))
        if varying is None:
            return step
        alone = self._alone(step, varying)
        assert alone is not None
        read: list[ForeignTensor | None] = []
        for each, many, fresh in zip(reading(step).inputs, varying, alone.inputs):
            if many and each is not None and self.inner.get(each) is None:
                assert fresh is not None
                self.inner[each] = inputs[each] = fresh
            read.append(self.inner[each] if many else each)
        outputs = []
        for whole, one in zip(reading(step).outputs, alone.outputs):
            if whole is not None:
                self.inner[whole] = self.inner.get(whole) or one
            outputs.append(self.inner.get(whole) if whole is not None else None)
        return replace(step, reading=alone._replace(inputs=tuple(read), outputs=tuple(outputs)))

    def _begins(self, early: Sequence[ForeignStep], inputs: dict[ForeignTensor, ForeignTensor]) -> ForeignStep:
        """The mark at the beginning."""
        said, count = reading(self.begin), self.loop.sequences
        made = {tensor for step in early for tensor in made_by(step)}
        pairs = [pair for pair in zip(said.inputs[:count], said.outputs) if pair[0] not in made]
        pairs += inputs.items()
        self.loop.sequences = len(pairs)
        wholes, elements = zip(*pairs)
        now = OpReading({}, (*wholes, *said.inputs[count:]), {}, (*elements, *said.outputs[count:]))
        return replace(self.begin, reading=now)

    def _ends(self, late: Sequence[ForeignStep], rest: Sequence[ForeignStep]) -> ForeignStep:
        """The mark at the end, which collects what is read behind it."""
        said, count = reading(self.end), len(reading(self.end).inputs) - self.loop.states
        read = {tensor for step in rest for tensor in read_by(step)} | {*self.program.outputs.values()}
        candidates = [*said.outputs[:count], *(tensor for step in late for tensor in made_by(step))]
        wholes = [each for each in candidates if each in read]
        inputs = (*(self.inner[each] for each in wholes), *said.inputs[count:])
        return replace(self.end, reading=OpReading({}, inputs, {}, (*wholes, *said.outputs[count:])))


def _axis(tensor: ForeignTensor) -> int:
    """The dimension that has the iterations, in a tensor of all."""
    return min(1, len(tensor.shape) - 1)


def _one(tensor: ForeignTensor) -> ForeignTensor:
    """A new tensor of one iteration."""
    axis = _axis(tensor)
    return ForeignTensor((*tensor.shape[:axis], *tensor.shape[axis + 1 :]), tensor.dtype)
