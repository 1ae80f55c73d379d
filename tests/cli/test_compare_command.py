"""``netspec compare`` as a user meets it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from netspec.cli import main
from netspec.cli.commands.training.compare.candidates import split
from netspec.cli.commands.training.compare.summary import summary
from netspec.cli.commands.training.train.work import completed
from netspec.pipeline import compile_spec
from netspec.train.job import Job
from netspec.train.store.folder import RunFolder

pytestmark = pytest.mark.slow

SPEC = """\
netspec: 1
name: tumours
params: {width: 4}
variants: {narrow: {width: 2}, wide: {width: 16}}
inputs: {features: [N, 30]}
network: [{linear: width}, relu, {linear: 2}]
train: {data: breast_cancer, prepare: standardize, loss: cross_entropy, optimizer: adam, epochs: 2, validation: 0.2}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tumours.yaml").write_text(SPEC)


def compared(number: int = 1) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(Path(f"runs/compare/{number}/compare.json").read_text())
    return found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sgd, adam", ["sgd", "adam"]),
        ("{sgd: {lr: 0.1, momentum: 0.9}},adam", ["{sgd: {lr: 0.1, momentum: 0.9}}", "adam"]),
        ("[1, 2],3", ["[1, 2]", "3"]),
        ("'a,b',\"c]\",d", ["'a,b'", '"c]"', "d"]),
        ("", [""]),
    ],
)
def test_commas_divide_outside_of_brackets(text: str, parts: list[str]):
    assert split(text) == parts


def test_one_key_with_several_values(capsys: pytest.CaptureFixture[str]):
    """What is compared equals what each would have been alone."""
    assert main(["compare", "tumours.yaml", "--over", "train.optimizer=sgd,{adam: {lr: 0.1}}"]) == 0
    shown = capsys.readouterr().out
    assert main(["train", "tumours.yaml", "--set", "train.optimizer={adam: {lr: 0.1}}"]) == 0
    alone = json.loads(Path("runs/tumours/1/result.json").read_text())
    found = compared()
    assert [*found] == ["sgd", "adam: {lr: 0.1}"]
    assert found["adam: {lr: 0.1}"]["scores"] == alone["scores"]
    lines = shown.splitlines()
    row = next(line for line in lines if line.startswith("adam: {lr: 0.1} *"))
    assert f"{alone['scores']['validation']['accuracy']:.4f}" in row
    assert "* best by validation accuracy" in lines
    with Image.open("runs/compare/1/compare.png") as picture:
        assert picture.size[0] > picture.size[1]


def test_every_combination_and_variants(capsys: pytest.CaptureFixture[str]):
    options = ["--over", "variant=narrow,wide", "--over", "train.optimizer.lr=0.1,0.2", "--set", "train.epochs=1"]
    assert main(["compare", "tumours.yaml", *options]) == 0
    assert [*compared()] == [
        "narrow, lr 0.1",
        "narrow, lr 0.2",
        "wide, lr 0.1",
        "wide, lr 0.2",
    ]
    run = json.loads(Path("runs/compare/1/3-wide-lr-0.1/run.json").read_text())
    assert run["parameters"]["width"] == 16
    assert run["recipe"]["optimizer"]["adam"]["lr"] == 0.1
    capsys.readouterr()
    assert main(["evaluate", "runs/compare/1/3-wide-lr-0.1", "--format", "json"]) == 0
    made = json.loads(capsys.readouterr().out)["scores"]
    assert made == {part: pytest.approx(scores) for part, scores in compared()["wide, lr 0.1"]["scores"].items()}


