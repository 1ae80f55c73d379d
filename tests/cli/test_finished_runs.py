"""``netspec compare`` of runs that have ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from netspec.cli import main

pytestmark = pytest.mark.slow

SPEC = """\
netspec: 1
name: net
params: {width: 4}
inputs: {features: [N, 30]}
network: [{linear: width}, relu, {linear: 2}]
train:
  data: breast_cancer
  prepare: standardize
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 1
  validation: 0.2
"""
SETS = ["--set", "width=8", "--set", "train.optimizer={sgd: 0.1}", "--set", "train.loss.label_smoothing=0.1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs of a spec, and one of another."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("net.yaml").write_text(SPEC)
        Path("other.yaml").write_text(SPEC.replace("name: net", "name: other").replace("relu", "tanh"))
        assert main(["train", "net.yaml"]) == 0
        assert main(["train", "net.yaml", *SETS]) == 0
        assert main(["train", "other.yaml", "--set", "train.optimizer.lr=0.02"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)


def test_what_differs_and_how_they_ended(capsys: pytest.CaptureFixture[str]):
    runs = ["runs/net/1", "runs/net/2", "runs/other/last"]
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    assert main(["compare", *runs, "-o", "losses.png"]) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    blocks = told.split("\n\n")
    assert [line.split() for line in blocks[0].splitlines()] == [
        ["net/1", "net/2", "other/1"],
        ["other", "layers", "0", "1"],
        ["width", "4", "8", "4"],
        ["loss.label_smoothing", "0", "0.1", "0"],
        ["optimizer", "adam", "0.01", "sgd", "0.1", "adam", "0.02"],
    ]
    rows = {line.split()[0]: line.split()[1:] for line in blocks[1].splitlines()}
    for label, run in zip(("net/1", "net/2", "other/1"), ("runs/net/1", "runs/net/2", "runs/other/1")):
        result = json.loads(Path(run, "result.json").read_text())
        cells = [cell for cell in rows[label] if cell != "*"]
        wanted = [
            f"{result['scores'][part][name]:.4f}" for part in ("validation", "test") for name in ("loss", "accuracy")
        ]
        assert cells[1:5] == wanted
        assert cells[0] == ("266" if label == "net/2" else "134")
        assert cells[5] == "1"
    assert "* best by validation accuracy" in told
    with Image.open("losses.png") as picture:
        assert picture.size[0] > picture.size[1]
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == before


def test_of_the_same_optimizer_the_arguments(capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "runs/net/1", "runs/other/1", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differences"] == {
        "other layers": {"net/1": "", "other/1": "1"},
        "optimizer.lr": {"net/1": "0.01", "other/1": "0.02"},
    }
    result = json.loads(Path("runs/net/1/result.json").read_text())
    assert found["runs"]["net/1"]["scores"] == result["scores"]
    assert found["runs"]["net/1"]["parameters"] == 4 * 30 + 4 + 2 * 4 + 2


def test_markdown(capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "runs/net/1", "runs/net/2", "--format", "md"]) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines()[:3] == ["|  | net/1 | net/2 |", "| :-- | --: | --: |", "| other layers |  | 0 |"]
    heads = "|  | parameters | validation loss | validation accuracy | test loss | test accuracy | best epoch | time |"
    assert second.splitlines()[0] == heads
    assert len(second.splitlines()) == 4
    assert second.count("**") == 14


def test_a_table_that_is_too_wide_is_told_key_by_key(capsys: pytest.CaptureFixture[str]):
    for number in range(3):
        shutil.copytree("runs/net/1", f"a-long-name-for-a-run-{number}", dirs_exist_ok=True)
    names = [f"a-long-name-for-a-run-{number}" for number in range(3)]
    assert main(["compare", "runs/net/2", *names]) == 0
    told = capsys.readouterr().out
    assert "\noptimizer\n  net/2                    sgd 0.1\n  a-long-name-for-a-run-0  adam 0.01\n" in told


def test_the_same_recipe_on_other_rows(capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/net/1", "again", dirs_exist_ok=True)
    assert main(["compare", "runs/net/1", "again"]) == 0
    assert capsys.readouterr().out.startswith("specs and recipes are the same\n\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runs/net/1", "net.yaml"], "specs are trained, and runs have ended: train the specs first"),
        (["runs/net/1", "runs/net/2", "--set", "width=3"], "--over and --set are for specs"),
        (["runs/net/1"], "there is only one run to compare"),
        (["runs/net/1", "runs/net/2", "runs/net/../net/1"], "is compared with itself"),
        (["runs/net/last", "runs/none/last"], "there is no run in runs/none/ yet"),
        (["net.yaml", "--over", "width=1,2", "--format", "md"], "--format and -o are for runs that have ended"),
    ],
)
def test_what_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_run_that_has_not_ended(capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/net/1", "half", dirs_exist_ok=True)
    Path("half/result.json").unlink()
    assert main(["compare", "runs/net/1", "half"]) == 2
    assert "half is not finished; to resume:\n  netspec train --resume half\n" in capsys.readouterr().err


def test_weights_that_runs_began_from_are_compared(capsys: pytest.CaptureFixture[str]):
    for name, weights in (("tuned-1", "runs/net/1"), ("tuned-2", "{from: runs/net/1, skip: '2.*'}")):
        assert main(["train", "net.yaml", "-o", name, "--weights", weights]) == 0
    capsys.readouterr()
    assert main(["compare", "tuned-1", "tuned-2"]) == 0
    assert "skip [2.*]" in capsys.readouterr().out
