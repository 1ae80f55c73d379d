"""One forward pass through a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from netspec.analysis.memory.backward import GoBack, LevelBackward, backward_peak, gradients_of
from netspec.analysis.memory.facts import NodeFacts
from netspec.analysis.memory.node import NodePass
from netspec.analysis.memory.running import (
    NONE,
    NUMBER,
    Iteration,
    LevelSummary,
    LiveStorages,
    Move,
    RunningLevel,
    sum_of,
)
from netspec.analysis.memory.scan import ScanPass
from netspec.analysis.memory.storage import PlacedTensor, Storage, likeness
from netspec.analysis.memory.ties import Ties
from netspec.analysis.scan_schedule import LevelSchedule
from netspec.dims import Size, total
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops import Tensor


class StepOrder:
    """Steps of a level in the order that they run in, each with the values that nothing reads behind it.

    The values in ``ends`` stay.
    """

    def __init__(self, level: Level, steps: Sequence[Step], ends: Iterable[Value]):
        schedule = LevelSchedule(level)
        reads = [schedule.reads(step, None) if isinstance(step, Call) else step.inputs for step in steps]
        last = {value: at for at, read in enumerate(reads) for value in read}
        last |= dict.fromkeys(ends, len(steps))
        self.steps = [
            (step, [value for value in dict.fromkeys([*read, *step.outputs]) if last.get(value, -1) <= at])
            for at, (step, read) in enumerate(zip(steps, reads))
        ]


def placed_outside(summary: LevelSummary, taken: Sequence[PlacedTensor | None]) -> list[PlacedTensor | None]:
    """Return the outputs of a run of a level where the level around it has them."""
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
            home = copies.setdefault(origin, origin.copy())
        results.append(placed._replace(home=home))
    return results


class KnownBefore(NamedTuple):
    """Knowledge of other passes: the ``orders`` of levels, in training or not as here, and the ``facts`` of nodes."""

    orders: dict[Level, StepOrder]
    facts: dict[Node, NodeFacts]


class ForwardPass:
    """One forward pass. Runs of equal levels on inputs that are alike are worked out once.

    ``number`` gives a size as a number; ``known`` is what other passes know already.
    """

    def __init__(
        self,
        number: Callable[[Size], int],
        training: bool,
        precision: str,
        tied: Ties,
        device: str,
        known: KnownBefore,
    ):
        self.training, self.orders = training, known.orders
        self.nodes = NodePass(number, training, precision, tied, device, known.facts)
        self._known: dict[object, LevelSummary] = {}

    def level(
        self,
        level: Level,
        taken: Sequence[PlacedTensor | None],
        frozen: bool = False,
        iteration: Iteration = "",
        discards: bool = False,
    ) -> LevelSummary:
        """A run of a level that has no part ahead of it, whose parameters may be ``frozen``, and which may run in an
        ``iteration``, or keep nothing of what it makes.
        """
        groups = {placed.home: at for at, placed in reversed([*enumerate(taken)]) if placed is not None}
        key = (
            level,
            frozen,
            iteration,
            discards,
            *(None if placed is None else (groups[placed.home], *likeness(placed)) for placed in taken),
        )
        if key not in self._known:
            self._known[key] = self._level(level, taken, groups, frozen, iteration, discards)
        return self._known[key]

    def _level(
        self,
        level: Level,
        taken: Sequence[PlacedTensor | None],
        groups: Mapping[Storage, int],
        frozen: bool,
        iteration: Iteration,
        discards: bool,
    ) -> LevelSummary:
        copies = {home: home.copy() for home in groups}
        inputs = [None if placed is None else placed._replace(home=copies[placed.home]) for placed in taken]
        own = frozenset(copies.values())
        live = LiveStorages(self.nodes.number)
        values = dict(zip(level.inputs, inputs))
        frame = RunningLevel(level, values, live, own, frozen=frozen, iteration=iteration, discards=discards)
        if level.loop is None:
            if level not in self.orders:
                self.orders[level] = StepOrder(level, self.chosen(level.steps), level.outputs)
            self.run_in_order(frame, self.orders[level])
            results = [frame.values.get(value) for value in level.outputs]
            go_back: GoBack = partial(LevelBackward.through, moves=frame.moves, ends=level.outputs)
        else:
            scan = ScanPass(self, frame, inputs)
            results, go_back = scan.results(), scan.go_back
        kept, number = frame.record.total, self.nodes.number
        backward = adding = NONE
        if self.training and not discards:
            backward = adding = backward_peak(go_back, kept, number)
            if iteration:
                adding = backward_peak(go_back, kept, number, adding=True)
        places = {copies[home]: at for home, at in groups.items()}
        outputs = [None if placed is None else (placed, places.get(placed.home, placed.home)) for placed in results]
        touched = [at for home, at in groups.items() if copies[home].kept and not home.kept]
        weights = total(frame.weights.values())
        if level.loop is not None and not iteration:
            weights, frame.copies = weights + total(frame.copies), []
        peaks = frame.live.peak, frame.live.last_kept, backward, adding, frame.transient
        return LevelSummary(frame.record, kept, touched, outputs, *peaks, weights, frame.cached, frame.copies)

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
        self.run_in_order(frame, StepOrder(frame.level, steps, ends), known_as)

    def run_in_order(
        self, frame: RunningLevel, order: StepOrder, known_as: Callable[[Tensor], Tensor] = lambda tensor: tensor
    ) -> None:
        """Run steps of a level; see ``run``."""
        for step, read_last in order.steps:
            before = len(frame.live.grown)
            results = self.step(frame, step, known_as)
            for value, placed in zip(step.outputs, results):
                frame.values[value] = placed
                if placed is not None and placed.home not in frame.own:
                    frame.live.add(placed.home)
            frame.live.moment()
            if isinstance(step, Node) and len(frame.live.grown) > before:
                frame.live.settle()
            for value in read_last:
                gone = frame.values.get(value)
                if gone is not None:
                    frame.live.drop(gone.home)

    def step(self, frame: RunningLevel, step: Step, known_as: Callable[[Tensor], Tensor]) -> list[PlacedTensor | None]:
        """Run a step; return its outputs, ``None`` for one that is not made."""
        if isinstance(step, Node):
            return self.nodes.node(frame, step, known_as)
        if step in frame.prepared:
            return self.late(frame, step)
        taken = [frame.values.get(value) for value in step.inputs]
        if step.recompute and self.training and not frame.discards:
            return self.recomputed(frame, step, taken)
        summary = self.level(step.body, taken, frame.frozen or step.frozen, frame.iteration, frame.discards)
        frame.record.add(step.name, summary.kept, summary.record)
        for at in summary.touched:
            touched = taken[at]
            assert touched is not None
            frame.live.forget(touched.home)
            touched.home.kept = True
        if summary.kept != 0:
            frame.live.moment(summary.last_kept)
            frame.live.settle()
        frame.live.moment(summary.peak)
        frame.hold(summary.kept if self.training else 0, summary.cached)
        frame.transient = max(frame.transient, summary.transient, key=NUMBER)
        frame.weights[step.name] = 0 if step.shares else summary.weights
        frame.copies += () if step.shares else summary.copies
        results = placed_outside(summary, taken)
        if self.training and not frame.discards:
            flows, ends = gradients_of(step.inputs, taken), gradients_of(step.outputs, results)
            module = step.shares or step.name
            own, peaks = (summary.kept, summary.weights, module), (NONE, summary.backward, summary.adding)
            frame.moves.append(Move(flows, ends, *own, *peaks, inside=True))
        return results

    def recomputed(
        self, frame: RunningLevel, call: Call, taken: Sequence[PlacedTensor | None]
    ) -> list[PlacedTensor | None]:
        """Run a level that keeps its inputs alone; the backward pass runs it again, and then goes back through it."""
        given = {placed.home: None for placed in taken if placed is not None and placed.home.counted}
        new = [home for home in given if not home.kept]
        for home in new:
            frame.live.forget(home)
            home.kept = True
        kept = total(home.size for home in new)
        frozen = frame.frozen or call.frozen
        first = self.level(call.body, taken, frozen, frame.iteration, discards=True)
        second = self.level(call.body, taken, frozen, frame.iteration)
        frame.record.add(call.name, kept, first.record)
        frame.live.grow(kept)
        frame.live.moment(first.peak)
        frame.hold(0, first.cached)
        results = placed_outside(first, taken)
        flows, ends = gradients_of(call.inputs, taken), gradients_of(call.outputs, results)
        gradients = self.nodes.peak([size for _, size in ends])
        again = sum_of(gradients, second.last_kept)
        frame.transient = max(
            frame.transient, again, sum_of(second.transient, self.nodes.peak([second.kept])), key=NUMBER
        )
        frame.weights[call.name] = 0 if call.shares else second.weights
        frame.copies += () if call.shares else second.copies
        most, adding = (
            sum_of(self.nodes.peak([kept]), max(again, each, key=NUMBER)) for each in (second.backward, second.adding)
        )
        module = call.shares or call.name
        frame.moves.append(Move(flows, ends, kept, second.weights, module, NONE, most, adding, inside=True))
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
        frame.weights[f"{call.name} ahead"] = total(inner.weights.values())
        frame.adopt(call, inner)

    def late(self, frame: RunningLevel, call: Call) -> list[PlacedTensor | None]:
        """Run what a prepared level runs in each iteration."""
        schedule, early = LevelSchedule(call.body), frame.prepared[call]
        inner = frame.beside(call, dict(early.values))
        inner.values |= {call.body.inputs[at]: frame.values.get(call.inputs[at]) for at in schedule.late_inputs}
        inner.prepared = early.prepared
        self.run(inner, self.chosen(schedule.iteration), call.body.outputs)
        frame.record.add(call.name, inner.record.total, inner.record)
        frame.weights[call.name] = total(inner.weights.values())
        frame.transient = max(frame.transient, inner.transient, key=NUMBER)
        frame.adopt(call, inner)
        return [inner.values.get(value) for value in call.body.outputs]
