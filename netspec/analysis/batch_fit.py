"""The largest batch whose training, and whose inference, fits into so much memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from netspec.analysis.memory import Memory
from netspec.diagnostics import UsageError
from netspec.dims import Dim, Size, evaluate, pretty, substitute
from netspec.graph import Graph
from netspec.text.quantities import UNITS, quantity

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


def largest(graph: Graph, symbol: str, budget: int, peak: Callable[[Memory], Size]) -> Fit:
    """The largest batch whose peak is within the budget.

    Which moment is the largest may change with the batch. What any of them takes is a bound: the search takes the
    largest at the batch that it has come to, until that fits.
    """
    sizes = dict(graph.sizes)
    while True:
        formula = substitute(peak(Memory(graph, sizes)), {name: size for name, size in sizes.items() if name != symbol})
        batch = solve(formula, symbol, budget, most=sizes[symbol] if sizes != graph.sizes else MOST)
        if batch in (0, sizes[symbol]):
            return Fit(batch, formula)
        sizes[symbol] = batch


def solve(formula: Size, symbol: str, budget: int, most: int) -> int:
    """The largest number up to ``most`` at which a growing formula is within the budget; 0 where not even 1 is."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if evaluate(formula, {symbol: middle}) <= budget else (low, middle)
    return low


def budget_text(graph: Graph, budget: str, optimizer: str, precision: str) -> str:
    """Return what fits into the budget, as two lines to read, each with its formula in bytes."""
    amount, symbol = parse_memory(budget), batch_symbol(graph)
    trains = largest(graph, symbol, amount, lambda memory: memory.training_peak(optimizer, precision))
    infers = largest(graph, symbol, amount, lambda memory: memory.inference_peak_in(precision))
    others = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items() if name != symbol)
    rows = {f"trains ({optimizer}, {precision})": trains, f"infers ({precision})": infers}
    width = max(map(len, rows))
    lines = [f"{graph.name} within {budget}, {amount:,} bytes" + (f", at {others}" if others else "")]
    for what, fit in rows.items():
        found = f"{symbol} ≤ {fit.batch:,}" if fit.batch else f"not even {symbol} = 1"
        lines.append(f"  {what:<{width}}  {found:<16} {spelled(fit.formula)} bytes")
    return "\n".join(lines)


def spelled(formula: Size) -> str:
    """A formula with its large numbers grouped: ``22,218,240·N + 187,026,688``."""
    return re.sub(r"[0-9]+", lambda found: f"{int(found[0]):,}", pretty(formula))
