"""The notes that netspec writes on its nodes: they are read again, and believed only where the nodes bear them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from importer.round_trip import parting

import netspec
from netspec.emit.onnx.notes import KEY, SILENT
from netspec.importer.convert import from_onnx

SPEC = """\
netspec: 1
name: net
doc: Steps with nodes, and without.
dims: {N: 7}
inputs:
  x: [N, 6]
network:
  - linear: {name: first, out_features: 6}
  - tanh: {name: bent}
  - dropout: {name: dropped, p: 0.25}
  - add: {name: both, from: [bent, dropped]}
  - parameter: {name: scale, shape: [6]}
  - constant: {name: numbers, value: [1, 2, 3, 4, 5, 7], dtype: float32}
  - multiply: {name: scaled, from: [both, scale]}
  - add: {name: moved, from: [scaled, numbers]}
  - leaky_relu: 0.125
  - dropout: 0.5
"""
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[netspec.Model, Path]:
    """A network and its file, whose weights are no zeros."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.yaml").write_text(SPEC)
    model = netspec.load(folder / "net.yaml")
    torch.manual_seed(0)
    module = model.module()
    module.scale.data.normal_()
    return model, model.export(folder / "net.onnx", module=module)


def test_a_file_of_netspec_is_its_graph_again(written):
    model, path = written
    spec = from_onnx(path, verify=False)
    assert parting(model.graph, spec.model.graph) == ""
    assert spec.model.graph.sizes == model.graph.sizes


def on_nodes(op: str, change: Change) -> Callable[[onnx.ModelProto], None]:
    """Change the note of the node that begins an op."""

    def changed(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            for each in node.metadata_props:
                said = json.loads(each.value)
                if each.key == KEY and said["op"] == op:
                    change(said)
                    each.value = json.dumps(said)

    return changed


def on_silent(change: Change) -> Callable[[onnx.ModelProto], None]:
    """Change the note of the steps without nodes."""

    def changed(model: onnx.ModelProto) -> None:
        (entry,) = (each for each in model.graph.metadata_props if each.key == SILENT)
        said = json.loads(entry.value)
        change(said)
        entry.value = json.dumps(said)

    return changed


def another_node(model: onnx.ModelProto) -> None:
    """Change a node and leave its note."""
    (node,) = (node for node in model.graph.node if node.op_type == "Tanh")
    node.op_type = "Sigmoid"


def another_attribute(model: onnx.ModelProto) -> None:
    """Change an attribute and leave the note."""
    (node,) = (node for node in model.graph.node if node.op_type == "LeakyRelu")
    node.attribute[0].f = 0.5


LIES = {
    "another op": on_nodes("tanh", lambda said: said.update(op="sigmoid")),
    "another argument": on_nodes("leaky_relu", lambda said: said.update(arguments={"negative_slope": 0.5})),
    "no argument": on_nodes("leaky_relu", lambda said: said.update(arguments={})),
    "more nodes": on_nodes("tanh", lambda said: said.update(nodes=2)),
    "another input": on_nodes("tanh", lambda said: said.update(inputs=["x"])),
    "the same input twice": on_nodes("multiply", lambda said: said.update(inputs=["both", "both"])),
    "no such input": on_nodes("tanh", lambda said: said.update(inputs=["nothing"])),
    "no such tensor": on_nodes("linear", lambda said: said.update(state={"weight": "first.weight"})),
    "a path that is none": on_nodes("tanh", lambda said: said.update(path="a..b")),
    "an op without nodes that has some": on_silent(lambda said: said["ops"][0].update(op="relu")),
    "an op without nodes of another value": on_silent(lambda said: said["values"].update({"(dropped)": "x"})),
    "a constant of other numbers": on_silent(
        lambda said: [each["arguments"].update(value=[0] * 6) for each in said["ops"] if each["op"] == "constant"]
    ),
    "a parameter that is a constant": on_silent(
        lambda said: [each.update(op="parameter", arguments={"shape": [6]}) for each in said["ops"]]
    ),
    "an output of another value": on_silent(
        lambda said: said["outputs"].update({name: "(dropped)" for name in said["outputs"]})
    ),
    "steps in a circle": on_silent(
        lambda said: [each.update(inputs=each["outputs"]) for each in said["ops"] if each["op"] == "dropout"]
    ),
    "no list of steps": on_silent(lambda said: said.update(ops={"dropout": 1})),
    "the path of another step": on_nodes("multiply", lambda said: said.update(path="first")),
    "a path inside a step": on_nodes("multiply", lambda said: said.update(path="first.weight")),
    "another node": another_node,
    "another attribute": another_attribute,
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_a_note_that_lies_is_not_believed(written, tmp_path, change):
    """The spec computes then what onnxruntime does: the proof compares the two."""
    model = onnx.load(written[1])
    before = model.SerializeToString()
    change(model)
    assert model.SerializeToString() != before
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    spec = from_onnx(path)
    assert spec.proof is not None
    assert spec.proof.holds


def test_steps_without_nodes_write_none(written):
    assert {node.op_type for node in onnx.load(written[1]).graph.node} <= {"Gemm", "Tanh", "Add", "Mul", "LeakyRelu"}
