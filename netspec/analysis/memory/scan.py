"""A scan: what it runs ahead, its iterations, what it runs behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from netspec.analysis.memory.precision import bytes_of
from netspec.analysis.memory.record import Record
from netspec.analysis.memory.running import NONE, Peak, RunningLevel
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.analysis.scan_schedule import ScanSchedule
from netspec.dims import Size, total
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
    """A run of a scan: what is ahead, one iteration for the first and one for each of the others, what is behind.

    ``casts``: autocast gives the iterations copies of the weights, in half as many bytes.
    """

    def __init__(self, walk: Walk, frame: RunningLevel, inputs: Sequence[PlacedTensor | None], casts: bool):
        assert frame.level.loop is not None
        self.walk, self.frame, self.given, self.casts = walk, frame, inputs, casts
        self.loop, self.schedule = frame.level.loop, ScanSchedule(frame.level)
        self.transients: tuple[Size, ...] = ()  # the gradients that are there for a moment
        self.whole: dict[Value, PlacedTensor | None] = dict(zip(self.schedule.sequences, inputs))

    def results(self) -> list[PlacedTensor | None]:
        """Run the scan; return its outputs: everything collected, then the last states."""
        walk, frame, schedule = self.walk, self.frame, self.schedule
        walk.run(frame, walk.chosen(schedule.ahead), [value for step in schedule.ahead for value in step.outputs])
        for call in schedule.prepared:
            walk.prepare(frame, call)
        fixed = dict(frame.values)
        frame.values = {**fixed, **self.whole}
        walk.run(frame, walk.chosen(schedule.before), [*schedule.cut, *schedule.collected], self.all_iterations)
        outside, frame.transient = frame.transient, NONE
        self.whole |= {value: frame.values.get(value) for step in schedule.before for value in step.outputs}
        states = [fixed.get(value) for value in schedule.states]
        rest = self.loop.length - 1
        record = frame.record
        parts: dict[Value, Storage] = {}  # what each iteration leaves, until it is one tensor
        for again, times in ((False, 1), (True, rest)):
            frame.record = Record()
            frame.again = frame.again or again
            frame.values = {**fixed, **{value: self.slice(value) for value in schedule.cut}}
            frame.values |= dict(zip(schedule.states, states))
            self.hold(schedule.cut)
            walk.run(frame, walk.chosen(schedule.iteration), [*schedule.following, *schedule.kept])
            if not parts:
                kept = ((value, frame.values.get(value)) for value in schedule.kept)
                parts = {
                    value: Storage(bytes_of(self.all_iterations(placed.tensor))) for value, placed in kept if placed
                }
                for storage in parts.values():
                    frame.live.add(storage)
            record.add_all(frame.record, times)
            if again:  # the second iteration stands for all the others
                frame.live.grow((rest - 1) * frame.record.total)
                frame.live.moment()
                frame.live.settle()
            states = [frame.values.get(value) for value in schedule.following]
        frame.record = record
        stacked = {value: self.stack(frame.values.get(value), parts.get(value)) for value in schedule.kept}
        frame.values = {**fixed, **self.whole, **stacked}
        inside, frame.transient = frame.transient, outside
        walk.run(frame, walk.chosen(schedule.after), schedule.collected, self.all_iterations)
        self.transients = (frame.transient.size, self.in_loop(inside.size, stacked))
        frame.transient = max(frame.transient, inside, key=lambda peak: peak.number)
        return [*(frame.values.get(value) for value in schedule.collected), *states]

    def in_loop(self, step: Size, stacked: Mapping[Value, PlacedTensor | None]) -> Size:
        """Return the gradients that are there as the backward pass is in the loop.

        Those of a single ``step``, of all parameters, of what the iterations leave, and of what they are given.
        """
        whole = [placed for placed in (*stacked.values(), *self.given) if placed is not None and placed.needs]
        weights = self.frame.weights
        # An iteration's own and the sum, made anew; of copies they take the room of the weights' own, which come last.
        added = 0 if self.casts else 2 * max(weights.values(), key=self.frame.live.number, default=0)
        return step + total(weights.values()) + added + total(placed.size for placed in whole)

    def backward(self, kept: Size, number: Callable[[Size], int]) -> Peak:
        """Return the most that is there in the backward pass: all that is kept, with gradients in the loop or around
        it.
        """
        sizes = [kept + size for size in self.transients]
        return max((Peak(number(size), (size,)) for size in sizes), key=lambda peak: peak.number)

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

    def stack(self, placed: PlacedTensor | None, parts: Storage | None) -> PlacedTensor | None:
        """All iterations' values in one tensor; until it is made, each has its own, the ``parts``."""
        if placed is None or parts is None:
            return None
        tensor = self.all_iterations(placed.tensor)
        size = bytes_of(tensor)
        whole = Storage(size)
        live = self.frame.live
        live.add(whole)
        live.moment()
        live.drop(parts)
        return PlacedTensor(tensor, size, whole, None, placed.needs)
