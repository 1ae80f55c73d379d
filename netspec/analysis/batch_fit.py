"""The largest batch whose training, and whose inference, fits into so much memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from netspec.analysis.memory import Memory, TrainingStep, counted_as, with_margin
from netspec.diagnostics import UsageError
from netspec.dims import Dim, Size, evaluate, pretty, substitute
from netspec.graph import Graph
from netspec.text.quantities import UNITS, quantity

if TYPE_CHECKING:
    from netspec.recipes.recipe import Recipe

MOST = 2**40
"""No larger batch is looked for."""


class Fit(NamedTuple):
    """The largest batch that fits (0: not even one sample), and the bytes that a batch takes there."""

    batch: int
    formula: Size


def parse_memory(text: str) -> int:
    """Bytes from ``24GiB`` or ``500 MB``. Raises ``UsageError`` where the text is no such size."""
    found = quantity(text, of_bytes=True)
    if not found:
        raise UsageError(f"--budget-memory takes a size such as 24GiB, in {UNITS}, not `{text}`")
    return found


def batch_symbol(graph: Graph) -> str:
    """The symbolic dimension that comes first in every input that has dimensions.

    Raises ``UsageError`` where there is none: the batch is of a fixed size then.
    """
    firsts = {value.shape[0] for value in graph.inputs.values() if value.shape}
    first = firsts.pop() if len(firsts) == 1 else 0
    if not isinstance(first, Dim) or first != Dim.symbol(next(iter(first.symbols))):
        raise UsageError(f"{graph.name} has no batch to fit: its inputs do not all begin with one symbolic dimension")
    return next(iter(first.symbols))


def largest(memory_at: Callable[[Mapping[str, int]], Size], sizes: Mapping[str, int], symbol: str, budget: int) -> Fit:
    """The largest batch whose peak, with the allocator's margin, is within the budget.

    ``memory_at`` gives the formula of the peak at some sizes. Which moment is the largest may change with the batch.
    What any of them takes is a bound: the search takes the largest at the batch that it has come to, until that fits.
    """
    others = {name: size for name, size in sizes.items() if name != symbol}
    batch, most = sizes[symbol], MOST
    while True:
        formula = substitute(memory_at({**others, symbol: batch}), others)
        found = solve(formula, symbol, budget, most)
        if found in (0, batch):
            return Fit(found, formula)
        batch = most = found


def solve(formula: Size, symbol: str, budget: int, most: int) -> int:
    """The largest number up to ``most`` at which a growing formula is within the budget; 0 where not even 1 is."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if with_margin(evaluate(formula, {symbol: middle})) <= budget else (low, middle)
    return low


class Plan(NamedTuple):
    """The options that say how a network is trained: an empty one is as in the recipe, or else a usual one."""

    optimizer: str = ""
    precision: str = ""
    device: str = ""

    def filled(self, recipe: Recipe | None) -> Plan:
        """Return the plan with all that was left empty."""
        if recipe is None:
            return Plan(self.optimizer or "adam", self.precision or "float32", self.device or "cuda")
        settings = recipe.settings
        device = "cpu" if settings.devices == "cpu" else "cuda"
        return Plan(
            self.optimizer or recipe.optimizer.name, self.precision or settings.precision, self.device or device
        )


def budget_text(graph: Graph, budget: str, asked: Plan) -> str:
    """Return what fits into the budget, as two lines to read, each with its formula in bytes.

    Training is that of the graph's recipe, in all that is not ``asked`` for otherwise.
    """
    amount, symbol, plan = parse_memory(budget), batch_symbol(graph), asked.filled(graph.recipe)
    if graph.recipe is None or asked.optimizer:
        step = TrainingStep.named(plan.optimizer, graph)
    else:
        step = TrainingStep.of(graph.recipe, graph, plan.device)

    def memory(sizes: Mapping[str, int]) -> Memory:
        return Memory(graph, sizes, device=plan.device)

    def trains(sizes: Mapping[str, int]) -> Size:
        return memory(sizes).training_peak(step, counted_as(plan.precision))

    def infers(sizes: Mapping[str, int]) -> Size:
        return memory(sizes).inference_peak_in(counted_as(plan.precision))

    rows = {
        f"trains ({plan.optimizer}, {plan.precision})": largest(trains, graph.sizes, symbol, amount),
        f"infers ({plan.precision})": largest(infers, graph.sizes, symbol, amount),
    }
    others = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items() if name != symbol)
    width = max(map(len, rows))
    lines = [f"{graph.name} within {budget}, {amount:,} bytes" + (f", at {others}" if others else "")]
    for what, fit in rows.items():
        found = f"{symbol} ≤ {fit.batch:,}" if fit.batch else f"not even {symbol} = 1"
        lines.append(f"  {what:<{width}}  {found:<16} {spelled(fit.formula)} bytes")
    lines.append(f"  on {plan.device}, with 5 % for what the allocator adds")
    return "\n".join(lines)


def spelled(formula: Size) -> str:
    """A formula with its large numbers grouped: ``22,218,240·N + 187,026,688``."""
    return re.sub(r"[0-9]+", lambda found: f"{int(found[0]):,}", pretty(formula))
