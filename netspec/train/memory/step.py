"""The memory that a step of training takes, told before it is tried."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.analysis.memory import Memory, TrainingStep, counted_as, with_margin
from netspec.dims import evaluate
from netspec.elaborate.training.data_sizes import solved
from netspec.graph import Graph
from netspec.train.setup import Setup

Sizes = Sequence[int | None]


def run_memory(graph: Graph, setup: Setup, drawn: Sequence[Sizes | None] = ()) -> int:
    """Bytes that a step of the run takes at its peak, of a whole batch of rows as long as any.

    ``drawn`` are the shapes of a batch's inputs, for sizes that the data do not tell.
    """
    return step_memory(graph, setup, input_shapes(setup, drawn), rows_of_a_process(setup))


def input_shapes(setup: Setup, drawn: Sequence[Sizes | None] = ()) -> list[Sizes | None]:
    """Return the shapes of the network's inputs, ``None`` for one that is left out; see ``run_memory``."""
    columns = [None if column is None else setup.columns[column] for column in setup.binding.inputs]
    shapes: list[Sizes | None] = [None if column is None else (None, *column.shape) for column in columns]
    for at, shape in enumerate(drawn):
        known = shapes[at]
        if known is not None and shape is not None:
            shapes[at] = [have if size is None else size for size, have in zip(known, shape)]
    return shapes


def rows_of_a_process(setup: Setup) -> int:
    """Return the rows of a full batch that one of the processes has."""
    settings = setup.recipe.settings
    devices = settings.devices if isinstance(settings.devices, int) else 1
    return -(-min(settings.batch or len(setup.train), len(setup.train)) // devices)


def step_memory(graph: Graph, setup: Setup, shapes: Sequence[Sizes | None], rows: int) -> int:
    """Bytes that a step on inputs of these shapes takes at its peak, of which this process has so many ``rows``.

    It is a step of the recipe, on the device of the run, with what the allocator may add.
    """
    recipe, device = setup.recipe, setup.device.type
    sizes = step_sizes(graph, shapes, -(-rows // recipe.settings.accumulate))
    memory = Memory(graph, sizes, left_out(graph, shapes), device)
    peak = memory.training_peak(TrainingStep.of(recipe, graph, device), counted_as(recipe.settings.precision))
    return with_margin(evaluate(peak, sizes))


def step_sizes(graph: Graph, shapes: Sequence[Sizes | None], rows: int) -> dict[str, int]:
    """Return the symbolic dimensions where the network is given ``rows`` rows of inputs of these shapes at once."""
    sizes = dict(graph.sizes)
    for value, shape in zip(graph.inputs.values(), shapes):
        for size, have in zip(value.shape, shape or ()):
            symbol, number = solved(size, have)
            if symbol is not None and number is not None:
                sizes[symbol] = number
    return sizes | dict.fromkeys(batch_symbols(graph), rows)


def left_out(graph: Graph, shapes: Sequence[Sizes | None]) -> set[str]:
    """Return the names of the inputs that the data do not give."""
    return {name for name, shape in zip(graph.inputs, shapes) if shape is None}


def batch_symbols(graph: Graph) -> set[str]:
    """The symbolic dimension that holds the rows of a batch, where it is one."""
    firsts = [value.shape[0] for value in graph.inputs.values() if value.shape]
    return {name for size in firsts for name in getattr(size, "symbols", ())}
