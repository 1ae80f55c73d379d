"""Runs in fewer bits, judged: a budget of accuracy, rows of files to measure on, and one report for all precisions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from netspec.cli import main
from netspec.text.quantities import short_bytes

SPEC = """\
netspec: 1
name: digits
inputs: {image: [N, 1, 8, 8]}
network:
  - conv2d: {out_channels: 8, kernel_size: 3, bias: false}
  - batch_norm2d
  - relu
  - flatten
  - linear: 10
train:
  data: digits
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> str:
    monkeypatch.chdir(tmp_path)
    Path("digits.yaml").write_text(SPEC)
    assert main(["train", "digits.yaml"]) == 0
    return "runs/digits/last"


def accuracies(told: str) -> tuple[float, float]:
    """The accuracy in another precision, and in float32."""
    ((own, whole),) = re.findall(r"validation accuracy: ([\d.]+), ([\d.]+) in float32", told)
    return float(own), float(whole)


def in_bits(file: str) -> int:
    """The number of products that read bytes."""
    nodes = onnx.load(file).graph.node
    taken_back = {name for node in nodes for name in node.output if node.op_type == "DequantizeLinear"}
    return sum(node.op_type in ("Conv", "Gemm") and node.input[0] in taken_back for node in nodes)


def test_a_budget_of_accuracy(run: str, capsys: pytest.CaptureFixture[str]):
    """A channel a thousand times as large as the others takes all steps of the next layer's bytes for itself."""
    state = load_file("runs/digits/1/best.safetensors")
    state["1.weight"][0] *= 1000
    state["1.bias"][0] *= 1000
    state["4.weight"].reshape(10, 8, 36)[:, 0] /= 1000
    save_file(state, "loud.safetensors")
    given = ["export", run, "--weights", "loud.safetensors", "--precision", "int8", "-o", "int8.onnx"]
    capsys.readouterr()
    assert main(given) == 0
    own, whole = accuracies(capsys.readouterr().out)
    assert own < whole - 0.1
    assert main([*given, "--accuracy-budget", "0.01"]) == 0
    told = capsys.readouterr().out
    own, again = accuracies(told)
    assert again == whole
    assert own >= whole - 0.01
    assert "in float32: 4\n" in told
    assert in_bits("int8.onnx") == 1
    assert main([*given, "--accuracy-budget", "-1"]) == 2
    assert main([*given[:-4], "-o", "int8.onnx", "--accuracy-budget", "1"]) == 2


def test_batch_norms_are_folded_before(run: str, capsys: pytest.CaptureFixture[str]):
    assert main(["export", run, "--precision", "int8", "-o", "int8.onnx"]) == 0
    own, whole = accuracies(capsys.readouterr().out)
    assert own >= whole - 0.01
    kinds = [node.op_type for node in onnx.load("int8.onnx").graph.node]
    assert "BatchNormalization" not in kinds
    assert in_bits("int8.onnx") == 2


def test_what_stands_between_layers_is_in_bytes_too(run: str):
    """So onnxruntime joins all of it; but what a layer reads that is left in float32 is not rounded."""
    text = """\
netspec: 1
name: joined
inputs: {image: [N, 3, 8, 8]}
network:
  - conv2d: {name: first, out_channels: 4, kernel_size: 3, padding: 1}
  - relu
  - max_pool2d: 2
  - residual:
      body: [conv2d: {name: inner, out_channels: 4, kernel_size: 3, padding: 1}]
  - relu
  - conv2d: {name: last, out_channels: 2, kernel_size: 3}
"""
    Path("joined.yaml").write_text(text)
    chance = np.random.default_rng(0)
    np.savez("rows.npz", image=chance.normal(size=(20, 3, 8, 8)).astype(np.float32))
    given = ["export", "joined.yaml", "--precision", "int8", "--calibrate", "rows.npz", "-o", "int8.onnx"]
    kinds = []
    for kept in ([], ["--keep-float", "last"]):
        assert main([*given, *kept]) == 0
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = "joined.onnx"
        options.log_severity_level = 3
        onnxruntime.InferenceSession("int8.onnx", options)
        kinds.append([node.op_type for node in onnx.load("joined.onnx").graph.node])
    assert kinds[0].count("QLinearConv") == 2  # what the last one gives is the output, in float32
    assert "QLinearAdd" in kinds[0]
    assert "Relu" not in kinds[0]
    assert "QLinearAdd" not in kinds[1]


