"""Costs as numbers: what steps hold and compute at the sizes that a graph is quoted at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.dims import UNICODE, Size, evaluate, pretty, substitute, symbols, term_text
from netspec.graph import ONCE, Call, CostSum, ExecutionCount, Graph, Level, Loop, Node, Step, parameter_count
from netspec.text.quantities import short

MOST_TERMS = 3


class Cost(NamedTuple):
    """Learned numbers, and the multiply-accumulates of one forward pass."""

    params: int
    macs: int


class Costs:
    """The costs of steps and levels; each distinct node and level is counted once."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self._params: dict[Node | Level, int] = {}
        self._macs = CostSum[int](
            lambda node: evaluate(node.macs, sizes),
            lambda loop: evaluate(loop.length, sizes),
        )

    def of(self, what: Step | Level, executions: ExecutionCount = ONCE) -> Cost:
        """The cost of a step, or of a level: parameters with, MACs without its training-only steps.

        ``executions`` says how often it runs in one forward pass of the network.
        """
        ahead, run = self._macs.work(what)
        macs = ahead + run
        if executions is not ONCE:
            macs = ahead * evaluate(executions.ahead, self.sizes) + run * evaluate(executions.run, self.sizes)
        if not isinstance(what, Level) and what.shares:
            return Cost(0, macs)
        return Cost(self._learned(what.body if isinstance(what, Call) else what), macs)

    def _learned(self, what: Node | Level) -> int:
        if what not in self._params:
            self._params[what] = what.parameter_count if isinstance(what, Level) else parameter_count(what)
        return self._params[what]


def cost_formula(cost: Size, graph: Graph) -> tuple[str, Mapping[str, int]]:
    """A cost as a formula in the symbolic dimensions, and the sizes of those that were put into it.

    Where it would be long, or has floors in it, only the dimensions that come first in the inputs (batches) stay.
    """
    if isinstance(cost, int):
        return "", {}
    if len(cost.terms) <= MOST_TERMS and all(isinstance(atom, str) for term in cost.terms for atom, _ in term):
        return _short(cost), {}
    batches = symbols(value.shape[0] for value in graph.inputs.values() if value.shape)
    fixed = {name: size for name, size in graph.sizes.items() if name in cost.symbols - batches}
    rest = substitute(cost, fixed)
    return ("", {}) if isinstance(rest, int) or len(rest.terms) > MOST_TERMS else (_short(rest), fixed)


def scan_text(loop: Loop) -> str:
    """``over T``, ``over T, backwards``."""
    return f"over {pretty(loop.length)}" + (", backwards" if loop.reverse else "")


def _short(size: Size) -> str:
    """Return a cost to three digits: ``1.81G·N``, ``85.1M·N·T + 18.4k·N·T²``."""
    if isinstance(size, int):
        return short(size)
    terms = sorted(size.terms.items(), key=lambda term: -sum(power for _, power in term[0]))
    texts: list[str] = []
    for monomial, coefficient in terms:
        symbols = term_text(monomial, 1, UNICODE)
        sign = "− " if coefficient < 0 and texts else "−" if coefficient < 0 else ""
        scaled = short(abs(coefficient))
        texts.append(sign + (scaled if not monomial else symbols if abs(coefficient) == 1 else f"{scaled}·{symbols}"))
    return " + ".join(texts).replace("+ − ", "− ")
