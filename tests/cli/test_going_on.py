"""A run that is taken up again: on other data than it was begun with, at its end, and without its best weights."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from netspec.cli import main
from netspec.train.optimize.class_weights import read_loss_weights
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.reading import read_data
from netspec.train.run import Run
from netspec.train.setup import Setup

pytestmark = pytest.mark.slow

SPEC = """\
netspec: 1
name: rows
inputs: {features: [N, 2]}
network: [linear: 2]
train:
  data: {csv: {path: own.csv, target: y, classes: true}}
  prepare: standardize
  loss: cross_entropy
  optimizer: {adam: 0.1}
  epochs: 6
  batch: 8
  checkpoint: {steps: 1}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.yaml").write_text(SPEC)
    draw = random.Random(0)
    write([(draw.gauss(0, 1), draw.gauss(3, 2), draw.choice(("neg", "pos"))) for _ in range(40)])


def write(rows: list[tuple[float, float, str]]) -> None:
    with open("own.csv", "w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "y"), *rows])


def rows() -> list[tuple[float, float, str]]:
    with open("own.csv", newline="") as file:
        return [(float(a), float(b), y) for a, b, y in [*csv.reader(file)][1:]]


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int, *options: str) -> None:
    """A run that has been stopped after so many epochs."""
    with monkeypatch.context() as patch:
        end = Run.end_epoch

        def stop(run: Run) -> None:
            end(run)
            run.requests.asked_to_stop = run.state.epoch == after

        patch.setattr(Run, "end_epoch", stop)
        assert main(["train", "rows.yaml", "-o", "run", *options]) == 130


def again(*options: str) -> int:
    return main(["train", "rows.yaml", "--resume", "run", *options])


