"""The schedule of a scan, and of the levels that its iterations run: one reading of the phases for source and
ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from netspec.dataclass import dataclass
from netspec.graph import Call, Level, Phase, Step, Value


@dataclass(frozen=True)
class LevelSchedule:
    """A level by phase. A step of no phase that reads nothing (a parameter) is in every part that needs it."""

    level: Level

    def steps(self, phase: Phase | None) -> list[Step]:
        """The steps of a phase; ``None`` is the iteration itself."""
        level = self.level
        free = {step for step in level.steps if not step.inputs and step not in level.phases}
        chosen = {step for step in level.steps if level.phases.get(step) == phase} - free
        read = {value for step in chosen for value in self.reads(step, phase)}
        if phase is None:
            read.update(level.outputs)
        chosen.update(step for step in free if not read.isdisjoint(step.outputs))
        return [step for step in level.steps if step in chosen]

    def reads(self, step: Step, phase: Phase | None) -> list[Value]:
        """Return what a step reads; in the iteration, a prepared level does without what only its first part reads."""
        if phase is None and isinstance(step, Call) and step.body.is_prepared:
            return [step.inputs[position] for position in LevelSchedule(step.body).late_inputs]
        return [*step.inputs]

    @cached_property
    def ahead(self) -> list[Step]:
        """The steps that run once, ahead of the scan."""
        return self.steps("hoisted")

    @cached_property
    def iteration(self) -> list[Step]:
        """The steps that run in every iteration."""
        return self.steps(None)

    @cached_property
    def prepared(self) -> list[Call]:
        """The calls of the iteration that have something to run ahead."""
        return [step for step in self.iteration if isinstance(step, Call) and step.body.is_prepared]

    @cached_property
    def handed_on(self) -> list[Value]:
        """The values that are made ahead and read in the iteration."""
        made = {value for step in self.ahead if step in self.level.phases for value in step.outputs}
        read = {value for step in self.iteration for value in self.reads(step, None)} | {*self.level.outputs}
        return [value for step in self.ahead for value in step.outputs if value in made & read]

    @cached_property
    def early_inputs(self) -> list[int]:
        """The positions of the inputs that the first part reads."""
        read = {value for step in self.ahead for value in step.inputs}
        for call in self.prepared:
            read.update(call.inputs[position] for position in LevelSchedule(call.body).early_inputs)
        return [position for position, value in enumerate(self.level.inputs) if value in read]

    @cached_property
    def late_inputs(self) -> list[int]:
        """The positions of the inputs that the iteration reads."""
        read = {value for step in self.iteration for value in self.reads(step, None)} | {*self.level.outputs}
        return [position for position, value in enumerate(self.level.inputs) if value in read]


class ScanSchedule(LevelSchedule):
    """The parts of a scan's own body."""

    @cached_property
    def before(self) -> list[Step]:
        """The steps that run for all iterations at once, ahead of the loop."""
        return self.steps("before")

    @cached_property
    def after(self) -> list[Step]:
        """The steps that run for all iterations at once, behind the loop."""
        return self.steps("after")

    @cached_property
    def sequences(self) -> tuple[Value, ...]:
        """One step of each sequence, as the body reads it."""
        assert self.level.loop is not None
        return self.level.inputs[: self.level.loop.sequences]

    @cached_property
    def states(self) -> tuple[Value, ...]:
        """The states, as the body reads them."""
        assert self.level.loop is not None
        return self.level.inputs[self.level.loop.sequences :][: self.level.loop.states]

    @cached_property
    def following(self) -> tuple[Value, ...]:
        """The states' next values."""
        return self.level.outputs[len(self.collected) :]

    @cached_property
    def collected(self) -> tuple[Value, ...]:
        """The results of an iteration that are collected."""
        assert self.level.loop is not None
        return self.level.outputs[: len(self.level.outputs) - self.level.loop.states]

    @cached_property
    def whole(self) -> frozenset[Value]:
        """The values that are there for all iterations at once, before the first."""
        made = (value for step in self.before for value in step.outputs)
        return frozenset((*self.sequences, *made))

    @cached_property
    def cut(self) -> list[Value]:
        """The values that are there for all iterations and read in each: they are cut into steps."""
        read = {value for step in self.iteration for value in self.reads(step, None)} | {*self.following}
        made = (value for step in self.before for value in step.outputs)
        return [value for value in (*self.sequences, *made) if value in read]

    @cached_property
    def kept(self) -> list[Value]:
        """The values that each iteration leaves: results that are collected, and inputs of the steps after the loop."""
        late = {value for step in self.after for value in step.outputs}
        fixed = {*self.level.inputs[len(self.sequences) + len(self.states) :]}
        fixed.update(value for step in self.ahead for value in step.outputs)
        wanted = [value for value in self.collected if value not in late]
        wanted += [value for step in self.after for value in step.inputs if value not in late and value not in fixed]
        return [value for value in dict.fromkeys(wanted) if value not in self.whole]


def prepared_values(level: Level) -> Iterator[tuple[tuple[Call, ...], Value]]:
    """Yield the values that a level prepares ahead for its iteration, each with the calls on the way to it."""
    schedule = LevelSchedule(level)
    yield from (((), value) for value in schedule.handed_on)
    for call in schedule.prepared:
        yield from (((call, *inner), value) for inner, value in prepared_values(call.body))
