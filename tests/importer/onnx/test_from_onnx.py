"""ONNX files as specs: what PyTorch's exporter writes of networks, and what netspec writes itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from netspec.cli import main
from netspec.importer.convert import from_onnx


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
def test_file_of_torch_comes_in_and_agrees(tmp_path: Path, dynamo: bool, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    path, spec = tmp_path / "net.onnx", tmp_path / "net.yaml"
    example = torch.randn(2, 3, 16, 16)
    shapes = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)} if dynamo else {"dynamic_axes": {"image": {0: "N"}}}
    names = {"input_names": ["image"], "output_names": ["logits"]}
    torch.onnx.export(Network().eval(), (example,), path, dynamo=dynamo, verbose=False, **names, **shapes)
    capsys.readouterr()
    assert main(["import", str(path), "-o", str(spec), "--weights", str(tmp_path / "net.safetensors")]) == 0
    assert "verified against the original" in capsys.readouterr().out
    text = spec.read_text()
    assert "inputs: {image: [N, 3, 16, 16]}" in text
    assert "outputs: {logits:" in text
    assert main(["check", str(spec)]) == 0


@pytest.mark.slow
def test_own_file_comes_back_by_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "lenet.onnx"
    assert main(["export", "lenet", "-o", str(path), "--verify", "none"]) == 0
    spec = from_onnx(str(path))
    assert spec.proof is not None
    assert spec.proof.holds
    assert {key.rpartition(".")[2] for key in spec.weights} == {"weight", "bias"}
