"""One forward pass through a network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from netspec.analysis.memory.node import NodePass
from netspec.analysis.memory.running import LevelSummary, LiveStorages, RunningLevel
from netspec.analysis.memory.scan import ScanPass
from netspec.analysis.memory.storage import PlacedTensor, Storage, likeness
from netspec.analysis.scan_schedule import LevelSchedule
from netspec.graph import Call, Level, Node, Step, Value, visits
from netspec.ops import Tensor


def frozen_keys(body: Level, keys: Collection[str]) -> frozenset[str]:
    """Return those of these parameters that are not trained."""
    if not keys:
        return frozenset()
    nodes = {visit.path: visit.frozen for visit in visits(body)}
    return frozenset(key for key in keys if nodes.get(key.rpartition(".")[0], nodes.get(key, False)))


class ForwardPass:
    """One forward pass. Runs of equal levels on inputs that are alike are worked out once."""

    def __init__(self, sizes: Mapping[str, int], training: bool, precision: str, frozen: frozenset[str]):
        self.training = training
        self.nodes = NodePass(sizes, training, precision, frozen)
        self._known: dict[object, LevelSummary] = {}

    def level(self, level: Level, taken: Sequence[PlacedTensor | None], frozen: bool = False) -> LevelSummary:
        """A run of a level that has no part ahead of it, whose parameters may be ``frozen``."""
        groups = {placed.home: at for at, placed in reversed([*enumerate(taken)]) if placed is not None}
        key = (
            level,
            frozen,
            *(None if placed is None else (groups[placed.home], *likeness(placed)) for placed in taken),
        )
        if key not in self._known:
            self._known[key] = self._level(level, taken, groups, frozen)
        return self._known[key]

    def _level(
        self, level: Level, taken: Sequence[PlacedTensor | None], groups: Mapping[Storage, int], frozen: bool
    ) -> LevelSummary:
        copies = {home: replace(home) for home in groups}
        inputs = [None if placed is None else placed._replace(home=copies[placed.home]) for placed in taken]
        own = frozenset(copies.values())
        frame = RunningLevel(
            level, dict(zip(level.inputs, inputs)), LiveStorages(self.nodes.number), own, frozen=frozen
        )
        if level.loop is None:
            self.run(frame, self.chosen(level.steps), level.outputs)
            results = [frame.values.get(value) for value in level.outputs]
        else:
            results = ScanPass(self, frame, inputs).results()
        places = {copies[home]: at for home, at in groups.items()}
        outputs = [None if placed is None else (placed, places.get(placed.home, placed.home)) for placed in results]
        touched = [at for home, at in groups.items() if copies[home].kept and not home.kept]
        return LevelSummary(frame.record, touched, outputs, frame.live.peak, frame.transient)

    def chosen(self, steps: Iterable[Step]) -> list[Step]:
        """Return the steps that run: in inference, all but those of training."""
        return [step for step in steps if self.training or not step.training]

    def run(
        self,
        frame: RunningLevel,
        steps: Sequence[Step],
        ends: Iterable[Value],
        known_as: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        """Run steps of a level. The values in ``ends`` stay; ``known_as`` says what a value's tensor is here."""
        schedule = LevelSchedule(frame.level)
        reads = [schedule.reads(step, None) for step in steps]
        last = {value: at for at, read in enumerate(reads) for value in read}
        last |= dict.fromkeys(ends, len(steps))
        for at, step in enumerate(steps):
            results = self.step(frame, step, known_as)
            for value, placed in zip(step.outputs, results):
                frame.values[value] = placed
                if placed is not None and placed.home not in frame.own:
                    frame.live.add(placed.home)
            frame.live.moment()
            for value in {*reads[at], *step.outputs}:
                gone = frame.values.get(value)
                if last.get(value, -1) <= at and gone is not None:
                    frame.live.drop(gone.home)

    def step(self, frame: RunningLevel, step: Step, known_as: Callable[[Tensor], Tensor]) -> list[PlacedTensor | None]:
        """Run a step; return its outputs, ``None`` for one that is not made."""
        if isinstance(step, Node):
            return self.nodes.node(frame, step, known_as)
        if step in frame.prepared:
            return self.late(frame, step)
        taken = [frame.values.get(value) for value in step.inputs]
        summary = self.level(step.body, taken, frame.frozen or step.frozen)
        frame.record.add(step.name, summary.record.total, summary.record)
        for at in summary.touched:
            touched = taken[at]
            assert touched is not None
            touched.home.kept = True
        frame.live.moment(summary.peak)
        frame.transient = max(frame.transient, summary.transient, key=lambda peak: peak.number)
        copies: dict[Storage, Storage] = {}
        results: list[PlacedTensor | None] = []
        for output in summary.outputs:
            if output is None:
                results.append(None)
                continue
            placed, origin = output
            if isinstance(origin, int):
                source = taken[origin]
                assert source is not None
                home = source.home
            else:
                home = copies.setdefault(origin, replace(origin))
            results.append(placed._replace(home=home))
        return results

    def prepare(self, frame: RunningLevel, call: Call) -> None:
        """Run ahead what a level has to run ahead."""
        schedule = LevelSchedule(call.body)
        values = {call.body.inputs[at]: frame.values.get(call.inputs[at]) for at in schedule.early_inputs}
        inner = frame.prepared[call] = frame.beside(call, values)
        self.run(inner, self.chosen(schedule.ahead), [value for step in schedule.ahead for value in step.outputs])
        for each in schedule.prepared:
            self.prepare(inner, each)
        frame.record.add(call.name, inner.record.total, inner.record)

    def late(self, frame: RunningLevel, call: Call) -> list[PlacedTensor | None]:
        """Run what a prepared level runs in each iteration."""
        schedule, early = LevelSchedule(call.body), frame.prepared[call]
        inner = frame.beside(call, dict(early.values))
        inner.values |= {call.body.inputs[at]: frame.values.get(call.inputs[at]) for at in schedule.late_inputs}
        inner.prepared = early.prepared
        self.run(inner, self.chosen(schedule.iteration), call.body.outputs)
        frame.record.add(call.name, inner.record.total, inner.record)
        frame.transient = max(frame.transient, inner.transient, key=lambda peak: peak.number)
        return [inner.values.get(value) for value in call.body.outputs]
