"""A level as it runs: its values, what is alive, the largest moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import NamedTuple, Union

from netspec.analysis.memory.record import Record
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.dataclass import dataclass
from netspec.dims import Size
from netspec.graph import Call, Level, Value


class Peak(NamedTuple):
    """The largest of several sizes: its number, and its formula."""

    number: int = 0
    size: Size = 0


NONE = Peak()


@dataclass(eq=False, slots=True)
class LevelSummary:
    """One run of a level, for all places where its inputs are alike.

    ``touched`` are the inputs (by the first that shares their memory) that it keeps, ``peak`` the most that it has
    alive at once beside its inputs, ``transient`` the gradients of one step. An output lies in an input (a number) or
    in memory that the level made (a ``Storage``).
    """

    record: Record
    touched: list[int]
    outputs: list[tuple[PlacedTensor, Union[int, Storage]] | None]
    peak: Peak
    transient: Peak


class LiveStorages:
    """The storages that are alive as a level runs, by the values that lie in them, and their largest sum so far."""

    def __init__(self, number: Callable[[Size], int]):
        self.number = number
        self.values: dict[Storage, int] = {}
        self.now = 0
        self.size: Size = 0
        self.peak = NONE

    def add(self, storage: Storage) -> None:
        """Count a storage as alive, once more if it is."""
        if storage not in self.values:
            self.values[storage] = 0
            self.now += self.number(storage.size)
            self.size = self.size + storage.size
        self.values[storage] += 1

    def drop(self, storage: Storage) -> None:
        """Count a storage as alive once less; it is gone at zero."""
        if storage in self.values:
            self.values[storage] -= 1
            if not self.values[storage]:
                del self.values[storage]
                self.now -= self.number(storage.size)
                self.size = self.size - storage.size

    def moment(self, besides: Peak = NONE) -> None:
        """Compare what is alive now, and ``besides``, with the peak."""
        if self.now + besides.number > self.peak.number:
            self.peak = Peak(self.now + besides.number, self.size + besides.size)


@dataclass(eq=False, slots=True)
class RunningLevel:
    """A level as it runs: its values, what is kept, what is alive. ``own`` are the storages of its inputs."""

    level: Level
    values: dict[Value, PlacedTensor | None]
    live: LiveStorages
    own: frozenset[Storage]
    record: Record = field(default_factory=Record)
    transient: Peak = NONE
    prepared: dict[Call, RunningLevel] = field(default_factory=dict)
    frozen: bool = False

    def beside(self, call: Call, values: dict[Value, PlacedTensor | None]) -> RunningLevel:
        """A frame for a level that runs as a part of this one."""
        return RunningLevel(call.body, values, self.live, self.own, frozen=self.frozen or call.frozen)
