"""Hold a spec against its graph, run node by node, and through every view: source, ONNX, pictures, pages, diff."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import torch
from torch import nn

from netspec.checks.check import check_loaded
from netspec.diagnostics import Source
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.mermaid import mermaid_text
from netspec.emit.diff import Diff
from netspec.emit.explorer import explorer_page
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.graph import Graph, walk_state
from netspec.pipeline import load_source
from netspec.runtime.examples import example_inputs
from netspec.runtime.interpret import difference_from_graph, interpret
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx

torch.set_num_threads(1)


def compiled(text: str) -> Graph:
    """Return the graph of a spec in which nothing is amiss."""
    checked = check_loaded(load_source(Source("net.yaml", text)))
    assert [str(each) for each in (*checked.diagnostics, *checked.warnings)] == []
    (graph,) = checked.graphs.values()
    return graph


def built(text: str) -> tuple[Graph, nn.Module]:
    """Return a spec's graph and module, after they have passed every view."""
    graph = compiled(text)
    module = build_module(graph).eval()
    check_views(graph, module)
    return graph, module


def check_views(graph: Graph, module: nn.Module) -> None:
    """Check that source, module, ONNX and costs agree with the graph, and that every picture is drawn."""
    state = module.state_dict(keep_vars=True)
    assert {key: tuple(held.shape) for key, held in state.items()} == dict(walk_state(graph.body))
    inputs = example_inputs(graph, graph.sizes)
    assert difference_from_graph(graph, module, inputs) < 1e-5
    made, wanted = module.train()(*inputs.values()), interpret(graph, state, inputs, training=True)
    made = made if isinstance(made, dict) else dict.fromkeys(wanted, made)
    for name, value in wanted.items():
        torch.testing.assert_close(made[name], value, rtol=1e-4, atol=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        path = export_onnx(graph, module.eval(), Path(folder) / "net.onnx")
        assert compare_onnx(graph, module, path).agrees
    table = ShapeTable(graph)
    assert table.params == sum(each.numel() for each in module.parameters())
    assert sum(row.params for row in table.rows) == table.params
    if not any(output.training for output in graph.outputs.values()):
        assert sum(row.macs for row in table.rows) == table.macs
    assert table.to_json()
    ast.parse(emit_source(graph).text)
    assert dot_text(graph).startswith("digraph")
    assert mermaid_text(graph)
    assert graph.name in explorer_page(graph)
    assert not [*Diff(graph, graph).changes]
