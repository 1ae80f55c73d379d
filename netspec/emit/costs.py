"""Costs as numbers: what steps hold and compute at the sizes that a graph is quoted at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.dims import evaluate
from netspec.graph import Level, Node, Step, parameter_count


class Cost(NamedTuple):
    """Learned numbers, and the multiply-accumulates of one forward pass."""

    params: int
    macs: int


class Costs:
    """The costs of steps and levels; each distinct node and level is counted once."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self._steps: dict[Node | Level, Cost] = {}

    def of(self, step: Step | Level) -> Cost:
        """The cost of a step, or of a level: parameters with, MACs without its training-only steps."""
        key = step if isinstance(step, (Node, Level)) else step.body
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = self._level(key) if isinstance(key, Level) else self._node(key)
        return found

    def _node(self, node: Node) -> Cost:
        return Cost(parameter_count(node), evaluate(node.macs, self.sizes))

    def _level(self, level: Level) -> Cost:
        costs = [(self.of(step), step.training) for step in level.steps]
        return Cost(sum(cost.params for cost, _ in costs), sum(cost.macs for cost, only in costs if not only))
