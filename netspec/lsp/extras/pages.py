"""Pages of a document that an editor shows beside it, each of the last version of the text that was sound."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from netspec.analysis.costs import Costs
from netspec.diagnostics import Diagnostic, EnvironmentFault
from netspec.diagnostics.text import Layout, render_all
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.render import drawn
from netspec.emit.explorer import explorer_page, waiting_page
from netspec.graph import Graph
from netspec.lsp.document import Document
from netspec.text.quantities import short

OWN = secrets.token_hex(4)
"""The part of a page's version that no other server's has: an editor may start the server anew beside its pages."""

LAYOUT = Layout(width=100)


def summary(document: Document, variant: str | None) -> dict[str, Any]:
    """Return what a line about the network can say: its name, its variants, its size, and whether the text has errors.

    ``sound`` says whether there has been a network at all, ``defaults`` whether there is one besides the variants.
    """
    graph = graph_of(document, variant)
    counts: dict[str, Any] = {}
    if graph is not None:
        cost = Costs(graph.sizes).of(graph.body)
        counts = {"name": graph.name, "params": short(cost.params) or "0", "macs": short(cost.macs) or "0"}
    graphs = document.built.graphs if document.built is not None else {}
    names = {"variants": [name for name in graphs if name is not None], "defaults": None in graphs}
    return {"sound": graph is not None, "errors": len(errors_of(document)), **names, **counts}


def explorer(document: Document, variant: str | None, shown: str | None) -> dict[str, Any]:
    """Return the explorer's page, unless it is the version that is shown already, and the errors of the text now."""
    graph = graph_of(document, variant)
    found = errors_of(document)
    version = f"{OWN}.{document.built.number if graph is not None and document.built else 0}.{variant or ''}"
    page = None
    if version != shown:
        page = explorer_page(graph, version=version, host="editor") if graph else waiting_page(version, "editor")
    return {"version": version, "page": page, "fault": render_all(found, 0, LAYOUT) if found else ""}


def diagram(document: Document, variant: str | None) -> dict[str, Any]:
    """Return the diagram as SVG, or the reason why there is none."""
    graph = graph_of(document, variant)
    if graph is None:
        return {"svg": None, "problem": "The diagram is shown as soon as the spec is right."}
    try:
        return {"svg": drawn(dot_text(graph), "svg").decode(), "problem": None}
    except EnvironmentFault as fault:
        return {"svg": None, "problem": str(fault)}


def graph_of(document: Document, variant: str | None) -> Graph | None:
    """Return the graph of a variant, or of the defaults; ``None`` where it has never been sound."""
    if document.built is None:
        return None
    return document.built.graph if variant is None else document.built.graphs.get(variant)


def errors_of(document: Document) -> Sequence[Diagnostic]:
    """Return what keeps the text from being a network."""
    return [each for each in document.diagnostics if each.severity == "error"]
