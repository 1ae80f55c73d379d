"""A scan: what it runs ahead, its iterations, what it runs behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from netspec.analysis.memory.precision import bytes_of
from netspec.analysis.memory.record import Record
from netspec.analysis.memory.running import RunningLevel
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.analysis.scan_schedule import Turns
from netspec.graph import Call, Step, Value, axis_of_time, over_time
from netspec.ops import Tensor
from netspec.ops.core.layout import shortened, strides_of


class Walk(Protocol):
    """The forward pass that a scan is a part of."""

    def chosen(self, steps: Iterable[Step]) -> list[Step]:
        """Return the steps that run."""

    def prepare(self, frame: RunningLevel, call: Call) -> None:
        """Run ahead what a level has to run ahead."""

    def run(
        self,
        frame: RunningLevel,
        steps: Sequence[Step],
        ends: Iterable[Value],
        known_as: Callable[[Tensor], Tensor] = ...,
    ) -> None:
        """Run steps of a level."""


class ScanPass:
    """A run of a scan: what is ahead, one turn for the first and one for each of the others, what is behind."""

    def __init__(self, walk: Walk, frame: RunningLevel, given: Sequence[PlacedTensor | None]):
        assert frame.level.loop is not None
        self.walk, self.frame, self.given = walk, frame, given
        self.loop, self.turns = frame.level.loop, Turns(frame.level)
        self.whole: dict[Value, PlacedTensor | None] = dict(zip(self.turns.sequences, given))

    def results(self) -> list[PlacedTensor | None]:
        walk, frame, turns = self.walk, self.frame, self.turns
        walk.run(frame, walk.chosen(turns.ahead), [value for step in turns.ahead for value in step.outputs])
        for call in turns.prepared:
            walk.prepare(frame, call)
        fixed = dict(frame.values)
        frame.values = {**fixed, **self.whole}
        walk.run(frame, walk.chosen(turns.before), [*turns.cut, *turns.collected], self.all_turns)
        self.whole |= {value: frame.values.get(value) for step in turns.before for value in step.outputs}
        states = [fixed.get(value) for value in turns.states]
        rest = self.loop.length - 1
        record = frame.record
        parts: dict[Value, Storage] = {}  # what each turn leaves, until it is one tensor
        for times in (1, rest):
            frame.record = Record()
            frame.values = {**fixed, **{value: self.slice(value) for value in turns.cut}}
            frame.values |= dict(zip(turns.states, states))
            self.hold(turns.cut)
            walk.run(frame, walk.chosen(turns.turn), [*turns.following, *turns.kept])
            if not parts:
                kept = ((value, frame.values.get(value)) for value in turns.kept)
                parts = {value: Storage(bytes_of(self.all_turns(placed.tensor))) for value, placed in kept if placed}
                for storage in parts.values():
                    frame.live.add(storage)
            record.add_all(frame.record, times)
            states = [frame.values.get(value) for value in turns.following]
        frame.record = record
        stacked = {value: self.stack(frame.values.get(value), parts.get(value)) for value in turns.kept}
        frame.values = {**fixed, **self.whole, **stacked}
        walk.run(frame, walk.chosen(turns.after), turns.collected, self.all_turns)
        return [*(frame.values.get(value) for value in turns.collected), *states]

    def all_turns(self, tensor: Tensor) -> Tensor:
        return over_time(tensor, self.loop.length)

    def slice(self, value: Value) -> PlacedTensor | None:
        """One turn's part of what is there for all of them."""
        placed = self.whole.get(value)
        if placed is None:
            return None
        axis = axis_of_time(value.shape)
        steps = strides_of(placed.tensor.shape, placed.strides)
        strides = shortened(value.shape, (*steps[:axis], *steps[axis + 1 :]))
        return PlacedTensor(Tensor(value.shape, placed.tensor.dtype), placed.home, strides, placed.needs)

    def hold(self, values: Iterable[Value]) -> None:
        """Keep what is there for all turns from being let go of by one that reads it last."""
        for value in values:
            placed = self.frame.values[value]
            if placed is not None and placed.home not in self.frame.own:
                self.frame.live.add(placed.home)

    def stack(self, placed: PlacedTensor | None, parts: Storage | None) -> PlacedTensor | None:
        """All turns' values in one tensor; until it is made, each has its own, the ``parts``."""
        if placed is None or parts is None:
            return None
        tensor = self.all_turns(placed.tensor)
        whole = Storage(bytes_of(tensor))
        live = self.frame.live
        live.add(whole)
        live.moment()
        live.drop(parts)
        return PlacedTensor(tensor, whole, None, placed.needs)
