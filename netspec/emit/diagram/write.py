"""A graph as a picture in a file, of the kind that the file's suffix asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.mermaid import mermaid_text
from netspec.emit.diagram.page import Direction
from netspec.emit.diagram.render import MERMAID, render
from netspec.files import write_text
from netspec.graph import Graph
from netspec.view.expand import known_levels


def write_diagram(
    graph: Graph,
    path: Path,
    depth: int | None = None,
    expand: str | Sequence[str] = (),
    direction: Direction | None = None,
) -> None:
    """Draw a graph into an .svg, .png, .pdf, .dot or .mmd (Mermaid) file.

    Raises ``UsageError`` for a level in ``expand`` that does not exist and for another kind of file, and what
    ``render`` raises.
    """
    expand = known_levels(graph, expand)
    if path.suffix.lower() == MERMAID:
        write_text(path, mermaid_text(graph, depth=depth, expand=expand, direction=direction))
    else:
        render(dot_text(graph, depth=depth, expand=expand, direction=direction), path)
