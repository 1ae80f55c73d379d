"""The results of a loop: values of all its copies that are stacked or joined, and those of the last one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from netspec.dataclass import dataclass
from netspec.importer.lower.idioms.matching import reading
from netspec.importer.lower.rolled.wiring import LoopWiring, NoLoop, OwnRead, Place, StateRead, said_dim
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

MOST_SINGLE = 2
"""So many single iterations' values may be read of what is collected."""


class CollectedValue(NamedTuple):
    """A value that all copies leave: as ``whole``, along ``dim``, in the order of the copies or (``way`` -1) backwards.

    Without ``dim``, ``whole`` is the value of the copy number ``copy`` alone.
    """

    place: Place
    whole: ForeignTensor
    dim: int | None = None
    way: int = 1
    copy: int = -1


class LoopJoin(NamedTuple):
    """A step that joins the values of all copies, which are ``whole``, from its input ``start`` on, along ``dim``."""

    step: ForeignStep
    whole: ForeignTensor
    start: int
    dim: int


@dataclass(eq=False)
class LoopResults:
    """The results of a loop. ``finals`` are last states; ``joins`` steps that what is collected stands for."""

    collected: list[CollectedValue] = field(default_factory=list)
    finals: dict[Place, ForeignTensor] = field(default_factory=dict)
    joins: list[LoopJoin] = field(default_factory=list)


def results_of(steps: Sequence[ForeignStep], wiring: LoopWiring, outputs: Mapping[str, ForeignTensor]) -> LoopResults:
    """Return what others read of a loop. Raises ``NoLoop`` where that is what no scan gives."""
    return _Leaving(steps, wiring, outputs).results()


class _Leaving:
    def __init__(self, steps: Sequence[ForeignStep], wiring: LoopWiring, outputs: Mapping[str, ForeignTensor]):
        self.steps, self.wiring, self.run = steps, wiring, wiring.run
        self.made: dict[ForeignTensor, tuple[int, Place]] = {}
        for copy in range(self.run.total):
            for at in range(self.run.width):
                place = self.run.place(copy, at)
                for port, tensor in enumerate(reading(steps[place]).outputs if place is not None else ()):
                    if tensor is not None:
                        self.made[tensor] = copy, (at, port)
        self.states = {read.place for read in wiring.reads.values() if isinstance(read, StateRead)}
        self.given = {*outputs.values()}
        self.found = LoopResults()

    def results(self) -> LoopResults:
        """The results of the loop."""
        single: dict[Place, dict[int, ForeignTensor]] = defaultdict(dict)
        for tensor in self.given & self.made.keys():
            copy, place = self.made[tensor]
            single[place][copy] = tensor
        for step in self.steps[self.run.end :]:
            if step.reading is None:
                continue
            read = [each for each in step.reading.inputs if each in self.made]
            if not read:
                continue
            if step.op in ("stack", "concat") and self._joins(step):
                continue
            for each in read:
                assert each is not None
                copy, place = self.made[each]
                single[place][copy] = each
        for place, by_copy in single.items():
            self._alone(place, by_copy)
        return self.found

    def _alone(self, place: Place, by_copy: dict[int, ForeignTensor]) -> None:
        """Note the values of single copies that are read."""
        last = self.run.total - 1
        if place in self.states and last in by_copy:
            self.found.finals[place] = by_copy.pop(last)
        if len(by_copy) > MOST_SINGLE:
            raise NoLoop
        for copy, tensor in by_copy.items():
            self.found.collected.append(CollectedValue(place, tensor, copy=copy))

    def _joins(self, step: ForeignStep) -> bool:
        """Return whether a step joins the values of all copies, and nothing else; it is left out then."""
        said = reading(step)
        made = [self.made.get(each) if each is not None else None for each in said.inputs]
        inside = [at for at, each in enumerate(made) if each is not None]
        copies = [each[0] for each in made if each is not None]
        places = {each[1] for each in made if each is not None}
        forwards = [*range(self.run.total)]
        if len(places) > 1 or copies not in (forwards, forwards[::-1]) or inside[-1] - inside[0] >= len(inside):
            return False
        (place,), (output,) = places, said.outputs
        assert output is not None
        dim = said_dim(step) % len(output.shape)
        if len(inside) < len(made):
            if step.op == "concat" and self._unsqueezed(place, dim) is None:
                return False
            output = ForeignTensor((*output.shape[:dim], len(inside), *output.shape[dim + 1 :]), output.dtype)
        if step.op == "concat":
            inner = self._unsqueezed(place, dim)
            if inner is None:
                return False
            place = inner
        self.found.collected.append(CollectedValue(place, output, dim, 1 if copies == forwards else -1))
        self.found.joins.append(LoopJoin(step, output, inside[0], dim))
        return True

    def _unsqueezed(self, place: Place, dim: int) -> Place | None:
        """Return what a step of the body gives a dimension of size 1, which is made long by joining."""
        at, _ = place
        step = self.steps[self.run.start + at]
        output = reading(step).outputs[0]
        if step.op != "unsqueeze" or output is None or reading(step).arguments["dim"] % len(output.shape) != dim:
            return None
        read = self.wiring.reads.get((at, 0))
        return read.place if isinstance(read, OwnRead) else None
