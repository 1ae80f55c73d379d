"""Costs as numbers: what steps hold and compute at the sizes that a graph is quoted at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.dims import evaluate, pretty
from netspec.graph import ONCE, Call, Level, Loop, Node, Pace, Step, Tally, parameter_count


class Cost(NamedTuple):
    """Learned numbers, and the multiply-accumulates of one forward pass."""

    params: int
    macs: int


class Costs:
    """The costs of steps and levels; each distinct node and level is counted once."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self._params: dict[Node | Level, int] = {}
        self._macs = Tally[int](
            lambda node: evaluate(node.macs, sizes),
            lambda loop: evaluate(loop.length, sizes),
        )

    def of(self, what: Step | Level, pace: Pace = ONCE) -> Cost:
        """The cost of a step, or of a level: parameters with, MACs without its training-only steps.

        ``pace`` says how often it runs in one forward pass of the network.
        """
        ahead, run = self._macs.work(what)
        macs = ahead * evaluate(pace.ahead, self.sizes) + run * evaluate(pace.run, self.sizes)
        if not isinstance(what, Level) and what.shares:
            return Cost(0, macs)
        return Cost(self._learned(what.body if isinstance(what, Call) else what), macs)

    def _learned(self, what: Node | Level) -> int:
        if what not in self._params:
            self._params[what] = what.parameter_count if isinstance(what, Level) else parameter_count(what)
        return self._params[what]


def scan_text(loop: Loop) -> str:
    """``over T``, ``over T, backwards``."""
    return f"over {pretty(loop.length)}" + (", backwards" if loop.reverse else "")
