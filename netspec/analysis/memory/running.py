"""A level as it runs: its values, what is alive, the largest moments."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from operator import attrgetter
from typing import Literal, NamedTuple, Union

from netspec.analysis.memory.record import Record
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.dataclass import dataclass
from netspec.dims import Size, total
from netspec.graph import Call, Level, Value


class Peak:
    """The largest of several sizes: its ``number``, and its formula, which is added up when it is asked for.

    The formula is the sum of ``parts``, of the formulas of ``peaks``, and less the sum of ``gone``.
    """

    def __init__(
        self, number: int = 0, parts: Sequence[Size] = (), gone: Sequence[Size] = (), peaks: Sequence[Peak] = ()
    ):
        self.number = number
        self._parts, self._gone, self._peaks = parts, gone, peaks

    @cached_property
    def size(self) -> Size:
        """The formula, in bytes."""
        made = total([*self._parts, *(peak.size for peak in self._peaks)])
        return made - total(self._gone) if self._gone else made


NONE = Peak()
NUMBER = attrgetter("number")
"""The number of a peak, by which peaks are compared."""


def sum_of(*peaks: Peak) -> Peak:
    """Return a peak that is there as several ones are at once."""
    return Peak(sum(peak.number for peak in peaks), peaks=peaks)


Iteration = Literal["", "first", "later"]
"""An iteration of a scan, the first one or one that stands for all others; none outside of scans."""


class Move(NamedTuple):
    """One step of a level as the backward pass meets it.

    ``inputs`` are the values that gradients flow to, each with the bytes of its gradient, ``None`` where that lies in
    the output's; ``outputs`` are those that they come from. ``kept`` is let go of behind the step, ``weights`` are the
    gradients of its parameters, which the step ``module`` owns. ``besides`` is what is there for a moment, all that it
    makes; ``behind`` the same when it has let go, as gradients are cast or added; of a level (``inside``) it is all
    that its own backward pass has. ``adding`` takes its place where the gradients of its parameters are there already.
    """

    inputs: Sequence[tuple[Hashable, Size | None]]
    outputs: Sequence[tuple[Hashable, Size]]
    kept: Size
    weights: Size
    module: str
    besides: Peak
    behind: Peak
    adding: Peak
    inside: bool = False

    def within(self, call: Call, names: Mapping[Hashable, Hashable]) -> Move:
        """Return the move as one of the level around the ``call`` of its own, which has ``names`` for some values."""
        inputs = [(names.get(value, (call, value)), size) for value, size in self.inputs]
        outputs = [(names.get(value, (call, value)), size) for value, size in self.outputs]
        return self._replace(inputs=inputs, outputs=outputs, module=f"{call.shares or call.name}.{self.module}")


@dataclass(eq=False, slots=True)
class LevelSummary:
    """One run of a level, for all places where its inputs are alike.

    ``kept`` are all bytes of its ``record``, ``touched`` the inputs (by the first that shares their memory) that it
    keeps, ``peak`` the most that it has alive at once beside its inputs, in training with all that is kept, and
    ``last_kept`` the same up to the last value that is kept, where a run that is for the backward pass alone ends;
    ``backward`` is the same of the backward pass, with the gradients of its parameters, of ``weights`` bytes, and
    ``adding`` without them, where they are there already, from later iterations; ``transient`` the most that a single
    step has there beside gradients of parameters; ``cached`` are the copies of weights that autocast holds until the
    network has run, and that are not among the kept ones, ``copies`` the gradients of those that iterations share. An
    output lies in an input (a number) or in memory that the level made (a ``Storage``).
    """

    record: Record
    kept: Size
    touched: list[int]
    outputs: list[tuple[PlacedTensor, Union[int, Storage]] | None]
    peak: Peak
    last_kept: Peak
    backward: Peak
    adding: Peak
    transient: Peak
    weights: Size
    cached: Size
    copies: Sequence[Size]


class Moment(NamedTuple):
    """A moment of a run: its ``number`` of bytes, the storages ``alive``, how many sizes had ``grown`` and ``gone``."""

    number: int = 0
    alive: tuple[Storage, ...] = ()
    grown: int = 0
    gone: int = 0
    besides: Peak = NONE


class LiveStorages:
    """The storages that are alive as a level runs, by the values that lie in them, and their largest sum so far.

    Sums are of numbers; of the largest it is known what was there, for its formula.
    """

    def __init__(self, number: Callable[[Size], int]):
        self.number = number
        self.values: dict[Storage, int] = {}
        self.now = 0
        self.grown: list[Size] = []
        self.gone: list[Size] = []
        self._most = Moment()
        self._most_kept = self._most

    def add(self, storage: Storage) -> None:
        """Count a storage as alive, once more if it is. What is kept is alive already."""
        if storage.kept:
            return
        count = self.values.get(storage, 0)
        if not count:
            self.now += self.number(storage.size)
        self.values[storage] = count + 1

    def drop(self, storage: Storage) -> None:
        """Count a storage as alive once less; it is gone at zero."""
        count = self.values.get(storage, 0)
        if count > 1:
            self.values[storage] = count - 1
        elif count:
            self.forget(storage)

    def forget(self, storage: Storage) -> None:
        """Count a storage as alive no longer."""
        if self.values.pop(storage, 0):
            self.now -= self.number(storage.size)

    def keep(self, storage: Storage) -> None:
        """Count a storage as alive for good."""
        self.forget(storage)
        self.grow(storage.size)

    def grow(self, size: Size) -> None:
        """Count so many bytes as alive, for good."""
        if size != 0:
            self.now += self.number(size)
            self.grown.append(size)

    def shrink(self, size: Size) -> None:
        """Count so many bytes as alive no longer."""
        if size != 0:
            self.now -= self.number(size)
            self.gone.append(size)

    def moment(self, besides: Peak = NONE) -> None:
        """Compare what is alive now, and ``besides``, with the peak."""
        number = self.now + besides.number
        if number > self._most.number:
            self._most = Moment(number, (*self.values,), len(self.grown), len(self.gone), besides)

    def begin_anew(self) -> Moment:
        """Look for the largest moment anew; return that so far."""
        most, self._most = self._most, Moment()
        return most

    def compare(self, moment: Moment, more: Size = 0) -> None:
        """Compare a moment, with so many bytes ``more``, with the largest."""
        number = moment.number + self.number(more)
        if number > self._most.number:
            besides = Peak(number - moment.number + moment.besides.number, (more,), peaks=(moment.besides,))
            self._most = moment._replace(number=number, besides=besides)

    def settle(self) -> None:
        """Note the peak so far as that of what ends with the last value that is kept."""
        self._most_kept = self._most

    @property
    def peak(self) -> Peak:
        """The largest moment so far."""
        return self._peak_at(self._most)

    @property
    def last_kept(self) -> Peak:
        """The largest moment up to the last value that is kept."""
        return self._peak_at(self._most_kept)

    def _peak_at(self, moment: Moment) -> Peak:
        parts = [*(storage.size for storage in moment.alive), *self.grown[: moment.grown]]
        return Peak(moment.number, parts, self.gone[: moment.gone], (moment.besides,))


@dataclass(eq=False, slots=True)
class RunningLevel:
    """A level as it runs: its values, what is kept, what is alive. ``own`` are the storages of its inputs.

    ``moves`` are its steps as the backward pass meets them, ``weights`` the gradients of their parameters, by step.
    In a later ``iteration`` autocast has its copies of the weights; ``copies`` are their gradients. ``discards``:
    nothing in it is kept, as the backward pass runs it again; ``cached`` are the bytes that autocast holds all the
    same, until the network has run.
    """

    level: Level
    values: dict[Value, PlacedTensor | None]
    live: LiveStorages
    own: frozenset[Storage]
    record: Record = field(default_factory=Record)
    transient: Peak = NONE
    moves: list[Move] = field(default_factory=list)
    weights: dict[str, Size] = field(default_factory=dict)
    prepared: dict[Call, RunningLevel] = field(default_factory=dict)
    frozen: bool = False
    iteration: Iteration = ""
    discards: bool = False
    cached: Size = 0
    copies: list[Size] = field(default_factory=list)

    def hold(self, kept: Size, cached: Size) -> None:
        """Count what a level has kept as alive, and what autocast holds of it."""
        self.live.grow(kept)
        self.live.grow(cached)
        if cached != 0:
            self.cached = self.cached + cached

    def beside(self, call: Call, values: dict[Value, PlacedTensor | None]) -> RunningLevel:
        """A frame for a level that runs as a part of this one."""
        frozen = self.frozen or call.frozen
        return RunningLevel(
            call.body, values, self.live, self.own, frozen=frozen, iteration=self.iteration, discards=self.discards
        )

    def adopt(self, call: Call, inner: RunningLevel) -> None:
        """Take over what the backward pass meets of a level that has run as a part of this one."""
        names: dict[Hashable, Hashable] = dict(zip(call.body.inputs, call.inputs))
        names.update(zip(call.body.outputs, call.outputs))
        self.moves += [move.within(call, names) for move in inner.moves]
        self.copies += inner.copies
        self.cached = self.cached + inner.cached
