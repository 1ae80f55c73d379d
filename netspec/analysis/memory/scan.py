"""A scan: what it runs ahead, its iterations, what it runs behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, Union

from netspec.analysis.memory.backward import LevelBackward, ScanBackward
from netspec.analysis.memory.precision import bytes_of
from netspec.analysis.memory.record import Record
from netspec.analysis.memory.running import Iteration, Move, RunningLevel
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.analysis.scan_schedule import ScanSchedule
from netspec.dims import Size, total
from netspec.graph import Call, Step, Value, axis_of_time, over_time
from netspec.ops import Tensor
from netspec.ops.core.layout import shortened, strides_of

Values = Mapping[Value, Union[PlacedTensor, None]]


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
    """A run of a scan: what is ahead, one iteration for the first and one for all others, what is behind."""

    def __init__(self, walk: Walk, frame: RunningLevel, inputs: Sequence[PlacedTensor | None]):
        assert frame.level.loop is not None
        self.walk, self.frame = walk, frame
        self.loop, self.schedule = frame.level.loop, ScanSchedule(frame.level)
        self.whole: dict[Value, PlacedTensor | None] = dict(zip(self.schedule.sequences, inputs))
        self.moves: list[list[Move]] = []  # ahead, of the two iterations, behind

    def results(self) -> list[PlacedTensor | None]:
        """Run the scan; return its outputs: everything collected, then the last states."""
        walk, frame, schedule = self.walk, self.frame, self.schedule
        fixed = self.run_ahead()
        states = [fixed.get(value) for value in schedule.states]
        around, record, rest = frame.iteration, frame.record, self.loop.length - 1
        runs: list[Values] = []
        turns: tuple[tuple[Iteration, Size], ...] = ((around or "first", 1), ("later", rest))
        for iteration, times in turns:
            frame.record, frame.iteration = Record(), iteration
            frame.values = {**fixed, **{value: self.slice(value) for value in schedule.cut}}
            frame.values |= dict(zip(schedule.states, states))
            self.hold(schedule.cut)
            so_far = frame.live.begin_anew()
            walk.run(frame, walk.chosen(schedule.iteration), [*schedule.following, *schedule.kept])
            self.end_part()
            runs.append(frame.values)
            inside = frame.live.begin_anew()
            frame.live.compare(so_far)
            frame.live.compare(inside)
            states = [frame.values.get(value) for value in schedule.following]
            record.add_all(frame.record, times)
        first, last = runs
        others = self.others(first, last)
        between = total([*others.values(), (rest - 1) * frame.record.total])
        frame.live.grow(between)
        frame.live.compare(inside, between)
        frame.live.moment()
        frame.live.settle()
        frame.record, frame.iteration = record, around
        for value in schedule.kept:
            self.whole[value] = self.stack(first.get(value), last.get(value), others, stays=value in schedule.following)
        frame.values = {**fixed, **self.whole}
        walk.run(frame, walk.chosen(schedule.after), schedule.collected, self.all_iterations)
        self.end_part()
        self.whole |= {value: frame.values.get(value) for value in schedule.collected}
        return [*(self.whole[value] for value in schedule.collected), *states]

    def run_ahead(self) -> dict[Value, PlacedTensor | None]:
        """Run what runs once, and what runs for all iterations at once; return the values that all iterations read."""
        walk, frame, schedule = self.walk, self.frame, self.schedule
        walk.run(frame, walk.chosen(schedule.ahead), [value for step in schedule.ahead for value in step.outputs])
        for call in schedule.prepared:
            walk.prepare(frame, call)
        fixed = dict(frame.values)
        frame.values = {**fixed, **self.whole}
        walk.run(frame, walk.chosen(schedule.before), [*schedule.cut, *schedule.collected], self.all_iterations)
        self.end_part()
        self.whole |= {value: frame.values.get(value) for step in schedule.before for value in step.outputs}
        return fixed

    def end_part(self) -> None:
        """Set the moves apart that have been made since the last part."""
        self.moves.append(self.frame.moves)
        self.frame.moves = []

    def go_back(self, walk: LevelBackward) -> None:
        """Go back through the scan."""
        frame = self.frame
        whole = {value: placed.size for value, placed in self.whole.items() if placed is not None and placed.needs}
        copies = () if frame.iteration else frame.copies
        ScanBackward(self.schedule, self.loop.length - 1, whole, copies, *self.moves).run(walk)

    def others(self, first: Values, last: Values) -> dict[Storage, Size]:
        """Return the bytes of what other iterations leave than those that are run, until each is one tensor.

        It is by the storage of the last, and without what is kept.
        """
        frame, found = self.frame, dict[Storage, Size]()
        for value in self.schedule.kept:
            one, other = first.get(value), last.get(value)
            if one is None or other is None or one.home is other.home or one.home.kept:
                continue
            there = one.home in frame.own or one.home in frame.live.values
            found[other.home] = (self.loop.length - 1 - there) * other.home.size
        return found

    def all_iterations(self, tensor: Tensor) -> Tensor:
        """Return the tensor that holds one of every iteration."""
        return over_time(tensor, self.loop.length)

    def slice(self, value: Value) -> PlacedTensor | None:
        """One iteration's part of what is there for all of them."""
        placed = self.whole.get(value)
        if placed is None:
            return None
        axis = axis_of_time(value.shape)
        steps = strides_of(placed.tensor.shape, placed.strides)
        strides = shortened(value.shape, (*steps[:axis], *steps[axis + 1 :]))
        tensor = Tensor(value.shape, placed.tensor.dtype)
        return PlacedTensor(tensor, bytes_of(tensor), placed.home, strides, placed.needs)

    def hold(self, values: Iterable[Value]) -> None:
        """Keep what is there for all iterations from being let go of by one that reads it last."""
        for value in values:
            placed = self.frame.values[value]
            if placed is not None and placed.home not in self.frame.own:
                self.frame.live.add(placed.home)

    def stack(
        self, first: PlacedTensor | None, last: PlacedTensor | None, others: dict[Storage, Size], stays: bool
    ) -> PlacedTensor | None:
        """All iterations' values in one tensor; until it is made, each has its own, of which the last may stay."""
        if first is None or last is None:
            return None
        live, tensor = self.frame.live, self.all_iterations(last.tensor)
        size = bytes_of(tensor)
        whole = Storage(size)
        live.add(whole)
        live.moment()
        live.shrink(others.pop(last.home, 0))
        if first.home is not last.home:
            live.drop(first.home)
            if not stays:
                live.drop(last.home)
        return PlacedTensor(tensor, size, whole, None, last.needs)
