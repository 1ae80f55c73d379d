"""An example of the reference as netspec sees it: its table, its PyTorch, its nodes of ONNX, what it costs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netspec.diagnostics import Source
from netspec.emit.onnx.graph import emit_onnx
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.graph import Graph, walk_state
from netspec.pipeline import compile_loaded, load_source
from netspec.reference.examples.complete import complete

HEAD = ("netspec: 1$", "name: net$", r"inputs: \{", r"network: \[")
"""The lines that a spec begins with, where each stands in a line."""


@dataclass(frozen=True)
class Sample:
    """The texts that are made of an example."""

    spec: str
    table: str
    source: str
    nodes: str
    opset: int
    costs: dict[str, str]


def sample(text: str) -> Sample:
    """Return what is made of an example, which need not be a whole spec."""
    text = whole(complete(text))
    graph = compile_loaded(load_source(Source("net.yaml", text)))
    table, _, footer = ShapeTable(graph).text().partition("\nparameters")
    nodes, opset = _onnx(graph)
    return Sample(text, _body(table), _classes(emit_source(graph).text), nodes, opset, _costs("parameters" + footer))


def whole(text: str) -> str:
    """Return a completed spec with its keys in the order in which people write them: header and inputs first.

    A text whose first lines have their place, such as a directive of YAML or a document of its own, stays as it is.
    """
    if re.search(r"^(%|---)", text, re.MULTILINE):
        return text
    head = [found[0] for line in HEAD if (found := re.search(rf"^{line}.*\n", text, re.MULTILINE))]
    rest = text
    for line in head:
        rest = rest.replace(line, "", 1)
    return "".join(head) + rest


def _body(table: str) -> str:
    """The lines of the layers, without the title above them and the rule below."""
    return "\n".join(table.split("\n")[2:-1]).rstrip()


def _classes(source: str) -> str:
    """The classes of the source without its docstring and the imports that each has."""
    lines = source.split('"""\n', 1)[1].strip("\n").split("\n")
    return "\n".join(line for line in lines if line != "from torch import nn").strip("\n")


def _onnx(graph: Graph) -> tuple[str, int]:
    """The kinds of the ONNX nodes in their order, and the opset; weights are zeros, as only their shapes count."""
    weights = {key: np.zeros([int(str(size)) for size in shape], np.float32) for key, shape in walk_state(graph.body)}
    proto = emit_onnx(graph, weights, "").proto
    kinds = [node.op_type for node in proto.graph.node]
    counts = Counter(kinds)
    shown = [f"`{kind}`{f' ×{counts[kind]}' if counts[kind] > 1 else ''}" for kind in dict.fromkeys(kinds)]
    return ", ".join(shown), max(each.version for each in proto.opset_import)


def _costs(footer: str) -> dict[str, str]:
    """The facts below a table, each by its title; continued lines belong to the one above."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in footer.split("\n"):
        if line[:1].strip():
            title = line.split()[0]
        found.setdefault(title, []).append(line.removeprefix(title).strip())
    return {title: _first(title, lines) for title, lines in found.items() if title in ("parameters", "MACs", "memory")}


def _first(title: str, lines: Sequence[str]) -> str:
    if title == "memory":
        formulas = [line.lstrip("=≈ ") for line in lines if line.startswith(("=", "≈"))]
        return "; ".join(formulas)
    value = lines[0].partition(" · ")[0]
    formula = next((line.lstrip("=≈ ") for line in lines[1:] if line.startswith(("=", "≈"))), "")
    return f"{value} = {formula}" if formula and formula != value else value
