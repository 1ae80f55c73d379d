"""A flipped bit or a cut in any file of a run is told in a sentence that names the file, or does no harm.

``NETSPEC_MANY=25`` tries about a thousand of them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from train import small

from netspec.cli import main

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
TIMES = 40 * MANY
SPEC = """\
netspec: 1
name: line
import: [parts.yaml]
inputs: {x: [N, 4]}
network: [{linear: {name: first, out_features: 4}}, relu, last]
train:
  data: {csv: {path: line.csv, target: y, missing: fill, categories: one_hot}}
  prepare: [standardize, standardize_targets]
  loss: mse
  optimizer: {adam: 0.05}
  groups: {first.bias: {lr: 0.01, warmup: 3}}
  layer_decay: 0.8
  ema: 0.9
  epochs: 3
  batch: 4
  validation: 0.25
  checkpoint: {steps: 2}
"""
PARTS = """\
netspec: 1
blocks:
  last:
    body: [{linear: {out_features: 1, name: only}}]
"""
READ_BACK = [
    "run.json",
    "spec.yaml",
    "sources/parts.yaml",
    "data.json",
    "result.json",
    "best.safetensors",
    "transforms.safetensors",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, and one that was stopped after its second epoch."""
    folder = tmp_path_factory.mktemp("damage")
    rows = [f"{x},{y if y else ''},{'red' if x % 2 else 'blue'},{2 * x - y + 1}" for x in range(4) for y in range(4)]
    (folder / "line.csv").write_text("\n".join(["x,z,colour,y", *rows]) + "\n")
    (folder / "line.yaml").write_text(SPEC)
    (folder / "parts.yaml").write_text(PARTS)
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert main(["train", "line.yaml", "-o", "whole"]) == 0
    finally:
        os.chdir(before)
    shutil.copytree(folder / "whole", folder / "stopped")
    for name in ("result.json", "report.html", "model.onnx", "curves.png"):
        (folder / "stopped" / name).unlink()
    newest = json.loads((folder / "stopped/checkpoints/index.json").read_text())
    (folder / "stopped/checkpoints" / newest[-1]["name"]).unlink()  # it goes on after the one before
    return folder


def damage(path: Path, rng: random.Random) -> str:
    """Flip a bit, or cut the file; gives what was done."""
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    if rng.random() < 0.2:
        del data[at:]
        path.write_bytes(data)
        return f"{path.name} cut at {at}"
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"{path.name}: a bit at {at}"


@pytest.mark.slow
def test_damaged_files_are_named_or_do_no_harm(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(project)
    (project / "rows.csv").write_text("x,z,colour\n1,2,red\n3,,blue\n")
    calls = {
        "whole": (
            ["evaluate", "{}"],
            ["predict", "{}", "rows.csv"],
            ["predict", "{}", "rows.csv", "--runtime", "onnx"],
        ),
        "stopped": (["train", "line.yaml", "--resume", "{}"],),
    }
    said = {}
    for call in calls["whole"]:
        assert main([word.format("whole") for word in call]) == 0
        said[tuple(call)] = capsys.readouterr().out
    losses = small.losses(project / "whole")
    rng = random.Random(MANY)
    files = {run: sorted(path for path in (project / run).rglob("*") if path.is_file()) for run in calls}
    for number in range(TIMES):
        run = "stopped" if number % 4 == 0 else "whole"
        call = rng.choice(calls[run])
        shutil.rmtree(project / "copy", ignore_errors=True)
        shutil.copytree(project / run, project / "copy")
        path = rng.choice(files[run])
        what = damage(project / "copy" / path.relative_to(project / run), rng)
        code = main([word.format("copy") for word in call])
        out, told = capsys.readouterr()
        assert code in (0, 1, 2, 3), (what, call, told)
        if code:
            assert path.name in told or "best.safetensors" in told, (what, call, told)
        elif run == "whole":
            assert out == said[tuple(call)].replace("whole", "copy"), (what, call)
        elif path.name != "metrics.jsonl":
            assert small.losses(project / "copy") == losses, (what, call, told)
        else:
            assert set(small.losses(project / "copy")) == set(losses) or "metrics.jsonl is damaged" in told, what


@pytest.mark.parametrize("name", READ_BACK)
def test_a_file_that_is_gone_is_named(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(project)
    shutil.rmtree(project / "copy", ignore_errors=True)
    shutil.copytree(project / "whole", project / "copy")
    (project / "copy" / name).unlink()
    assert main(["evaluate", "copy"]) in (0, 2, 3)
    told = capsys.readouterr().err
    assert "copy" in told or name == "data.json"  # which only predictions need
