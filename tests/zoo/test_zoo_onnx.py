"""ONNX files of the families whose levels ``tests/runtime`` does not export: onnxruntime agrees at three sizes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import netspec
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx, export_verified
from netspec.runtime.probing import probing_copy

NAMES = ["densenet121", "mobilenet_v2", "conv_shapes", "pooling", "edge_detector", "linear_regression", "polynomial19"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_onnxruntime_agrees(name: str, tmp_path: Path) -> None:
    model = netspec.load(name)
    module = probing_copy(model.graph, model.module())
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    onnx.checker.check_model(str(path), full_check=True)
    parity = compare_onnx(model.graph, module, path)
    assert parity.agrees
    assert len(parity.comparisons) >= 3


@pytest.mark.slow
def test_inception_leaves_its_training_head_out(tmp_path: Path) -> None:
    model = netspec.load("inception_v3")
    module = probing_copy(model.graph, model.module())
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    proto = onnx.load(path, load_external_data=False)
    assert [output.name for output in proto.graph.output] == ["logits"]
    assert not [tensor.name for tensor in proto.graph.initializer if tensor.name.startswith("AuxLogits")]
    assert compare_onnx(model.graph, module, path, [model.graph.sizes]).agrees


@pytest.mark.slow
def test_inception_is_verified_at_sizes_below_what_its_training_head_takes(tmp_path: Path) -> None:
    graph = compile_spec("inception_v3", sizes={"H": 80, "W": 96})
    _, parity = export_verified(graph, build_module(graph), tmp_path / "model.onnx")
    assert parity.agrees
    assert all(max(each.sizes["H"], each.sizes["W"]) < 299 for each in parity.comparisons)
    assert len(parity.comparisons) >= 3