def test_rows_of_files(run: str, capsys: pytest.CaptureFixture[str]):
    """Black images alone do not say how far the ranges go."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("black.png")
    given = ["export", run, "--precision", "int8", "-o", "int8.onnx", "--calibrate"]
    capsys.readouterr()
    assert main([*given, "black.png"]) == 0
    own, whole = accuracies(capsys.readouterr().out)
    assert own < whole - 0.05
    folder = Path("some")
    folder.mkdir()
    chance = np.random.default_rng(0)
    for at in range(30):
        Image.fromarray(chance.integers(0, 256, (8, 8)).astype(np.uint8)).save(folder / f"{at}.png")
    assert main([*given, "some"]) == 0
    own, whole = accuracies(capsys.readouterr().out)
    assert own >= whole - 0.05
    assert main([*given, "none.png"]) in (2, 3)


def test_a_spec_with_rows(run: str, capsys: pytest.CaptureFixture[str]):
    chance = np.random.default_rng(0)
    np.savez("rows.npz", image=chance.normal(size=(100, 1, 8, 8)).astype(np.float32))
    given = ["export", "digits.yaml", "--weights", "runs/digits/1/best.safetensors", "--precision", "int8"]
    capsys.readouterr()
    assert main([*given, "-o", "int8.onnx", "--calibrate", "rows.npz"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^a batch: [\d.]+ ms, [\d.]+ ms in float32", told, re.MULTILINE)
    assert max(map(float, re.findall(r"^  \w+: ([\d.e-]+)$", told, re.MULTILINE))) < 0.05
    assert in_bits("int8.onnx") == 2
    assert main([*given, "-o", "int8.onnx", "--calibrate", "rows.npz", "--keep-float", "0"]) == 0
    assert in_bits("int8.onnx") == 1
    assert main([*given, "-o", "int8.onnx"]) == 2
    assert "measures ranges on rows, and digits.yaml is a spec, which has none" in capsys.readouterr().err
    assert main([*given, "-o", "int8.onnx", "--calibrate", "rows.npz", "--accuracy-budget", "0"]) == 2
    np.savez("rows.npz", image=np.zeros((100, 8, 8), np.float32))
    assert main([*given, "-o", "int8.onnx", "--calibrate", "rows.npz"]) == 2
    assert "--calibrate gives `image` [100, 8, 8]" in capsys.readouterr().err


def test_what_cannot_be_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    texts = {
        "[relu, softmax: -1]": (np.ones((3, 8)), "net has no convolution or linear map that could be in 8 bits"),
        "[linear: 4]": (np.full((3, 8), np.nan), "give numbers that are not finite, first in `x`"),
        "[relu, linear: 4]": (np.ones((0, 8)), "there are no rows to measure the ranges of 8 bits on"),
    }
    for network, (rows, said) in texts.items():
        Path("net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 8]}}\nnetwork: {network}\n")
        np.save("x.npy", rows.astype(np.float32))
        assert main(["export", "net.yaml", "--precision", "int8", "--calibrate", "x.npy", "-o", "net.onnx"]) == 2
        assert said in capsys.readouterr().err


def test_half_is_judged_too(run: str, capsys: pytest.CaptureFixture[str]):
    assert main(["export", run, "--precision", "float16", "-o", "half.onnx"]) == 0
    own, whole = accuracies(capsys.readouterr().out)
    assert own == pytest.approx(whole, abs=0.01)
    assert main(["export", run, "--precision", "float16", "-o", "half.onnx", "--calibrate", "x.png"]) == 2
    assert main(["export", run, "--precision", "bfloat16", "-o", "half.onnx"]) == 0
    assert "onnxruntime's CPU does not open a file in bfloat16" in capsys.readouterr().out
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):  # which is true
        onnxruntime.InferenceSession("half.onnx", providers=["CPUExecutionProvider"])
    assert main(["export", run, "-o", "whole.onnx"]) == 0
    capsys.readouterr()
    assert main(["trace", "whole.onnx", "half.onnx"]) == 0
    assert "agree in all 5 layers" in capsys.readouterr().out
    assert main(["trace", "half.onnx", "whole.onnx"]) == 2
    assert "half.onnx is in bfloat16" in capsys.readouterr().err
    assert main(["export", run, "--precision", "bfloat16", "--with-prepare", "-o", "raw.onnx"]) == 0
    told = capsys.readouterr().out
    assert "verified: `netspec predict` and the file agree to" in told
    assert "onnxruntime's CPU does not open a file in bfloat16" in told


def test_files_with_their_preparation_tell_the_same_in_every_precision(run: str, capsys: pytest.CaptureFixture[str]):
    facts = {}
    for precision in ("float16", "int8"):
        assert main(["export", run, "--precision", precision, "--with-prepare", "-o", "raw.onnx"]) == 0
        told = capsys.readouterr().out
        own, whole = accuracies(told)
        assert own == pytest.approx(whole, abs=0.05)
        size = Path("raw.onnx").stat().st_size
        assert told.startswith(f"raw.onnx  {short_bytes(size)}, ")
        facts[precision] = {
            fact
            for fact in (
                "in float32\n",
                "validation loss",
                "ms in float32, on one thread",
                "the farthest from float32 of",
            )
            if fact in told
        }
    assert facts["float16"] == facts["int8"]
    assert len(facts["int8"]) == 4
