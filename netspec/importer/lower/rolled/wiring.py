"""The reads of the copies of a loop's body: each other's states, steps of sequences, and what is the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise
from typing import NamedTuple, Union

import numpy as np

from netspec.dataclass import dataclass
from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.rolled.runs import StepRun
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.registry import OPS

Place = tuple[int, int]
"""A value that a body makes: the output of a step of it, by their numbers."""


class SequenceRead(NamedTuple):
    """Steps of a tensor along a dimension: from ``first`` on, onwards (``way`` is 1) or backwards (-1)."""

    whole: ForeignTensor
    dim: int
    first: int
    way: int
    width: int = 0

    @property
    def is_slice(self) -> bool:
        """Return whether the body reads slices of width 1, which keep the dimension."""
        return self.width == 1


class StateRead(NamedTuple):
    """A value that the copy before has made, in the first copy ``first``."""

    first: ForeignTensor
    place: Place


class OwnRead(NamedTuple):
    """A value that another step of the same copy makes."""

    place: Place


BodyRead = Union[SequenceRead, StateRead, OwnRead, ForeignTensor, None]


@dataclass(eq=False)
class LoopWiring:
    """The reads of a body: by step and input; ``elements`` are its steps that do nothing but read a sequence."""

    run: StepRun
    reads: dict[Place, BodyRead] = field(default_factory=dict)
    elements: dict[int, SequenceRead] = field(default_factory=dict)

    @property
    def body(self) -> list[int]:
        """The numbers of the steps that the body keeps."""
        return [at for at in range(self.run.width) if at not in self.elements]


class NoLoop(Exception):
    """The copies do not read as those of a loop do."""


def wiring_of(steps: Sequence[ForeignStep], run: StepRun) -> LoopWiring:
    """Return how the copies of a run are wired. Raises ``NoLoop``."""
    return _Wiring(steps, run).found()


class _Wiring:
    def __init__(self, steps: Sequence[ForeignStep], run: StepRun):
        self.steps, self.run = steps, run
        self.makers: dict[ForeignTensor, tuple[int, int, int]] = {}
        for copy in range(run.total):
            for at in range(run.width):
                place = run.place(copy, at)
                if place is not None:
                    for port, tensor in enumerate(reading(steps[place]).outputs):
                        if tensor is not None:
                            self.makers[tensor] = copy, at, port
        self.outside: dict[ForeignTensor, tuple[ForeignStep, int]] = {
            tensor: (step, port)
            for step in steps[: run.start]
            if step.op in ("unbind", "select") and step.reading is not None
            for port, tensor in enumerate(step.reading.outputs)
            if tensor is not None
        }

    def found(self) -> LoopWiring:
        made = LoopWiring(self.run)
        for at in range(self.run.width):
            copies = [None if place is None else self.steps[place] for place in self._places(at)]
            element = self._element(copies)
            if element is not None:
                made.elements[at] = element
                continue
            for port in range(len(reading(self.steps[self.run.start + at]).inputs)):
                column = [None if step is None else (reading(step).inputs[port],) for step in copies]
                made.reads[at, port] = self._read([each for each in column if each is not None], column)
        return made

    def _places(self, at: int) -> list[int | None]:
        return [self.run.place(copy, at) for copy in range(self.run.total)]

    def _element(self, copies: Sequence[ForeignStep | None]) -> SequenceRead | None:
        """Return the sequence that a step of the body reads one step of. Raises ``NoLoop`` if it reads otherwise."""
        there = [step for step in copies if step is not None]
        if there[0].op not in ("select", "slice"):
            return None
        said = [reading(step).arguments for step in there]
        if all(each == said[0] for each in said):
            return None
        whole = reading(there[0]).inputs[0]
        if whole is None or whole in self.makers or any(reading(step).inputs[0] is not whole for step in there):
            raise NoLoop
        dim = said_dim(there[0])
        size = whole.shape[dim]
        if not isinstance(size, int):
            raise NoLoop
        if there[0].op == "select":
            return _evenly(whole, dim, [each["index"] % size for each in said])
        bounds = [(each.get("start", 0) % size, each.get("end", size) or size) for each in said]
        bounds = [(start, end if end > 0 else end + size) for start, end in bounds]
        if any(end - start != 1 for start, end in bounds):
            raise NoLoop
        return _evenly(whole, dim, [start for start, _ in bounds])._replace(width=1)

    def _read(self, column: list[tuple[ForeignTensor | None]], whole: Sequence[object]) -> BodyRead:
        """Return what a step's input is, from what each copy reads; a copy that lacks the step does not matter."""
        tensors = [each for (each,) in column]
        if whole[0] is None:
            raise NoLoop
        first = tensors[0]
        if all(each is first for each in tensors):
            if first is not None and first in self.makers:
                raise NoLoop
            return first
        known = [each for each in tensors if each is not None]
        if len(known) < len(tensors):
            raise NoLoop
        makers = [self.makers.get(each) for each in known]
        numbers = [copy for copy, each in enumerate(whole) if each is not None]
        if all(maker is not None and maker[0] == copy for maker, copy in zip(makers, numbers)):
            return OwnRead(_one({maker[1:] for maker in makers if maker is not None}))
        behind = [(maker, copy) for maker, copy in zip(makers, numbers) if copy > 0]
        if makers[0] is None and all(maker is not None and maker[0] == copy - 1 for maker, copy in behind):
            return StateRead(known[0], _one({maker[1:] for maker, _ in behind if maker is not None}))
        if any(maker is not None for maker in makers):
            raise NoLoop
        return self._outer(known)

    def _outer(self, tensors: list[ForeignTensor]) -> BodyRead:
        """Return the sequence that the copies read, of which something has made steps before the loop."""
        made = [self.outside.get(each) for each in tensors]
        sources = [(reading(each[0]).inputs[0], each[0].op) for each in made if each is not None]
        if len(sources) == len(tensors) and all(source == sources[0] for source in sources):
            whole, op = sources[0]
            cuts = [each[0] for each in made if each is not None]
            dim = said_dim(cuts[0])
            assert whole is not None
            size = whole.shape[dim]
            if isinstance(size, int) and all(said_dim(each) == dim for each in cuts):
                ports = [each[1] for each in made if each is not None]
                places = ports if op == "unbind" else [reading(each).arguments["index"] % size for each in cuts]
                return _evenly(whole, dim % len(whole.shape), places)
        return _constants(tensors)


def said_dim(step: ForeignStep) -> int:
    """Return the dimension that a step works along."""
    dim: int = reading(step).arguments.get("dim", OPS[step.op].model_fields["dim"].default)
    return dim


def _constants(tensors: list[ForeignTensor]) -> SequenceRead:
    """Return constants, one for each copy, as a sequence."""
    first = tensors[0]
    alike = all(
        each.constant is not None and not each.key and each.shape == first.shape and each.dtype == first.dtype
        for each in tensors
    )
    if not alike:
        raise NoLoop
    axis = min(1, len(first.shape))
    values = np.stack([each.constant for each in tensors], axis)
    return SequenceRead(ForeignTensor(values.shape, first.dtype, constant=values), axis, 0, 1)


def _one(places: set[Place]) -> Place:
    if len(places) != 1:
        raise NoLoop
    return places.pop()


def _evenly(whole: ForeignTensor, dim: int, places: Sequence[int]) -> SequenceRead:
    """Return the steps of a sequence in these places, which follow each other. Raises ``NoLoop`` if they do not."""
    ways = {later - earlier for earlier, later in pairwise(places)}
    if ways not in ({1}, {-1}):
        raise NoLoop
    return SequenceRead(whole, dim % len(whole.shape), places[0], ways.pop())