def test_a_run_that_cannot_go_on_is_left_out(capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "tumours.yaml", "--over", "train.optimizer={sgd: 1e30},adam"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("netspec: sgd: 1e30: the loss is ")
    row, fault = [line for line in captured.out.splitlines() if line.startswith("sgd: 1e30")][1:]
    assert row.split()[2:] == ["–"] * 6
    assert re.fullmatch(r"sgd: 1e30: the loss is \w+ at step \d: the .* not finite", fault)
    assert "scores" not in compared()["sgd: 1e30"]


def test_an_interruption_shows_what_has_come_to_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    begun: list[Job] = []

    def interrupted(job: Job) -> bool:
        begun.append(job)
        return completed(job) if len(begun) == 1 else False

    monkeypatch.setattr("netspec.cli.commands.training.compare.candidates.completed", interrupted)
    assert main(["compare", "tumours.yaml", "--over", "train.optimizer=sgd,adam,adadelta"]) == 130
    rows = {
        line.split()[0]: line.split()[1:]
        for line in capsys.readouterr().out.splitlines()
        if line[:4] in ("sgd ", "adam")
    }
    assert len(begun) == 2
    assert rows["adam"] == ["–"] * 6
    assert rows["sgd"][-1] == "s"
    assert [*compared()] == ["sgd", "adam"]
    assert Path("runs/compare/1/compare.png").is_file()


DEEP = """\
netspec: 1
name: deep
params: {depth: 12, activation: {default: sigmoid, choices: [sigmoid, relu]}}
inputs: {features: [N, 30]}
network:
  - repeat: {name: hidden, count: depth, body: [{linear: 16}, $activation]}
  - linear: {name: head, out_features: 2}
init: {linear.weight: kaiming_normal}
train: {data: breast_cancer, prepare: standardize, loss: cross_entropy, optimizer: adam, epochs: 1}
"""


def test_where_gradients_vanish(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The layer is named, and the picture has a second row; of networks that start the same it has not."""
    drawn: list[list[str]] = []
    save = Figure.savefig

    def record(figure: Figure, *arguments: Any, **keywords: Any) -> None:
        drawn.append([axis.get_title("left") for axis in figure.axes])
        save(figure, *arguments, **keywords)

    monkeypatch.setattr(Figure, "savefig", record)
    Path("deep.yaml").write_text(DEEP)
    assert main(["compare", "deep.yaml", "--over", "activation=sigmoid,relu"]) == 0
    told = capsys.readouterr().out.splitlines()
    at = told.index("before the first step")
    assert re.fullmatch(
        r"  sigmoid: gradients vanish: at `hidden\.0\.0` they are \S+e-\d+ of those at `head`", told[at + 1]
    )
    assert told[at + 2] == ""
    found = compared()
    assert [layer["path"] for layer in found["relu"]["layers"]] == [*(f"hidden.{at}.0" for at in range(12)), "head"]
    assert found["relu"]["verdict"] == ""
    assert f"  sigmoid: {found['sigmoid']['verdict']}" == told[at + 1]
    by_layer = ["gradients at the start, by layer", "activations at the start, by layer"]
    assert drawn[-1] == ["train loss", "validation loss", *by_layer]
    assert main(["compare", "deep.yaml", "--over", "train.optimizer=sgd,adam"]) == 0
    assert drawn[-1] == ["train loss", "validation loss"]


def test_networks_of_several_sizes_say_how_large_they_are(capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "tumours.yaml", "--over", "variant=narrow,wide", "--set", "train.epochs=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.replace("*", "").split() for line in lines[-6:] if line.startswith(("narrow", "wide"))]
    assert [row[:2] for row in rows] == [["narrow", "68"], ["wide", "530"]]


def test_a_long_label_is_broken_where_the_terminal_ends():
    long = "sgd: {lr: 0.05, momentum: 0.9, nesterov: true}"
    scores = {"validation": {"loss": 2.5e9, "accuracy": 0.5}}
    found = {"parameters": 8, "scores": scores, "best_epoch": [3], "seconds": 75.0, "verdict": ""}
    outcomes = {long: found, "adam": {**found, "scores": {"validation": {"loss": 1.0, "accuracy": 0.5}}}}
    folders = dict.fromkeys(outcomes, RunFolder(Path("runs")))
    assert summary(outcomes, compile_spec("tumours.yaml"), folders, 62).splitlines() == [
        "                   validation             best",
        "                         loss  accuracy  epoch        time",
        "sgd: {lr: 0.05,     2.500e+09    0.5000      3  1 min 15 s",
        "  momentum: 0.9,",
        "  nesterov: true}",
        "adam *                 1.0000    0.5000      3  1 min 15 s",
        "",
        "* best by validation accuracy",
    ]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ["tumours.yaml"],
            "there is only one run to compare: name several specs, or `--over train.optimizer=sgd,adam`",
        ),
        (["tumours.yaml", "--set", "width"], "--set takes NAME=VALUE, not `width`"),
        (["tumours.yaml", "--over", "width"], "--over takes KEY=VALUE,VALUE,…, not `width`"),
        (["tumours.yaml", "--over", "width=3,,4"], "--over takes KEY=VALUE,VALUE,…, not `width=3,,4`"),
        (["tumours.yaml", "--over", "width=3,3"], "`width 3` is compared with itself"),
        (["tumours.yaml", "tumours.yaml"], "`tumours` is compared with itself"),
    ],
)
def test_what_cannot_be_compared(arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *arguments]) == 2
    assert capsys.readouterr().err == f"netspec: {fault}\n"
    assert not Path("runs").exists()


def test_nothing_is_trained_where_one_is_at_fault(capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "tumours.yaml", "--over", "train.optimizer=adam,adma"]) == 1
    assert "there is no optimizer named `adma`" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_an_optimizer_named_alone_is_told_to_have_another_rate(capsys: pytest.CaptureFixture[str]):
    Path("tumours.yaml").write_text(SPEC.replace("optimizer: adam", "optimizer: {adam: 0.02}"))
    assert main(["compare", "tumours.yaml", "--over", "train.optimizer=sgd,{adam: 0.02}"]) == 0
    told = "`sgd` alone has its default learning rate, 0.001, not the spec's 0.02: `{sgd: 0.02}` has that one"
    assert capsys.readouterr().err == f"netspec: {told}\n"
