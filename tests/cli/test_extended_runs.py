"""Runs that go on without their options said again, and runs that become longer."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from netspec.cli import main
from netspec.train.run import Run

pytestmark = pytest.mark.slow

SPEC = """\
netspec: 1
name: net
params: {width: 4}
variants: {wide: {width: 9}}
inputs: {features: [N, 30]}
network: [{linear: width}, relu, {dropout: 0.2}, {linear: 2}]
train:
  data: breast_cancer
  prepare: standardize
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
  batch: 100
  validation: 0.2
  checkpoint: {steps: 1}
"""
STEPS_PER_EPOCH = 4


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def stopped(monkeypatch: pytest.MonkeyPatch, epoch: int, *words: str) -> None:
    """Train, and be stopped at the end of an epoch."""
    with monkeypatch.context() as patch:
        end = Run.end_epoch

        def stop(run: Run) -> None:
            end(run)
            run.requests.asked_to_stop = run.state.epoch == epoch

        patch.setattr(Run, "end_epoch", stop)
        assert main(["train", *words]) == 130


def lines(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def losses(run: str) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in lines(run) if "loss" in line]


def rates(run: str) -> list[float]:
    """The rate at the end of each epoch."""
    return [line["lr"] for line in lines(run) if "epoch" in line]


def same(run: str, other: str) -> None:
    """Guard: two runs have learned the same, bit for bit."""
    assert losses(run) == losses(other)
    kept, wanted = (load_file(Path(each, "best.safetensors")) for each in (run, other))
    assert all(torch.equal(kept[name], tensor) for name, tensor in wanted.items())
    results = [json.loads(Path(each, "result.json").read_text()) for each in (run, other)]
    for key in ("scores", "best_epoch", "steps"):
        assert results[0][key] == results[1][key]


SETS = ("--set", "width=7", "--set", "train.optimizer.lr=0.02", "--set", "train.seed=5")


@pytest.mark.parametrize("words", [("net.yaml", "--resume", "last"), ("--resume", "last"), ("--resume", "runs/net/1")])
def test_a_run_knows_what_was_set(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["train", "net.yaml", *SETS, "-o", "whole"]) == 0
    stopped(monkeypatch, 2, "net.yaml", *SETS)
    assert capsys.readouterr().out.endswith("and saved; to resume:\n  netspec train --resume runs/net/1\n")
    assert main(["train", *words]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"runs/net/1 goes on as it was begun, with {' '.join(SETS)}\n")
    assert told.err == ""
    same("runs/net/1", "whole")


def test_a_run_knows_its_variant(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    stopped(monkeypatch, 1, "net.yaml", "--variant", "wide")
    assert main(["train", "net.yaml", "--resume", "last"]) == 0
    assert "runs/wide/1 goes on as it was begun, with --variant wide\n" in capsys.readouterr().out
    assert main(["train", "net.yaml", "--variant", "other", "--resume", "runs/wide/1"]) == 1
    assert capsys.readouterr().err == "netspec: runs/wide/1 is a run of wide, not of other\n"


@pytest.mark.parametrize("named", [(), ("net.yaml",)])
def test_a_spec_that_has_changed_since_is_told_and_the_runs_own_goes_on(
    named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["train", "net.yaml", "-o", "whole"]) == 0
    stopped(monkeypatch, 1, "net.yaml")
    Path("net.yaml").write_text(SPEC.replace("relu", "tanh").replace("width: 4", "width: 5").replace("s: 3", "s: 8"))
    capsys.readouterr()
    assert main(["train", *named, "--resume", "last"]) == 0
    assert capsys.readouterr().err == (
        "netspec: net.yaml has changed (layers 0, 1; `width` is 5, not 4; `epochs` is 8, not 3) since runs/net/1 was "
        "begun; it goes on with its own copy, runs/net/1/spec.yaml (`netspec diff runs/net/1/spec.yaml net.yaml`)\n"
    )
    same("runs/net/1", "whole")
    Path("net.yaml").write_text(SPEC.replace("relu", "rleu"))
    assert main(["train", "--resume", "last"]) == 0
    assert capsys.readouterr().err == (
        "netspec: net.yaml has changed, and is at fault, since runs/net/1 was begun; it goes on with its own copy, "
        "runs/net/1/spec.yaml\n"
    )
    for text in ("# of its own\n" + SPEC, None):
        Path("net.yaml").write_text(text) if text else Path("net.yaml").unlink()
        assert main(["train", "--resume", "last"]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "recipe",
    [
        (),
        ("--set", "train.schedule={step: {step_size: 2, gamma: 0.5}}"),
        ("--set", "train.schedule={inverse_sqrt: {warmup: 5}}", "--set", "train.ema=0.9"),
        ("--set", "train.average=2"),
        ("--set", "train.schedule={plateau: {patience: 0, factor: 0.5}}"),
    ],
)
def test_a_run_that_is_extended_is_one_that_was_longer_from_the_start(recipe: tuple[str, ...]):
    assert main(["train", "net.yaml", *recipe, "--set", "train.epochs=7", "-o", "whole"]) == 0
    assert main(["train", "net.yaml", *recipe]) == 0
    assert main(["train", "--resume", "last", "--set", "train.epochs=5"]) == 0
    assert main(["train", "--resume", "last", "--set", "train.epochs=7"]) == 0
    same("runs/net/1", "whole")
    assert len(rates("runs/net/1")) == 7
    assert json.loads(Path("runs/net/1/run.json").read_text())["recipe"]["epochs"] == 7


def test_steps_end_in_the_middle_of_an_epoch_which_is_completed():
    steps = ("--set", "train.epochs=null", "--set")
    assert main(["train", "net.yaml", *steps, "train.steps=14", "-o", "whole"]) == 0
    assert main(["train", "net.yaml", *steps, "train.steps=6"]) == 0
    assert main(["train", "--resume", "last", "--set", "train.steps=14"]) == 0
    assert losses("runs/net/1") == losses("whole")


def test_an_extension_is_interrupted_and_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Also one that is killed before anything of it is noted."""
    cosine = ("--set", "train.schedule=cosine")
    more = ("--resume", "runs/net/1", "--set", "train.epochs=6", "--stretch-schedule")
    assert main(["train", "net.yaml", *cosine]) == 0
    shutil.copytree("runs/net/1", "whole")
    assert main(["train", "--resume", "whole", *more[2:]]) == 0
    Path("runs/net/1/result.json").unlink()  # as a kill would leave it
    assert main(["train", "--resume", "last"]) == 0
    assert json.loads(Path("runs/net/1/result.json").read_text())["steps"] == [3 * STEPS_PER_EPOCH]
    stopped(monkeypatch, 5, *more)
    assert main(["evaluate", "last"]) == 0
    told = capsys.readouterr().err
    assert told.startswith(
        "netspec: runs/net/1 is not finished: these are the best weights that it has so far, of epoch "
    )
    assert told.endswith(" of 6; to resume:\n  netspec train --resume runs/net/1\n")
    assert main(["train", "--resume", "last"]) == 0
    same("runs/net/1", "whole")


