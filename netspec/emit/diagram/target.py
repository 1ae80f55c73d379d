"""The diagram as a target: a picture, and the DOT text that it is drawn from."""

from __future__ import annotations

from pathlib import Path

from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.render import RendererMissing, render
from netspec.graph import Graph
from netspec.targets import Target, WriteOptions, Written

PICTURE, TEXT = "diagram.svg", "diagram.dot"


def write(graph: Graph, folder: Path, options: WriteOptions) -> Written:
    """Draw the diagram; without a renderer write its text alone, with a warning on how to get one."""
    dot = text(graph)
    render(dot, folder / TEXT)
    try:
        render(dot, folder / PICTURE)
    except RendererMissing as found:
        return Written((folder / TEXT,), warnings=(str(found),))
    return Written((folder / PICTURE, folder / TEXT))


def text(graph: Graph) -> str:
    """Return the diagram as DOT, the language of Graphviz."""
    return dot_text(graph)


diagram = Target("diagram", "the architecture on one page, drawn by Graphviz", (PICTURE, TEXT), write, text)
