"""The bodies of Scan nodes read nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from importer.round_trip import parting

import netspec
from netspec.importer.convert import from_onnx
from netspec.runtime.onnx.verify import compare_onnx


def captured(graph: onnx.GraphProto) -> Iterator[str]:
    """Return what the nodes of a body read that is not the body's."""
    own = {"", *(each.name for each in (*graph.input, *graph.initializer))}
    own |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        yield from (name for name in node.input if name not in own)


@pytest.mark.parametrize("name", ["rnn_attention", "mamba"])
def test_a_body_is_closed(name: str, tmp_path: Path):
    model = netspec.load(name, **({"vocab": 50, "layers": 1, "width": 16} if name == "mamba" else {}))
    module = model.module()
    path = model.export(tmp_path / "net.onnx", module)
    graph = onnx.load(path).graph
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    assert bodies
    assert [name for body in bodies for name in captured(body)] == []
    assert compare_onnx(model.graph, module, path).agrees
    assert parting(model.graph, from_onnx(path, verify=False).model.graph) == ""
