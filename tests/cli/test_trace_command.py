"""`netspec trace`: what may stand on its two sides, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import netspec
from netspec.cli import main

SPEC = """netspec: 1
name: net
inputs: {x: [N, 4]}
network:
  - linear: {name: first, out_features: 4}
  - gelu
  - linear: {name: last, out_features: 2}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec and its file, in which the command runs."""
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "net.yaml", "-o", "net.onnx"]) == 0
    return tmp_path


def spoil(path: str = "net.onnx") -> None:
    model = onnx.load(path)
    (weight,) = [each for each in model.graph.initializer if each.name == "last.weight"]
    weight.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(weight), weight.name))
    onnx.save(model, path)


def test_a_spec_and_its_file(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["trace", "net.yaml", "net.onnx"]) == 0
    assert "net.yaml and net.onnx on onnxruntime agree in all 3 layers" in capsys.readouterr().out
    spoil()
    assert main(["trace", "net.yaml", "net.onnx", "--parting"]) == 1
    out = capsys.readouterr().out
    assert "net.yaml:7: net.yaml and net.onnx on onnxruntime part first in `last` (linear): " in out
    assert main(["trace", "net.onnx", "net.yaml", "--format", "json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["first"] == "last"
    assert record["layers"][2]["line"] == 7
    assert not record["layers"][0]["parts"]
    assert main(["trace", "net.yaml", "net.onnx", "--bound", "10", "-o", "trace.html"]) == 0
    assert "net.yaml and net.onnx on onnxruntime" in Path("trace.html").read_text(encoding="utf-8")


def test_other_precisions_weights_and_runtimes(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["trace", "net.yaml", "--precision", "bfloat16"]) == 0
    assert main(["trace", "net.yaml", "--on", "onnxruntime"]) == 0
    from netspec import load

    module = load("net.yaml").module()
    module.last.bias.data += 1
    torch.save(module.state_dict(), "other.pth")
    capsys.readouterr()
    assert main(["trace", "net.yaml", "other.pth"]) == 1
    assert "net.yaml and other.pth part first in `last`" in capsys.readouterr().out
    assert main(["trace", "net.yaml", "net.yaml", "--weights", "other.pth"]) == 0


def test_given_inputs(folder: Path, capsys: pytest.CaptureFixture[str]):
    np.save("x.npy", np.ones((3, 4), np.float32))
    np.savez("x.npz", x=np.ones((3, 4), np.float32))
    assert main(["trace", "net.yaml", "net.onnx", "--input", "x.npy"]) == 0
    assert main(["trace", "net.yaml", "net.onnx", "--input", "x.npz"]) == 0
    assert main(["trace", "net.onnx", "net.onnx", "--input", "x=x.npy"]) == 0
    capsys.readouterr()
    assert main(["trace", "net.yaml", "net.onnx", "--input", "y=x.npy"]) == 2
    assert "`y` is no input: net has the inputs x" in capsys.readouterr().err


def test_the_module_that_a_spec_was_imported_from(folder: Path, capsys: pytest.CaptureFixture[str]):
    Path("original_of_net.py").write_text(
        "from torch import nn\n\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, negative=False):\n"
        "        super().__init__()\n"
        "        self.first, self.last, self.negative = nn.Linear(4, 4), nn.Linear(4, 2), negative\n\n"
        "    def forward(self, x):\n"
        "        x = nn.functional.gelu(self.first(x))\n"
        "        return self.last(-x if self.negative else x)\n",
        encoding="utf-8",
    )
    assert main(["trace", "net.yaml", "original_of_net:Net"]) == 0
    capsys.readouterr()
    assert main(["trace", "net.yaml", "original_of_net:Net", "--argument", "negative=true"]) == 1
    assert "part first in `last`" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net.yaml"], "name what to compare net.yaml with: another side B, --precision or --on"),
        (["net.onnx"], "name what to compare net.onnx with: another file, a spec, or --on openvino"),
        (["net.yaml", "none.onnx"], "there is no file none.onnx"),
        (["net.yaml", "net.yaml", "--on", "onnxruntime"], "--on is for ONNX files, and net.yaml runs in PyTorch"),
        (["net.yaml", "net.onnx", "--precision", "float16"], "--precision is for PyTorch"),
        (["net.yaml", "net.onnx", "--input", "net.yaml"], "net.yaml is no .npy or .npz file that can be read"),
        (["net.onnx", "net.onnx", "--weights", "x.pth"], "ONNX files have their weights"),
        (["net.onnx", "net.onnx", "-o", "trace.html"], "-o draws a spec"),
        (["net.yaml", "net.onnx", "--bound", "-1"], "--bound takes a number that is not below 0"),
        (["net.yaml", "net.onnx", "--bound", "nan"], "--bound takes a number that is not below 0"),
        (["lenet", "net.onnx"], "net.onnx takes `x` [N, 4], and is given `image` [1, 1, 28, 28]"),
        (["net.yaml", "lenet"], "lenet takes `image` [N, 1, 28, 28], and net gives `x` [1, 4]"),
        (["net.onnx", "wide.onnx"], "wide.onnx takes `x` [N, 5], and is given `x` [1, 4]"),
        (["net.yaml", "wide.onnx"], "wide.onnx takes `x` [N, 5], and is given `x` [1, 4]"),
        (["net.onnx", "net.onnx", "--input", "y=wide.npy"], "net.onnx takes `x` [N, 4], and is given `y` [2, 5]"),
        (["net.yaml", "net.onnx", "--input", "wide.npy"], "net takes `x` [N, 4], and --input gives `x` [2, 5]"),
        (["net.yaml", "net.onnx", "--input", "words.npy"], "`x` holds <U1, and no real or whole numbers"),
        (["net.yaml", "damaged.onnx"], "damaged.onnx is no ONNX file that can be read"),
        (["damaged.onnx", "damaged.onnx", "--on", "onnxruntime"], "damaged.onnx is no ONNX file that can be read"),
        (["net.yaml", "empty.onnx"], "empty.onnx is an ONNX file without nodes"),
    ],
)
def test_what_cannot_be_compared_is_told(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    Path("damaged.onnx").write_bytes(b"abc")
    Path("empty.onnx").touch()
    np.save("wide.npy", np.ones((2, 5), np.float32))
    np.save("words.npy", np.array([["a"] * 4]))
    if "wide.onnx" in words:
        Path("wide.yaml").write_text(SPEC.replace("[N, 4]", "[N, 5]"), encoding="utf-8")
        assert main(["export", "wide.yaml", "-o", "wide.onnx"]) == 0
    assert main(["trace", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_program_of_torch_export(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Its modules have their names, and what lies between counts with the next; inputs have the sizes that it takes."""
    module = netspec.load("net.yaml").module().eval()
    torch.export.save(torch.export.export(module, (torch.randn(7, 4),)), "net.pt2")
    assert main(["trace", "net.yaml", "net.pt2"]) == 0
    assert "net.yaml and net.pt2 agree in all 2 layers" in capsys.readouterr().out
    Path("net.yaml").write_text(SPEC.replace("- gelu", "- gelu: {approximate: tanh}"), encoding="utf-8")
    assert main(["trace", "net.yaml", "net.pt2", "--parting"]) == 1
    assert "net.yaml:7: net.yaml and net.pt2 part first in `last` (linear): " in capsys.readouterr().out
    Path("other.pt2").write_bytes(b"nothing")
    assert main(["trace", "net.yaml", "other.pt2"]) == 2
    assert "other.pt2 is not a program that torch.export.save wrote" in capsys.readouterr().err


def test_a_file_in_8_bits_beside_one_in_32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    body = "[conv2d: {out_channels: 4, kernel_size: 3}, relu, global_avg_pool, linear: 2]"
    Path("net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 3, 8, 8]}}\nnetwork: {body}\n")
    np.save("rows.npy", np.random.default_rng(0).standard_normal((16, 3, 8, 8), np.float32))
    assert main(["export", "net.yaml", "-o", "whole.onnx"]) == 0
    assert main(["export", "net.yaml", "--precision", "int8", "--calibrate", "rows.npy", "-o", "bytes.onnx"]) == 0
    assert main(["trace", "whole.onnx", "bytes.onnx"]) in (0, 1)
