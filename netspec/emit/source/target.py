"""The PyTorch source as a target."""

from __future__ import annotations

from netspec.emit.source import emit_source
from netspec.graph import Graph
from netspec.targets import target


@target("source", "standalone PyTorch source", file="model.py")
def source(graph: Graph) -> str:
    """Return the source."""
    return emit_source(graph).text
