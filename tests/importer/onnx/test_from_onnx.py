"""ONNX files as specs: what PyTorch's exporter writes of networks, and what netspec writes itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from files import write
from torch import nn

import netspec
from netspec.cli import main
from netspec.dims import Dim, ceil_div, floor_div
from netspec.graph import Node, walk
from netspec.importer.capture.onnx.own.sizes import size_of
from netspec.importer.convert import from_onnx
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx


class Block(nn.Module):
    """A residual block with a norm that the exporter folds into its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.bn(self.conv(x)))


class Network(nn.Module):
    """Two blocks, attention, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.layers = nn.Sequential(Block(), Block())
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.fc = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.layers(self.stem(image)).flatten(2).transpose(1, 2)
        x, _ = self.attention(x, x, x, need_weights=False)
        return self.fc(x.mean(1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [True, False])
def test_file_of_torch_comes_in_and_agrees(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    path, spec = tmp_path / "net.onnx", tmp_path / "net.yaml"
    example = torch.randn(2, 3, 16, 16)
    shapes = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)} if dynamo else {"dynamic_axes": {"image": {0: "N"}}}
    names = {"input_names": ["image"], "output_names": ["logits"]}
    torch.onnx.export(Network().eval(), (example,), path, dynamo=dynamo, verbose=False, **names, **shapes)
    assert main(["import", str(path), "-o", str(spec), "--weights", str(tmp_path / "net.safetensors")]) == 0
    text = spec.read_text()
    assert "inputs: {image: [N, 3, 16, 16]}" in text
    assert "outputs: {logits:" in text
    assert main(["check", str(spec)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", "attention_layer", "siamese", "lstm_classifier", "gru_lm"])
def test_own_file_comes_back(tmp_path: Path, name: str) -> None:
    graph = compile_spec(name)
    path = export_onnx(graph, build_module(graph), tmp_path / "model.onnx")
    spec = from_onnx(str(path))
    assert spec.proof is not None
    assert spec.proof.holds
    wanted = Counter(step.op.name for _, step, _ in walk(graph.body) if isinstance(step, Node))
    made = Counter(step.op.name for _, step, _ in walk(spec.model.graph.body) if isinstance(step, Node))
    assert made == wanted
    keys = {key for key in build_module(graph).state_dict()}
    assert set(spec.module().state_dict()) == keys


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("12", 12),
        ("N", Dim.symbol("N")),
        ("4*floor(H/16)", 4 * floor_div(Dim.symbol("H"), 16)),
        ("ceil((H+1)/2) - 3", ceil_div(Dim.symbol("H") + 1, 2) - 3),
        ("H**2 + -1*N", Dim.symbol("H") * Dim.symbol("H") - Dim.symbol("N")),
    ],
)
def test_a_size_in_a_note_is_read(text: str, size: object) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "open('x')", "H.x", "2**99", "floor(H/0)", "(" * 90, "[1]"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError, ArithmeticError, MemoryError)):
        size_of(text)


def test_the_blocks_of_a_file_of_netspec_are_blocks_again(tmp_path):
    model = netspec.load("resnet18", dims={"H": 32, "W": 32})
    spec = from_onnx(model.export(tmp_path / "net.onnx"), verify=False)
    assert "  basic:\n    params: {width: int, stride: 1}" in spec.text
    assert spec.text.count("conv2d") < 8


def test_sizes_of_which_a_file_says_nothing_are_large_enough(tmp_path):
    weights = {"weight": np.ones((1, 1, 100, 3), np.float32)}
    path = write(tmp_path, "g (float[N, 1, H, W] x) => (float[N, 1, h, w] y) { y = Conv (x, weight) }", weights)
    assert from_onnx(path, verify=False).model.graph.sizes == {"N": 1, "H": 128, "W": 128}
