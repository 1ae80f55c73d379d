"""Weights in a file: as the nodes read them, each once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import netspec
from netspec.emit.onnx.builder import GraphBuilder
from netspec.emit.onnx.names import key_in_form, whole
from netspec.runtime.onnx.verify import compare_onnx
from netspec.weights.files.onnx import OnnxWeights

NETWORKS = {
    "linear": "inputs: {x: [N, T, 8]}\nnetwork: [{linear: 6}, relu, {linear: 8}]",
    "self-attention": "inputs: {x: [N, T, 8]}\nnetwork: [{multihead_attention: {num_heads: 2}}]",
    "attention": "inputs: {x: [N, T, 8], y: [N, S, 8]}\n"
    "network: [{multihead_attention: {num_heads: 2, from: [x, y]}}, {linear: 3}]",
    "tied": "inputs: {x: {shape: [N, T], dtype: int64, below: 11}}\n"
    "network: [{embedding: {name: table, num_embeddings: 11, embedding_dim: 8}}, relu,\n"
    "  {linear: {out_features: 11, bias: false, tie: {weight: table.weight}}}]",
}


@pytest.mark.parametrize("steps", NETWORKS.values(), ids=NETWORKS)
def test_products_read_initializers_that_stand_once(steps: str, tmp_path: Path):
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ndims: {{N: 2}}\n{steps}\n")
    model = netspec.load(tmp_path / "net.yaml")
    module = model.module()
    path = model.export(tmp_path / "net.onnx", module)
    proto = onnx.load(path)
    held = {each.name for each in proto.graph.initializer}
    products = [node for node in proto.graph.node if node.op_type in ("MatMul", "Gemm")]
    assert sum(node.input[1] in held for node in products) >= 2 or steps == NETWORKS["tied"]
    assert not [node.name for node in proto.graph.node if node.op_type == "Transpose" and node.input[0] in held]
    floats = sum(np.prod(each.dims) for each in proto.graph.initializer if each.data_type == 1 and len(each.dims) > 1)
    assert floats == sum(each.numel() for each in {*module.parameters()} if each.dim() > 1)
    state = OnnxWeights(path).state
    assert len(state) >= len([*module.parameters()])
    for key, array in state.items():
        np.testing.assert_array_equal(array, module.state_dict()[key].numpy())
    assert compare_onnx(model.graph, module, path).agrees


def test_a_parameter_is_put_together_again():
    array = np.arange(24.0).reshape(6, 4)
    builder = GraphBuilder()
    builder.begin("layer", {"weight": array, "bias": array[:, 0]})
    made = [builder.turned("weight", (at, 3)) for at in range(3)] + [builder.part("bias", at, 3) for at in range(3)]
    held = {value.name: value.array for value in made if value is not None}
    assert [*held] == [
        f"layer.{name}" for name in ("weight/0/T", "weight/1/T", "weight/2/T", "bias/0", "bias/1", "bias/2")
    ]
    assert {key_in_form(name) for name in held} == {"layer.weight", "layer.bias"}
    np.testing.assert_array_equal(whole("layer.weight", held), array)
    np.testing.assert_array_equal(whole("layer.bias", held), array[:, 0])
    assert key_in_form("layer/const_1") == ""


def test_equal_constants_are_one():
    builder = GraphBuilder()
    builder.begin("first")
    one = builder.constant([1.0, 2.0], "float32")
    builder.begin("second")
    assert builder.constant([1.0, 2.0], "float32") is one
    assert builder.constant([1.0, 2.0], "float64") is not one
    assert builder.constant([[1.0, 2.0]], "float32") is not one


def test_transposed_weights_are_written_as_they_are_read(tmp_path: Path):
    (tmp_path / "net.yaml").write_text("netspec: 1\nname: net\ninputs: {x: [N, T, 3]}\nnetwork: [{linear: 2}]\n")
    model = netspec.load(tmp_path / "net.yaml")
    module = model.module()
    held = {each.name: each for each in onnx.load(model.export(tmp_path / "net.onnx", module)).graph.initializer}
    (weight,) = (tensor for name, tensor in module.state_dict().items() if name.endswith("weight"))
    (turned,) = (each for name, each in held.items() if name.endswith("weight/T"))
    np.testing.assert_array_equal(numpy_helper.to_array(turned), weight.numpy().T)
