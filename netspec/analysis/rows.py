"""The layers of a graph, one row each: what table, diff and ``shapes.json`` list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netspec.analysis.costs import Costs
from netspec.dataclass import dataclass
from netspec.dims import Shape, plain_shape
from netspec.graph import ExecutionCount, Graph, Node, visits


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer. ``path`` is its full name (``layer1.0.conv1``), ``line`` where the spec asks for it.

    ``macs`` are the multiply-accumulates of one forward pass at the sizes that the graph is quoted at. ``training``
    marks what runs in training only, ``frozen`` parameters that are not trained.
    """

    path: str
    op: str
    detail: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    params: int
    macs: int
    line: int
    training: bool = False
    frozen: bool = False


def layer_rows(graph: Graph, costs: Costs) -> Iterator[LayerRow]:
    """Yield one row for each node in the order they run, repeats written out."""
    known: dict[tuple[Node, ExecutionCount, bool], LayerRow] = {}
    for path, step, training, executions, shared, frozen in visits(graph.body):
        if not isinstance(step, Node):
            continue
        row = known.get((step, executions, shared))
        if row is None:
            row = known[step, executions, shared] = _row(step, executions, shared, costs)
        cells = row.op, row.detail, row.inputs, row.outputs, row.params, row.macs, row.line
        yield LayerRow(path, *cells, training, frozen and row.params > 0)


def _row(node: Node, executions: ExecutionCount, shared: bool, costs: Costs) -> LayerRow:
    inputs = tuple(value.shape for value in node.inputs)
    outputs = tuple(value.shape for value in node.outputs)
    params, macs = costs.of(node, executions)
    params = 0 if shared else params
    return LayerRow(node.name, node.op.name, node.op.detail(), inputs, outputs, params, macs, node.span.line)


def record(row: LayerRow) -> dict[str, Any]:
    """A row as JSON has it."""
    found: dict[str, Any] = {
        "path": row.path,
        "op": row.op,
        "inputs": [plain_shape(shape) for shape in row.inputs],
        "outputs": [plain_shape(shape) for shape in row.outputs],
        "params": row.params,
        "macs": row.macs,
        "line": row.line,
    }
    return found | {mark: True for mark in ("training", "frozen") if getattr(row, mark)}
