"""The shape table as a target."""

from __future__ import annotations

from netspec.emit.table.table import ShapeTable
from netspec.graph import Graph
from netspec.targets import target


@target("shapes", "every layer with its shapes, parameters and multiply-accumulates as JSON", file="shapes.json")
def shapes(graph: Graph) -> str:
    """Return the table as JSON."""
    return ShapeTable(graph).to_json()