def by_torch(kind: Any, steps: int, **how: Any) -> list[float]:
    """The rate of each of so many steps, by torch's scheduler."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    schedule, found = kind(optimizer, **how), []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


SCHEDULES = {
    "cosine": lambda steps: (CosineAnnealingLR, {"T_max": steps}),
    "linear": lambda steps: (LinearLR, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": steps}),
}


@pytest.mark.parametrize("name", [*SCHEDULES])
def test_a_schedule_that_leads_to_the_end(name: str, capsys: pytest.CaptureFixture[str]):
    """Return the schedule of an extended run by torch's formula: its last rate goes on, or it is stretched."""
    planned, total = 3 * STEPS_PER_EPOCH, 5 * STEPS_PER_EPOCH
    assert main(["train", "net.yaml", "--set", f"train.schedule={name}"]) == 0
    shutil.copytree("runs/net/1", "stretched")
    capsys.readouterr()
    assert main(["train", "--resume", "last", "--set", "train.epochs=5"]) == 0
    kind, how = SCHEDULES[name](planned)
    last = by_torch(kind, planned, **how)[-1]
    assert rates("runs/net/1")[3:] == pytest.approx([last, last], rel=1e-6)
    assert (
        f"runs/net/1 is extended from 3 epochs to 5 epochs. Its schedule, {name}, was planned for 3 epochs: what comes "
        f"after them goes on at its last learning rate, {last:.3g}; `--stretch-schedule` plans it for 5 epochs "
    ) in capsys.readouterr().out
    assert main(["train", "--resume", "stretched", "--set", "train.epochs=5", "--stretch-schedule"]) == 0
    kind, how = SCHEDULES[name](total)
    wanted = by_torch(kind, total, **how)
    assert rates("stretched")[3:] == pytest.approx([wanted[16], wanted[19]], rel=1e-6)
    assert (
        f"and its schedule, {name}, with it: the learning rate goes on at {wanted[12]:.3g}, to {wanted[19]:.3g}\n"
    ) in capsys.readouterr().out


