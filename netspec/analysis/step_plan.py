"""A step that fits into so much memory: the parts that a batch is divided into, and the levels that are recomputed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from netspec.analysis.memory import Memory, TrainingStep, with_margin
from netspec.dims import evaluate
from netspec.elaborate.training.layers import layer_levels
from netspec.graph import Call, Graph, Level, Node, visits, walk
from netspec.graph.recomputed import with_recomputed

LAUNCH = {"cpu": 10**6, "cuda": 10**8}
"""The multiply-accumulates of a device in the time that it takes to begin an op, about."""


class StepPlan(NamedTuple):
    """A way to take a step: a batch in so many parts, with the levels at these paths recomputed.

    ``peak`` are the bytes that it takes at most, with what the allocator may add.
    """

    accumulate: int
    recompute: tuple[str, ...]
    peak: int


class StepPlanner:
    """Finds the plan that is likely to be the fastest of those that fit.

    Recomputing a level takes its forward pass once more; each part of a batch begins every op once more. ``sizes``
    gives the symbolic dimensions of a part of a batch that is divided into so many; ``parts`` are the numbers of parts
    to choose from, in rising order; ``step`` and ``precision`` are those of the recipe. A ``whole`` batch is not
    divided as long as recomputing is enough: batch norms then learn what they would learn without a bound.
    """

    def __init__(
        self,
        graph: Graph,
        step: TrainingStep,
        precision: str,
        device: str,
        sizes: Callable[[int], Mapping[str, int]],
        parts: Sequence[int],
        without: Collection[str] = (),
        whole: bool = False,
    ):
        self.graph, self.step, self.precision, self.device = graph, step, precision, device
        self.sizes, self.parts, self.without, self.whole = sizes, parts, without, whole
        self._peaks: dict[tuple[int, frozenset[str]], int] = {}

    def plan(self, bound: int) -> StepPlan:
        """Return the fastest plan within ``bound`` bytes; where there is none, the one that takes the fewest."""
        fitting: list[StepPlan] = []
        for accumulate in self.parts:
            fewest = self._fewest(accumulate, bound)
            if fewest is None:
                continue
            fitting.append(self._made(accumulate, fewest))
            if fewest == 0 or self.whole:  # more parts take more time, or change what is learned
                break
        if fitting:
            return self._pruned(min(fitting, key=self.time), bound)
        every = (self._made(each, count) for each in self.parts for count in (0, len(self.levels)))
        return min(every, key=lambda plan: plan.peak)

    def time(self, plan: StepPlan) -> int:
        """Return about how long a step takes, in multiply-accumulates of the device."""
        sizes = self.sizes(plan.accumulate)
        again = sum(self._work(self._calls[path].body, sizes) for path in plan.recompute)
        return plan.accumulate * (3 * self._work(self.graph.body, sizes) + again)

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The paths of the levels that may be recomputed; first those that give most memory for their work."""
        sizes = self.sizes(self.parts[0])
        memory = self._memory(self.graph, self.parts[0])
        gain = {
            path: evaluate(memory.kept(path, self.precision), sizes) / self._work(self._calls[path].body, sizes)
            for path in layer_levels(self.graph.body)
            if not self._is_recomputed(path)
        }
        return tuple(sorted(gain, key=lambda path: -gain[path]))

    @cached_property
    def _calls(self) -> Mapping[str, Call]:
        return {path: step for path, step, _ in walk(self.graph.body) if isinstance(step, Call)}

    def _is_recomputed(self, path: str) -> bool:
        """Return whether a level is recomputed anyway, by itself or with one around it."""
        parts = path.split(".")
        around = (self._calls.get(".".join(parts[:count])) for count in range(1, len(parts) + 1))
        return any(call is not None and call.recompute for call in around)

    def _fewest(self, accumulate: int, bound: int) -> int | None:
        """Return how many levels have to be recomputed; ``None`` where all of them are not enough."""
        low, high = -1, len(self.levels)
        if self.peak(accumulate, self.levels) > bound:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.peak(accumulate, self.levels[:middle]) <= bound else (middle, high)
        return high

    def _pruned(self, plan: StepPlan, bound: int) -> StepPlan:
        """Return a plan without the levels that it can do without, as those where the backward pass begins."""
        kept = [*plan.recompute]
        for path in reversed(plan.recompute):
            others = [each for each in kept if each != path]
            if self.peak(plan.accumulate, others) <= bound:
                kept = others
        return StepPlan(plan.accumulate, tuple(kept), self.peak(plan.accumulate, kept))

    def _made(self, accumulate: int, count: int) -> StepPlan:
        """Return the plan that recomputes the first ``count`` levels, in the order of the network."""
        chosen = {*self.levels[:count]}
        in_order = tuple(path for path in self._calls if path in chosen)
        return StepPlan(accumulate, in_order, self.peak(accumulate, in_order))

    def peak(self, accumulate: int, paths: Collection[str]) -> int:
        """Return the bytes of a step with the levels at these paths recomputed."""
        key = accumulate, frozenset(paths)
        if key not in self._peaks:
            graph = with_recomputed(self.graph, paths)
            step = replace(self.step, parts=accumulate)
            taken = self._memory(graph, accumulate).training_bytes(step, self.precision)
            self._peaks[key] = with_margin(taken)
        return self._peaks[key]

    def _memory(self, graph: Graph, accumulate: int) -> Memory:
        return Memory(graph, self.sizes(accumulate), self.without, self.device)

    def _work(self, level: Level, sizes: Mapping[str, int]) -> int:
        """Return the work of a forward pass: its multiply-accumulates, and those in the time that its ops begin in."""
        ops = sum(evaluate(each.executions.run, sizes) for each in visits(level) if isinstance(each.step, Node))
        return evaluate(level.macs, sizes) + LAUNCH["cpu" if self.device == "cpu" else "cuda"] * max(ops, 1)
