"""YOLOv8 against code written by hand and the numbers published with it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from zoo.networks import compiled, on_meta
from zoo.vision import difference, randomised
from zoo.yolo import Yolo

import netspec
from netspec.dims import evaluate
from netspec.runtime.onnx.verify import compare_onnx, export_verified

SIZES = {
    "yolov8n": (0.33, 0.25, 1024, 8.7),
    "yolov8s": (0.33, 0.5, 1024, 28.6),
    "yolov8m": (0.67, 0.75, 768, 78.9),
    "yolov8l": (1.0, 1.0, 512, 165.2),
    "yolov8x": (1.0, 1.25, 512, 257.8),
}
"""Depth, width, largest width before it is scaled, and billions of operations at 640×640."""
TINY = {"depth": 0.33, "width": 0.125, "widest": 256, "classes": 3}


@pytest.mark.parametrize("name", SIZES)
def test_keys_are_those_of_the_checkpoints(name: str) -> None:
    depth, width, widest, _ = SIZES[name]
    with torch.device("meta"):
        theirs = Yolo(depth, width, widest)
    want = {key: tensor.shape for key, tensor in theirs.state_dict().items()}
    assert {key: tensor.shape for key, tensor in on_meta(name).state_dict().items()} == want
    assert {"model.0.conv.weight", "model.22.cv2.0.0.conv.weight", "model.22.dfl.conv.weight"} <= want.keys()


@pytest.mark.parametrize("name", SIZES)
def test_operations_are_those_published(name: str) -> None:
    graph, _ = compiled(name)
    assert 2e-9 * evaluate(graph.body.macs, graph.sizes) == pytest.approx(SIZES[name][3], abs=0.06)


def test_it_computes_what_the_code_does() -> None:
    theirs = randomised(Yolo(**TINY))  # type: ignore[arg-type]
    ours = netspec.load("yolov8", **TINY).module()
    start = torch.arange(16.0).view(1, 16, 1, 1)
    assert torch.equal(ours.get_parameter("model.22.dfl.conv.weight"), start)
    assert (ours.get_parameter("model.22.cv2.0.2.bias") == 1).all()
    for at, stride in enumerate((8, 16, 32)):
        bias = ours.get_parameter(f"model.22.cv3.{at}.2.bias")
        torch.testing.assert_close(bias, torch.full((3,), math.log(5 / 3 / (640 / stride) ** 2)))
    theirs.get_parameter("model.22.dfl.conv.weight").data = start
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for training, (height, width) in ((True, (64, 96)), (False, (96, 32))):
        images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
        want, got = theirs.train(training)(images), ours.train(training)(images)
        assert got.shape == (2, 7, height * width * 21 // 1024)
        assert difference(want[:, :4], got[:, :4]) < 1e-5
        assert difference(want[:, 4:], got[:, 4:]) < 1e-5
    for each in (want, got):
        (each[:, :4].square().mean() / 1000 + each[:, 4:].square().mean()).backward()
    for key, parameter in theirs.named_parameters():
        gradient = ours.get_parameter(key).grad
        assert ours.get_parameter(key).requires_grad == parameter.requires_grad == (gradient is not None)
        if parameter.grad is not None:
            assert difference(parameter.grad, gradient) < 1e-4, key
    for key, buffer in theirs.named_buffers():
        torch.testing.assert_close(ours.get_buffer(key), buffer, rtol=1e-5, atol=1e-5)


def test_onnx_agrees_at_images_of_any_form(tmp_path: Path) -> None:
    model = netspec.load("yolov8", **TINY)
    module = randomised(model.module()).eval()
    path, parity = export_verified(model.graph, module, tmp_path / "yolo.onnx")
    assert parity.agrees
    sizes = [{"N": 1, "H": 32, "W": 96}, {"N": 3, "H": 64, "W": 32}, {"N": 2, "H": 160, "W": 64}]
    assert compare_onnx(model.graph, module, path, sizes).agrees
