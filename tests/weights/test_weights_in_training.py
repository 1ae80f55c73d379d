"""Weights that a training starts from: in its recipe, on the command line, when it is resumed, and to evaluate with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoo import vision

import netspec
from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.train.reading import read_data
from netspec.train.setup import Setup

SPEC = """\
netspec: 1
name: small
inputs: {image: [N, 1, 8, 8]}
network:
  - flatten
  - linear: {name: hidden, out_features: 8}
  - relu
  - linear: {name: head, out_features: 10}
train: {data: digits, loss: cross_entropy, optimizer: adam, epochs: 1, batch: 512, devices: cpu}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    Path("specs/small.yaml").write_text(SPEC)
    return tmp_path


def trained() -> dict[str, torch.Tensor]:
    return dict(vision.randomised(netspec.load("specs/small.yaml").module()).state_dict())


def set_up(text: str) -> Setup:
    """A run of the spec with this as its `weights`."""
    Path("specs/started.yaml").write_text(SPEC.replace("devices: cpu", f"devices: cpu, weights: {text}"))
    graph = netspec.load("specs/started.yaml").graph
    return Setup(graph, read_data(graph), torch.device("cpu"))


def test_a_recipe_starts_from_weights_beside_its_spec(folder: Path) -> None:
    wanted = trained()
    save_file(wanted, "specs/x.safetensors")
    setup = set_up("{from: x.safetensors, skip: head.*}")
    assert torch.equal(setup.model.hidden.weight, wanted["hidden.weight"])
    assert not torch.equal(setup.model.head.weight, wanted["head.weight"])
    assert setup.loaded is not None
    assert setup.loaded.line == "2 of 4 parameters; `head` starts anew"
    assert setup.loaded.record["file"] == "specs/x.safetensors"
    again = set_up("{from: x.safetensors, skip: head.*}")
    again.source = None  # as of a run that goes on
    assert not torch.equal(again.model.hidden.weight, wanted["hidden.weight"])
    with pytest.raises(UsageError, match=r"there is no file specs/y.pth"):
        _ = set_up("y.pth").model


def test_weights_that_do_not_fit_begin_no_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({**trained(), "head.weight": torch.ones(3, 8)}, "x.safetensors")
    assert main(["train", "specs/small.yaml", "--weights", "x.safetensors"]) == 2
    assert "`weights: {from: x.safetensors, skip: 'head.*'}` lets it start anew" in capsys.readouterr().err
    assert not Path("runs").exists()
    assert main(["train", "specs/small.yaml", "--weights", "{from: x.safetensors, skip: head.*}", "--dry-run"]) == 0


@pytest.mark.slow
def test_a_run_tells_where_it_started_and_is_resumed_without_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "specs/small.yaml"]) == 0
    best = load_file("runs/small/1/best.safetensors")
    command = ["train", "specs/small.yaml", "--weights", "{from: runs/small/last, skip: head}"]
    assert main([*command, "-o", "second"]) == 0
    told = capsys.readouterr().out
    assert "weights: 2 of 4 parameters; `head` starts anew" in told
    record = json.loads(Path("second/run.json").read_text())
    assert record["recipe"]["weights"] == {"from": "runs/small/last", "skip": ["head"], "rename": {}, "prefix": ""}
    assert record["started_from"]["file"] == "runs/small/1/best.safetensors"
    assert main(["evaluate", "runs/small/1", "--format", "json"]) == 0
    scores = capsys.readouterr().out
    assert main(["evaluate", "second", "--format", "json", "--weights", "runs/small/1"]) == 0
    assert capsys.readouterr().out == scores
    save_file({key: best[key] for key in ("hidden.weight", "hidden.bias")}, "part.safetensors")
    assert main(["predict", "second", "--weights", "part.safetensors", "specs/small.yaml"]) == 2
    assert "part.safetensors has no `head.weight`, `head.bias` of the spec" in capsys.readouterr().err
    assert main(["evaluate", "second", "--runtime", "onnx", "--weights", "runs/small/1"]) == 2
    assert "the ONNX file has its own" in capsys.readouterr().err
    for name in ("result.json", "best.safetensors"):  # as if it were killed in its first steps
        Path("second", name).unlink()
    checkpoints = Path("second/checkpoints").rename("kept")
    Path("runs/small/1/best.safetensors").write_bytes(Path("part.safetensors").read_bytes())
    assert main([*command, "--resume", "second"]) == 1
    assert "second was begun with other weights than runs/small/last holds now" in capsys.readouterr().err
    checkpoints.rename("second/checkpoints")
    Path("runs").rename("gone")
    assert main([*command, "--resume", "second"]) == 0
