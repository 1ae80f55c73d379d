"""The memory that a step of training takes, told before it is tried."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.analysis.memory import PRECISIONS, Memory
from netspec.dims import evaluate
from netspec.elaborate.training.data_sizes import solved
from netspec.graph import Graph
from netspec.runtime.machine import need_memory
from netspec.train.setup import Setup


def guard_memory(graph: Graph, setup: Setup) -> None:
    """Guard: a step fits in the memory that is left. Raises ``EnvironmentFault``."""
    settings = setup.recipe.settings
    devices = settings.devices if isinstance(settings.devices, int) else 1
    rows = min(settings.batch or len(setup.train), len(setup.train))
    columns = [None if column is None else setup.columns[column] for column in setup.binding.inputs]
    shapes = [None if column is None else (None, *column.shape) for column in columns]
    needed = step_memory(graph, setup, shapes, -(-rows // devices))
    help = "a smaller `train.batch`, a larger `train.accumulate` or a smaller network takes less"
    need_memory(needed, f"a step with {rows} rows", help, setup.device)


def step_memory(graph: Graph, setup: Setup, shapes: Sequence[Sequence[int | None] | None], rows: int) -> int:
    """Bytes that a step on inputs of these shapes takes at its peak, of which this process has so many ``rows``.

    That is weights, gradients, the state of the optimizer that will run, and what backward needs.
    """
    recipe = setup.recipe
    part = -(-rows // recipe.settings.accumulate)
    sizes = dict(graph.sizes)
    for value, shape in zip(graph.inputs.values(), shapes):
        for size, have in zip(value.shape, shape or ()):
            symbol, number = solved(size, have)
            if symbol is not None and number is not None:
                sizes[symbol] = number
    sizes.update(dict.fromkeys(batch_symbols(graph), part))
    memory = Memory(graph, sizes)
    peak = evaluate(memory.training_peak("sgd", recipe.settings.precision), sizes)
    state = recipe.optimizer.states * memory.trained * PRECISIONS[recipe.settings.precision]
    return int(peak + state)


def batch_symbols(graph: Graph) -> set[str]:
    """The symbolic dimension that holds the rows of a batch, where it is one."""
    firsts = [value.shape[0] for value in graph.inputs.values() if value.shape]
    return {name for size in firsts for name in getattr(size, "symbols", ())}
