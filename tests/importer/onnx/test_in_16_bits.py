"""Files whose weights are in 16 bits: imported as the network in float32 that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import netspec
from netspec.diagnostics import UsageError
from netspec.emit.onnx.precision.half import Half
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["lenet_batch_norm", "lstm_classifier", "rnn_attention"])
def test_own_files(name: str, dtype: str, tmp_path: Path):
    torch.manual_seed(0)
    graph = netspec.load(name).graph
    module = build_module(graph).eval()
    path = export_onnx(graph, module, tmp_path / "half.onnx", form=OnnxForm(half=Half(dtype)))
    spec = netspec.from_onnx(path)
    assert spec.model.graph.body.parameter_count == graph.body.parameter_count
    assert any(f"the file is in {dtype}" in note for note in spec.notes)
    rounded = {tuple(each.shape): each.to(getattr(torch, dtype)).float() for each in module.parameters()}
    for key, tensor in spec.weights.items():
        assert tensor.dtype == torch.float32 or not tensor.is_floating_point(), key
    largest = max(spec.weights.values(), key=torch.Tensor.numel)
    assert any(torch.equal(largest, each) for each in rounded.values())


def of_others(path: Path, dtype: int = TensorProto.FLOAT16) -> Path:
    """A linear layer between casts, as converters write them, with an activation and a constant in a node."""
    weight = np.arange(12, dtype=np.float16).reshape(4, 3) / 16
    nodes = [
        helper.make_node("Cast", ["x"], ["x16"], to=dtype),
        helper.make_node("MatMul", ["x16", "fc.weight"], ["wide"]),
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.full((1,), 2, np.float16))),
        helper.make_node("Mul", ["wide", "two"], ["twice"]),
        helper.make_node("Relu", ["twice"], ["y16"]),
        helper.make_node("Cast", ["y16"], ["y"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "of_others",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(weight, "fc.weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_files_of_others(tmp_path: Path):
    spec = netspec.from_onnx(of_others(tmp_path / "half.onnx"))
    assert "cast" not in spec.text
    assert spec.model.graph.inputs["x"].tensor.dtype == "float32"
    (weight,) = spec.weights.values()
    assert sorted(weight.flatten().tolist()) == [each / 16 for each in range(12)]


def test_a_file_that_is_cut_off(tmp_path: Path):
    path = of_others(tmp_path / "half.onnx")
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-2]
    onnx.save(model, path)
    with pytest.raises(UsageError, match="should have 24 bytes"):
        netspec.from_onnx(path)