def files(*but: str) -> dict[str, str]:
    """The digest of each file of the run."""
    found = [each for each in Path("run").rglob("*") if each.is_file() and each.name not in but]
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in found}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[:30], "`train` has 30 rows, not 40"),
        (lambda rows: rows[::-1], "the 40 rows of `train` have other values, or another order"),
        (
            lambda rows: [(a, b, "pos" if y == "neg" else "neg") for a, b, y in rows],
            "the 40 rows of `train` have other values, or another order",
        ),
    ],
)
def test_changed_data_are_refused(
    change: object, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    interrupted(monkeypatch, 2)
    before = files()
    write(change(rows()))  # type: ignore[operator]
    capsys.readouterr()
    assert again() == 1
    assert capsys.readouterr().err == (
        f"netspec: run was begun with other data: {told}. Put the old ones back or start a new run; "
        "`--changed-data` goes on with these\n"
    )
    assert files() == before


def test_an_unknown_class_is_refused_though_changed_data_are_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    interrupted(monkeypatch, 2)
    write([*rows(), (0.0, 0.0, "new")])
    capsys.readouterr()
    assert again("--changed-data") == 1
    assert "own.csv, line 42: `y` is `new`, which the network was not trained on" in capsys.readouterr().err


def test_classes_weigh_what_they_weighed(monkeypatch: pytest.MonkeyPatch):
    """Also on other data, and where no transform has learned of the old ones."""
    how = ["--set", "train.loss.weight=balanced", "--set", "train.prepare=[]"]
    interrupted(monkeypatch, 2, *how)
    weights = Path("run/loss_weights.safetensors").read_bytes()
    write([*rows(), *[each for each in rows() if each[2] == "pos"] * 3])
    assert again("--changed-data", *how) == 0
    assert Path("run/loss_weights.safetensors").read_bytes() == weights
    (run,) = TrainedRun.find("run")
    scores = run.module("torch")(torch.tensor([row[:2] for row in rows()]))
    classes = torch.tensor([row[2] == "pos" for row in rows()]).long()
    parts = Setup(run.graph, read_data(run.graph, run.meaning()), torch.device("cpu")).train.subset
    wanted = F.cross_entropy(scores[parts], classes[parts], read_loss_weights(run.path)["output"].float())
    assert run.folder.result()["scores"]["train"]["loss"] == pytest.approx(wanted.item(), abs=1e-5)


def test_changed_data_mean_what_they_meant(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Classes and fitted transforms stay; from then on these are the run's data."""
    interrupted(monkeypatch, 2)
    kept, states = json.loads(Path("run/data.json").read_text()), Path("run/transforms.safetensors").read_bytes()
    write([each for each in rows() if each[2] == "pos"])
    count = len(rows())
    assert again("--changed-data") == 0
    found = json.loads(Path("run/data.json").read_text())
    others = {"rows": None, "sha256": None}  # the rows, and the digest of the whole file
    assert found | others == kept | others
    assert found["rows"]["train"]["rows"] == count
    assert Path("run/transforms.safetensors").read_bytes() == states
    capsys.readouterr()
    assert again() == 0
    assert capsys.readouterr().err == ""


def test_the_same_rows_in_another_form_are_the_same(monkeypatch: pytest.MonkeyPatch):
    """Columns in another order and one besides change nothing: the losses are those of a run that went through."""
    assert main(["train", "rows.yaml", "-o", "through"]) == 0
    interrupted(monkeypatch, 2)
    found = rows()
    with open("own.csv", "w", newline="") as file:
        csv.writer(file).writerows([("y", "note", "b", "a"), *((y, "?", b, a) for a, b, y in found)])
    assert again() == 0
    losses = []
    for run in ("run", "through"):
        lines = [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines if "loss" in line])
    assert losses[0] == losses[1]


def test_a_run_at_its_end_is_left_as_it_is(capsys: pytest.CaptureFixture[str]):
    """Whatever has become of its data, which is told; files that are missing are made again."""
    assert main(["train", "rows.yaml", "-o", "run"]) == 0
    before, told = files(), capsys.readouterr().out.split("\n\n")[-2]
    write([(a, b, "zebra") for a, b, _ in rows()])
    for start in (["--resume", "run"], ["-o", "run"]):
        assert main(["train", "rows.yaml", *start]) == 0
        found = capsys.readouterr()
        assert found.err.startswith(
            "netspec: the data differ from those it was trained on: own.csv, line 2: `y` is `zebra`"
        )
        assert told in found.out
        assert files() == before
    Path("own.csv").unlink()
    for name in ("model.onnx", "curves.png", "report.html"):
        Path("run", name).unlink()
    Path("run/.lock").touch()  # as a kill leaves it
    assert again() == 0
    assert capsys.readouterr().err == "netspec: the data differ from those it was trained on: there is no own.csv\n"
    assert not Path("run/.lock").exists()
    assert files("curves.png") == {name: digest for name, digest in before.items() if not name.endswith("curves.png")}
    assert Path("run/curves.png").is_file()


@pytest.mark.parametrize("after", [2, 6])
def test_best_weights_that_are_gone_are_sought_anew(
    after: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The scores of the end are those of the epoch that the result names."""
    options = ("--set", "train.optimizer.lr=0.5") if after == 2 else ()
    if after == 2:
        interrupted(monkeypatch, 2, *options)
    else:
        assert main(["train", "rows.yaml", "-o", "run"]) == 0
        Path("run/result.json").unlink()
    Path("run/best.safetensors").unlink()
    capsys.readouterr()
    assert again(*options) == 0
    assert "run/best.safetensors is gone" in capsys.readouterr().err
    result = json.loads(Path("run/result.json").read_text())
    (best,) = result["best_epoch"]
    assert best > 2
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    (epoch,) = [line for line in lines if line.get("epoch") == best]
    assert epoch["train"]["loss"] == pytest.approx(result["scores"]["train"]["loss"], abs=1e-6)
    assert main(["evaluate", "run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["train"] == pytest.approx(result["scores"]["train"], abs=1e-6)


def test_a_folder_with_files_of_another_run_is_left_alone(capsys: pytest.CaptureFixture[str]):
    """What they say of their data cannot be believed of others."""
    assert main(["train", "rows.yaml", "-o", "run"]) == 0
    Path("other").mkdir()
    for name in ("data.json", "transforms.safetensors"):
        shutil.copy(f"run/{name}", "other")
    before = {each.name: each.read_bytes() for each in Path("other").iterdir()}
    write([(10 * a, b, f"not {y}") for a, b, y in rows()])
    assert main(["train", "rows.yaml", "-o", "other"]) == 2
    assert {each.name: each.read_bytes() for each in Path("other").iterdir()} == before
