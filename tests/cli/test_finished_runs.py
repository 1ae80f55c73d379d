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
        (["runs/net/1", "net.yaml"], "net.yaml is a spec, and others are runs: train it first, and compare its run"),
        (["runs/net/1", "runs/net/2", "--set", "width=3"], "--over and --set are for specs"),
        (["runs/net/1"], "there is only one run to compare"),
        (["runs/net/1", "runs/net/2", "runs/net/../net/1"], "is compared with itself"),
        (["runs/net/last", "runs/none/last"], "there is no run in runs/none/ yet"),
        (["runs/net/1", "runs/net/7"], "there is no run in runs/net/7: runs/net has 1, 2"),
        (["net.yaml", "--over", "width=1,2", "--format", "md"], "--format and -o are for runs"),
    ],
)
def test_what_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_run_that_has_not_ended(capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/net/1", "half", dirs_exist_ok=True)
    Path("half/result.json").unlink()
    assert main(["compare", "runs/net/1", "half"]) == 0
    assert "half is not finished: these are the best weights that it has so far" in capsys.readouterr().err


def test_weights_that_runs_began_from_are_compared(capsys: pytest.CaptureFixture[str]):
    for name, weights in (("tuned-1", "runs/net/1"), ("tuned-2", "{from: runs/net/1, skip: '2.*'}")):
        assert main(["train", "net.yaml", "-o", name, "--weights", weights]) == 0
    capsys.readouterr()
    assert main(["compare", "tuned-1", "tuned-2"]) == 0
    assert "skip [2.*]" in capsys.readouterr().out


def test_a_folder_of_runs_stands_for_those_in_it(capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/net/1", "runs/compare/2/1-sgd")
    shutil.copytree("runs/net/2", "runs/compare/2/2-adam")
    tables = []
    for words in (["runs/compare/2"], ["runs/compare/last"], ["runs/compare/2/1", "runs/compare/2/2-adam"]):
        assert main(["compare", *words]) == 0
        tables.append(capsys.readouterr().out)
    assert len({*tables}) == 1
    assert "compare/2/1-sgd" in tables[0]
    assert "compare/2/2-adam" in tables[0]
    assert main(["evaluate", "runs/compare/2/2"]) == 0
    shutil.rmtree("runs/compare")


def test_none_is_best_where_the_data_or_the_losses_are_others(capsys: pytest.CaptureFixture[str]):
    rows = ["a,b,y", *(f"{number % 7},{number % 5},{number % 2}" for number in range(60))]
    Path("one.csv").write_text("\n".join(rows))
    Path("two.csv").write_text("\n".join([*rows, "1,2,1"]))
    table = SPEC.replace("30", "2").replace("breast_cancer", "{csv: {path: one.csv, target: y}}")
    Path("table.yaml").write_text(table.replace("linear: 2}", "linear: 1}").replace("cross_entropy", "mse"))
    for number, value in enumerate(("data.csv.path=one.csv", "data.csv.path=two.csv", "loss=l1")):
        assert main(["train", "table.yaml", "-o", f"table-{number}", "--set", f"train.{value}"]) == 0
    wanted = {(0, 1): "no best: the rows of validation are not", (0, 2): "no best: their losses are not"}
    for runs, told in wanted.items():
        capsys.readouterr()
        assert main(["compare", *(f"table-{number}" for number in runs)]) == 0
        found = capsys.readouterr().out
        assert f"{told} the same" in found
        assert " * " not in found
        assert main(["compare", *(f"table-{number}" for number in runs), "--format", "md"]) == 0
        assert "**" not in capsys.readouterr().out


def test_a_run_is_a_spec_with_what_it_was_begun_with(capsys: pytest.CaptureFixture[str]):
    """Its variant and its values are those of the network, not the defaults of its spec."""
    for run in ("runs/net/2", "runs/net/last", "last"):
        if run == "last":
            Path("runs/net/2/run.json").touch()
        assert main(["shapes", run, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["totals"]["params"] == 266
    assert main(["shapes", "runs/net/2/spec.yaml", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["params"] == 134
    assert main(["train", "runs/net/2", "-o", "twice", "--set", "train.epochs=2"]) == 0
    assert main(["evaluate", "twice"]) == 0
    facts = json.loads(Path("twice/run.json").read_text())
    assert facts["parameters"] == {"width": 8}
    assert (facts["recipe"]["epochs"], facts["recipe"]["optimizer"]["sgd"]["lr"]) == (2, 0.1)
    capsys.readouterr()
    assert main(["train", "--resume", "twice"]) == 0
    assert "twice is already finished" in capsys.readouterr().out
    assert main(["shapes", "xor"]) == 0  # an entry of the zoo is none of the runs beside it
    assert main(["shapes", "runs/net/7"]) == 2
    assert "there is no run in runs/net/7: runs/net has 1, 2" in capsys.readouterr().err
