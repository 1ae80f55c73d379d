"""Yes and no, however they are written: named as the data name them, or refused where they are no such two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from netspec.cli import main
from netspec.train.predict.answers import Predictor
from netspec.train.predict.trained_run import TrainedRun

SPEC = """\
netspec: 1
name: sides
inputs: {{features: [N, 1]}}
network: [linear: 1]
train: {{data: {{csv: {{path: own.csv, target: y{classes}}}}}, loss: {loss}, optimizer: {{sgd: 0.5}}, epochs: 20}}
"""


def begin(folder: Path, labels: tuple[str, ...], loss: str, classes: bool) -> int:
    rows = "".join(f"{place - 0.5},{labels[place % len(labels)]}\n" for place in (0, 1, 0, 1, 2, 1))
    Path("own.csv").write_text(f"x,y\n{rows}")
    Path("sides.yaml").write_text(SPEC.format(loss=loss, classes=", classes: true" if classes else ""))
    return main(["train", "sides.yaml", "-o", "run"])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "loss"),
    [
        (("-1", "1"), "binary_cross_entropy"),
        (("no", "yes"), "perceptron"),
        (("N", "Y"), "binary_cross_entropy"),
        (("0", "5"), "binary_cross_entropy"),
    ],
)
def test_two_classes_have_their_names(
    labels: tuple[str, str], loss: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert begin(tmp_path, labels, loss, classes=True) == 0
    (run,) = TrainedRun.find("run")
    Path("new.csv").write_text("x\n-0.5\n0.5\n")
    scores = run.module("torch")(torch.tensor([[-0.5], [0.5]])).flatten().tolist()
    said = [answer.plain()["class"] for answer in Predictor(run).answers("new.csv")]
    assert said == [labels[score > 0] for score in scores] == [*labels]
    Path("one.csv").write_text(f"x,y\n0.5,{labels[1]}\n0.7,{labels[1]}\n")
    capsys.readouterr()
    assert main(["evaluate", "run", "--data", "csv: one.csv", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["rows"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("labels", "loss", "classes", "told"),
    [
        (
            ("-1", "1"),
            "binary_cross_entropy",
            False,
            "`y[0]` is -1, but `binary_cross_entropy` compares with 0, 1",
        ),
        (("0", "5"), "binary_cross_entropy", False, "`y[1]` is 5, but `binary_cross_entropy` compares with"),
        (("0", "0.5"), "perceptron", False, "`y[1]` is 0.5, but `perceptron` compares with 0 and 1"),
        (("a", "b", "c"), "perceptron", True, "`perceptron` distinguishes two classes, but the target is one of 3"),
        (("yes",), "binary_cross_entropy", True, "every row of `y` is `yes`, but `binary_cross_entropy` tells two"),
    ],
)
def test_what_is_not_yes_or_no(
    labels: tuple[str, ...], loss: str, classes: bool, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert begin(tmp_path, labels, loss, classes) == 1
    assert told in capsys.readouterr().err
