"""The check of a model before its weights are written judges as onnx's own does on the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import netspec
from netspec.emit.onnx.graph import emit_onnx
from netspec.emit.onnx.parts import OnnxModel
from netspec.emit.onnx.write import check_onnx, write_onnx


def resnet() -> OnnxModel:
    model = netspec.load("resnet18")
    weights = {key: tensor.numpy() for key, tensor in model.module().state_dict().items()}
    return emit_onnx(model.graph, weights, "0")


def is_passed(check) -> bool:
    try:
        check()
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("fc.weight", (1000, 512)),
        ("fc.weight", (999, 512)),
        ("fc.weight", (1000, 511)),
        ("conv1.weight", (60, 3, 7, 7)),
        ("layer1.0.conv1.weight", (64, 64, 3)),
    ],
)
def test_a_weight_of_another_shape(name: str, shape: tuple[int, ...], tmp_path: Path):
    model = resnet()
    value = next(each for each in model.weights if each.name == name)
    value.array = np.zeros(shape, np.float32)
    value.shape = shape
    passed = is_passed(lambda: check_onnx(model))
    write_onnx(model, tmp_path / "model.onnx")
    assert passed == is_passed(lambda: onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True))
    assert passed == (shape in ((1000, 512), (64, 64, 3)))


def test_the_model_is_as_before():
    model = resnet()
    before = model.proto.SerializeToString()
    check_onnx(model)
    assert model.proto.SerializeToString() == before