def test_every_fold_is_extended():
    folds = ("--set", "train.folds=2", "--set", "train.validation=null")
    assert main(["train", "net.yaml", *folds, "--set", "train.epochs=4", "-o", "whole"]) == 0
    assert main(["train", "net.yaml", *folds]) == 0
    assert main(["train", "--resume", "last", "--set", "train.epochs=4"]) == 0
    for fold in ("fold-1", "fold-2"):
        assert losses(f"runs/net/1/{fold}") == losses(f"whole/{fold}")


def test_patience_begins_anew():
    early = ("--set", "train.early_stopping={patience: 1, min_delta: 100}", "--set", "train.epochs=9")
    assert main(["train", "net.yaml", *early]) == 0
    assert len(rates("runs/net/1")) == 2
    assert main(["train", "--resume", "last"]) == 0
    assert len(rates("runs/net/1")) == 2
    assert main(["train", "--resume", "last", "--set", "train.epochs=10"]) == 0
    assert len(rates("runs/net/1")) == 3


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--set", "train.epochs=2"], 1, r"has ended after 3 epochs, and cannot become shorter: `netspec train SPEC"),
        (["--set", "train.seed=2", "--set", "train.epochs=9"], 1, r"was begun otherwise: `seed` is 0, not 2; start a"),
        (["--stretch-schedule"], 2, r"--stretch-schedule is for a run that becomes longer: add"),
        (["-o", "x"], 2, r"--resume goes on in the run's own folder: leave -o out"),
    ],
)
def test_what_is_refused_leaves_the_run_as_it_was(
    words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["train", "net.yaml"]) == 0
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    assert main(["train", "--resume", "last", *words]) == code
    assert re.search(told, capsys.readouterr().err)
    assert main(["train", "--resume", "last", "--set", "train.epochs=4", "--dry-run"]) == 0
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == before


def test_weights_that_are_gone_cannot_be_averaged(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "net.yaml", "--set", "train.average=2"]) == 0
    assert main(["train", "--resume", "last", "--set", "train.epochs=4"]) == 1
    assert capsys.readouterr().err.endswith("are gone: extend it by 2 epochs at least\n")
    assert Path("runs/net/1/result.json").is_file()


def test_without_a_spec_there_is_a_run(capsys: pytest.CaptureFixture[str]):
    assert main(["train"]) == 2
    assert capsys.readouterr().err == (
        "netspec: name a SPEC to train, or a run to go on with: `netspec train --resume last`\n"
    )
    assert main(["train", "--resume", "last"]) == 2
    assert capsys.readouterr().err == "netspec: there is no run in runs/ yet: `netspec train SPEC` makes one\n"
    assert main(["train", "net.yaml", "--stretch-schedule"]) == 2
    assert "--stretch-schedule is for a run that becomes longer" in capsys.readouterr().err


def test_the_last_run_of_all(capsys: pytest.CaptureFixture[str]):
    Path("other.yaml").write_text(SPEC.replace("name: net", "name: other"))
    for spec in ("other.yaml", "net.yaml"):
        assert main(["train", spec, "--set", "train.epochs=1"]) == 0
    capsys.readouterr()
    found = []
    for run in ("last", "runs/last", "runs/net/last", "runs/other/last"):
        assert main(["evaluate", run, "--format", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] == found[2]
    Path("row.csv").write_text(",".join(["0.5"] * 30) + "\n")
    assert main(["predict", "last", "row.csv"]) == 0
    assert main(["export", "last", "-o", "last.onnx"]) == 0
    assert main(["train", "other.yaml", "--resume", "last", "--set", "train.epochs=2"]) == 0
    assert "runs/other/1 is extended from 1 epoch to 2 epochs" in capsys.readouterr().out
    assert Path("last.onnx").is_file()


def test_the_last_run_may_be_one_with_a_folder_of_its_own(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "net.yaml", "--set", "train.epochs=1"]) == 0
    assert main(["train", "net.yaml", "--set", "train.epochs=2", "-o", "runs/mine"]) == 0
    assert main(["train", "--resume", "last", "--set", "train.epochs=3"]) == 0
    assert "runs/mine is extended from 2 epochs to 3 epochs" in capsys.readouterr().out


@pytest.mark.parametrize("schedule", ["null", "cosine"])
def test_a_stopped_run_becomes_shorter(
    schedule: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """At the epoch that it has come to it is done at once; with fewer it cannot be."""
    words = ("net.yaml", "--set", "train.epochs=6", "--set", f"train.schedule={schedule}")
    assert main(["train", *words, "-o", "whole"]) == 0
    stopped(monkeypatch, 2, *words)
    for epochs in (4, 2):
        shutil.copytree("runs/net/1", f"short-{epochs}")
        capsys.readouterr()
        assert main(["train", "--resume", f"short-{epochs}", "--set", f"train.epochs={epochs}"]) == 0
        assert f"short-{epochs} is shortened from 6 epochs to {epochs} epochs" in capsys.readouterr().out
        assert losses(f"short-{epochs}") == losses("whole")[: epochs * STEPS_PER_EPOCH]
        assert rates(f"short-{epochs}") == rates("whole")[:epochs]
        assert json.loads(Path(f"short-{epochs}/result.json").read_text())["steps"] == [epochs * STEPS_PER_EPOCH]
    assert main(["train", "--resume", "runs/net/1", "--set", "train.epochs=1"]) == 1
    told = "runs/net/1 has taken 8 steps already: the fewest epochs that it can have are 2"
    assert told in capsys.readouterr().err
    assert main(["train", "--resume", "whole", "--set", "train.epochs=4"]) == 1
    assert "whole has ended after 6 epochs, and cannot become shorter" in capsys.readouterr().err
    assert main(["train", "--resume", "short-4", "--set", "train.epochs=6"]) == 0
    assert len(losses("short-4")) == 6 * STEPS_PER_EPOCH
    if schedule == "null":
        same("short-4", "whole")


def test_a_stopped_run_is_asked_with_what_it_has(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    stopped(monkeypatch, 2, "net.yaml", "--set", "train.epochs=6")
    assert main(["train", "net.yaml"]) == 0
    Path("rows.csv").write_text("\n".join([",".join(f"f{number}" for number in range(30)), ",".join(["1"] * 30)]))
    epochs = [line for line in lines("runs/net/1") if "epoch" in line]
    best = max(epochs, key=lambda line: line["validation"]["accuracy"])
    capsys.readouterr()
    assert main(["compare", "runs/net/1", "runs/net/2"]) == 0
    told = capsys.readouterr()
    assert f"weights that it has so far, of epoch {best['epoch']} of 6; to resume:" in told.err
    assert "net/1, not finished" in told.out
    assert f"{best['validation']['accuracy']:.4f}" in told.out
    for words in (["predict", "rows.csv"], ["export", "-o", "x.onnx"], ["evaluate", "--format", "json"]):
        assert main([words[0], "runs/net/1", *words[1:]]) == 0
        assert "runs/net/1 is not finished: these are" in capsys.readouterr().err
    assert main(["evaluate", "runs/net/1", "--runtime", "onnx"]) == 2
    assert "runs/net/1 has no ONNX file before its end: leave --runtime onnx out" in capsys.readouterr().err
    Path("runs/net/1/best.safetensors").unlink()  # as if it had been stopped in its first epoch
    for words in (["predict", "runs/net/1", "rows.csv"], ["compare", "runs/net/1", "runs/net/2"]):
        assert main(words) == 2
        assert (
            "runs/net/1 was stopped in its first epoch, and has no weights to be asked yet" in capsys.readouterr().err
        )


def test_a_run_without_a_whole_checkpoint_leads_to_a_new_one(capsys: pytest.CaptureFixture[str]):
    """It stays as it was, and the command that is told works."""
    assert main(["train", "net.yaml", "--set", "width=7"]) == 0
    for path in Path("runs/net/1/checkpoints").glob("step-*"):
        path.write_bytes(path.read_bytes()[:300])
    capsys.readouterr()
    assert main(["train", "--resume", "last", "--set", "train.epochs=5"]) == 3
    told = capsys.readouterr().err
    assert "no checkpoint in runs/net/1/checkpoints is whole; a new run, from its best weights:\n" in told
    command = told.splitlines()[-1].split()
    assert command == ["netspec", "train", "runs/net/1", "--weights", "runs/net/1"]
    assert Path("runs/net/1/result.json").is_file()
    assert main(command[1:]) == 0
    assert json.loads(Path("runs/net/2/run.json").read_text())["parameters"] == {"width": 7}


def test_a_recipe_alone_that_has_changed_is_told_without_a_picture_of_networks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stopped(monkeypatch, 1, "net.yaml")
    Path("net.yaml").write_text(SPEC.replace("adam: 0.01", "adam: 0.02"))
    capsys.readouterr()
    assert main(["train", "--resume", "last"]) == 0
    told = capsys.readouterr().err
    assert "net.yaml has changed (`optimizer` is adam (lr 0.02, " in told
    assert "netspec diff" not in told
