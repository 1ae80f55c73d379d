"""The explorer as a target."""

from __future__ import annotations

from netspec.emit.explorer import explorer_page
from netspec.graph import Graph
from netspec.targets import target


@target("explorer", "one page with diagram, shape table and YAML to look into", file="explorer.html")
def explorer(graph: Graph) -> str:
    """Return the page as HTML."""
    return explorer_page(graph)
