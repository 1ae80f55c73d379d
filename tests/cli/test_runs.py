"""``netspec train`` to its end, and ``netspec evaluate``, as a user meets them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import netspec
from netspec.cli import main
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.reading import read_data

SPEC = """\
netspec: 1
name: tumours
import: [blocks/dense.yaml]
params: {width: 8}
variants: {wide: {width: 12}}
inputs: {features: [N, 30]}
network:
  - dense: {width: width}
  - linear: 2
train:
  data: breast_cancer
  prepare: standardize
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
  validation: 0.2
  published: {accuracy: 0.975}
"""
BLOCKS = """\
netspec: 1
blocks:
  dense: {params: {width: int}, body: [{linear: width}, relu]}
"""
LINE = """\
netspec: 1
name: line
inputs: {features: [N, 1]}
network: [{linear: 1}]
train: {data: {csv: {path: line.csv, target: y}}, loss: mse, optimizer: {sgd: 0.001}, epochs: 1}
"""


def begin(folder: Path, spec: str, *options: str) -> int:
    """Train a network in the present folder."""
    (folder / "blocks").mkdir(exist_ok=True)
    (folder / "tumours.yaml").write_text(spec)
    (folder / "blocks" / "dense.yaml").write_text(BLOCKS)
    return main(["train", "tumours.yaml", "--devices", "cpu", *options])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, whose spec and blocks are gone."""
    folder = tmp_path_factory.mktemp("project")
    with contextlib.chdir(folder):
        assert begin(folder, SPEC, "--set", "width=10", "--set", "train.epochs=4") == 0
    (folder / "tumours.yaml").unlink()
    shutil.rmtree(folder / "blocks")
    return folder


@pytest.fixture
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def scores(*options: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, float]]:
    capsys.readouterr()
    assert main(["evaluate", *options, "--format", "json"]) == 0
    found: dict[str, dict[str, float]] = json.loads(capsys.readouterr().out)["scores"]
    return found


def test_what_a_run_leaves(project: Path):
    left = {each.name for each in Path("runs/tumours/1").iterdir()}
    assert {"model.onnx", "curves.png", "report.html", "best.safetensors", "transforms.safetensors"} <= left
    session = onnxruntime.InferenceSession("runs/tumours/1/model.onnx")
    assert session.run(None, {"features": np.zeros((3, 30), np.float32)})[0].shape == (3, 2)
    assert Path("runs/tumours/1/curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["check", "shapes", "show"])
def test_a_spec_in_a_run_reads_what_the_run_has_saved(project: Path, command: str, capsys: pytest.CaptureFixture[str]):
    """The files beside the spec that it imports are gone."""
    assert main([command, "runs/tumours/1/spec.yaml"]) == 0
    assert "no file" not in capsys.readouterr().err


def test_the_report_says_what_the_run_found(project: Path):
    page = Path("runs/tumours/1/report.html").read_text()
    result = json.loads(Path("runs/tumours/1/result.json").read_text())
    for value in result["scores"]["validation"].values():
        assert f"<td>{value:.4f}</td>" in page
    assert page.count("<svg") == 2  # the curves, and how often it is right by how sure it is
    assert "Scores of each class" in page
    assert "0.9750" in page
    assert not re.search(r"""(src|href)=["']?http|url\(http""", page.replace("http://www.w3.org", ""))
    assert len(re.findall(r'<tr class="(?:best)?"><td>[1-4]</td>', page)) == 4


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_run_scores_again_what_it_scored(project: Path, runtime: str, capsys: pytest.CaptureFixture[str]):
    wanted = json.loads(Path("runs/tumours/1/result.json").read_text())["scores"]
    found = scores("runs/tumours/last", "--runtime", runtime, capsys=capsys)
    assert found.keys() == wanted.keys()
    for part in wanted:
        assert found[part] == pytest.approx(wanted[part], abs=1e-5)


def test_other_data_keep_the_transforms_of_the_training_rows(project: Path, capsys: pytest.CaptureFixture[str]):
    """All rows at once have the mean of the parts' losses: not so, were they standardised by themselves."""
    parts = scores("runs/tumours/1", capsys=capsys)
    whole = scores("runs/tumours/1", "--data", "breast_cancer", capsys=capsys)
    (run,) = TrainedRun.find("runs/tumours/1")
    rows = len(read_data(run.graph).train)
    held = round(0.2 * rows)
    mean = (parts["train"]["loss"] * (rows - held) + parts["validation"]["loss"] * held) / rows
    assert whole.get("rows", whole.get("train"))["loss"] == pytest.approx(mean, abs=1e-6)


def test_a_file_of_other_rows(project: Path, capsys: pytest.CaptureFixture[str]):
    """One row is enough; its path starts here."""
    (run,) = TrainedRun.find("runs/tumours/1")
    row = read_data(run.graph).train.take(torch.tensor([3, 7]))
    lines = [
        ",".join(map(str, [*features, label])) for features, label in zip(*(each.tolist() for each in row.values()))
    ]
    Path("two.csv").write_text("\n".join([",".join([*(f"x{number}" for number in range(30)), "label"]), *lines]) + "\n")
    mean, std = run.states()[0]["features"]
    output = run.module("torch")(((row["features"] - mean) / std).float())
    wanted = torch.nn.functional.cross_entropy(output, row["label"]).item()
    found = scores("runs/tumours/1", "--data", "csv: {path: two.csv, target: label, classes: true}", capsys=capsys)
    assert found["rows"]["loss"] == pytest.approx(wanted, abs=1e-5)


def test_the_data_of_a_spec_lie_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Wherever the run is evaluated from."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "line.csv").write_text("x,y\n" + "".join(f"{x},{2 * x + 1}\n" for x in range(20)))
    (tmp_path / "specs" / "line.yaml").write_text(LINE)
    with contextlib.chdir(tmp_path):
        assert main(["train", "specs/line.yaml", "--devices", "cpu"]) == 0
    wanted = json.loads((tmp_path / "runs/line/1/result.json").read_text())["scores"]
    with contextlib.chdir(tmp_path / "specs"):
        found = scores("../runs/line/1", capsys=capsys)
    assert found["train"] == pytest.approx(wanted["train"], abs=1e-6)


@pytest.mark.slow
def test_a_refused_resumption_leaves_the_run_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with contextlib.chdir(tmp_path):
        assert begin(tmp_path, SPEC) == 0
        wanted = scores("runs/tumours/1", capsys=capsys)
        resumed = ["train", "tumours.yaml", "--resume", "last", "--devices", "cpu"]
        other = [*resumed, "--set", "width=3", "--set", "train.optimizer.lr=0.02"]
        assert main(other) == 1
        assert scores("runs/tumours/1", capsys=capsys) == wanted
        assert main(other) == 1
        begun = (
            "netspec: runs/tumours/1 was begun otherwise: `width` is 8, not 3, `optimizer` is adam (lr 0.01, betas "
            "[0.9, 0.999], eps 1e-08), not adam (lr 0.02, betas [0.9, 0.999], eps 1e-08); "
        )
        assert capsys.readouterr().err == begun + "start a new run\n"
        Path("runs/tumours/1/result.json").unlink()
        assert main(other) == 1
        command = "netspec train --resume runs/tumours/1"
        assert capsys.readouterr().err == begun + f"to resume it as it was begun:\n  {command}\n"
        assert main(command.split()[1:]) == 0
        assert scores("runs/tumours/1", capsys=capsys) == wanted
        Path("tumours.yaml").write_text(SPEC.replace("linear: 2", "linear: {name: head, out_features: 2}"))
        assert main(["train", "tumours.yaml", "-o", "runs/tumours/1"]) == 1
        told = "its spec is another (`diff runs/tumours/1/spec.yaml tumours.yaml`); start a new run"
        assert capsys.readouterr().err == f"netspec: runs/tumours/1 was begun otherwise: {told}\n"


def test_a_run_of_another_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with contextlib.chdir(tmp_path):
        assert begin(tmp_path, SPEC) == 0
        Path("others.yaml").write_text(SPEC.replace("name: tumours", "name: others"))
        assert main(["train", "others.yaml", "--resume", "runs/tumours/1"]) == 1
        assert capsys.readouterr().err == "netspec: runs/tumours/1 is a run of tumours, not of others\n"


def test_a_run_that_has_ended_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with contextlib.chdir(tmp_path):
        assert begin(tmp_path, SPEC) == 0
        losses = Path("runs/tumours/1/metrics.jsonl").read_text()
        capsys.readouterr()
        assert begin(tmp_path, SPEC, "--resume", "last") == 0
        told = capsys.readouterr().out
        assert (
            "runs/tumours/1 is already finished; for more epochs:\n  netspec train --resume runs/tumours/1 --set "
            in told
        )
        assert "going on" not in told
        assert Path("runs/tumours/1/metrics.jsonl").read_text() == losses


def test_the_table_of_scores(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "runs/tumours/1"]) == 0
    table, confusions, by_class, calibration = capsys.readouterr().out.split("\n\n")
    assert table.splitlines()[0].split() == ["loss", "accuracy"]
    assert table.splitlines()[-1].split() == ["published", "0.975"]
    assert confusions.startswith("test: right classes down, answers across")
    assert by_class.split()[:4] == ["precision", "recall", "f1", "support"]
    assert calibration.startswith("calibration error 0.0")


def test_a_spec_that_was_changed_is_refused(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/tumours/1", tmp_path / "run")
    spec = tmp_path / "run" / "spec.yaml"
    spec.write_text(spec.read_text().replace("linear: 2", "linear: 3"))
    assert main(["evaluate", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        f"netspec: {spec} is another than when the run began: its weights do not belong to it\n"
    )


def test_no_run_and_no_end(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "runs/none/1"]) == 2
    assert capsys.readouterr().err == (
        "netspec: there is no run in runs/none/1: `netspec train` makes one, such as runs/lenet/1\n"
    )
    assert main(["evaluate", "runs/tumours"]) == 2
    assert capsys.readouterr().err == (
        "netspec: there is no run in runs/tumours itself: name one, as runs/tumours/last\n"
    )
    assert main(["evaluate", "runs/tumours/1/fold-2"]) == 2
    assert capsys.readouterr().err == "netspec: there is no fold-2 in runs/tumours/1: it was not cross-validated\n"
    shutil.copytree("runs/tumours/1", "runs/others/1")
    Path("runs/others/1/result.json").unlink()
    Path("runs/others/1/best.safetensors").unlink()
    assert main(["evaluate", "runs/others/1"]) == 2
    assert capsys.readouterr().err == (
        "netspec: runs/others/1 was stopped in its first epoch, and has no weights to be asked yet; to resume:\n"
        "  netspec train --resume runs/others/1\n"
    )


def test_folds_are_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert begin(tmp_path, SPEC.replace("validation: 0.2", "folds: 2"), "--set", "train.epochs=1") == 0
    assert capsys.readouterr().out.endswith("  netspec predict runs/tumours/1/fold-1 FILE\n")
    assert main(["predict", "runs/tumours/1", "x.csv"]) == 2
    assert capsys.readouterr().err == (
        "netspec: runs/tumours/1 has a network for each fold: choose one, such as runs/tumours/1/fold-1\n"
    )
    wanted = json.loads(Path("runs/tumours/1/result.json").read_text())
    assert scores("runs/tumours/1", capsys=capsys)["validation"] == pytest.approx(wanted["scores"]["validation"])
    assert main(["evaluate", "runs/tumours/1", "--format", "json"]) == 0
    spread = netspec.run("runs/tumours/1").spread
    assert spread["validation"]["loss"] > 0
    assert json.loads(capsys.readouterr().out)["spread"] == {
        part: pytest.approx(each, abs=1e-6) for part, each in spread.items()
    }
    assert main(["evaluate", "runs/tumours/1/fold-3"]) == 2
    assert capsys.readouterr().err == "netspec: there is no fold-3 in runs/tumours/1: it has fold-1 to fold-2\n"
    second = scores("runs/tumours/1/fold-2", capsys=capsys)
    assert second["validation"] == pytest.approx(wanted["folds"][1]["validation"])


def test_other_data_may_be_a_path_alone(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "runs/tumours/1", "--data", "none.csv"]) == 2
    assert "there is no file none.csv: --data takes a path, or data as under `train.data`" in capsys.readouterr().err
    Path("new.csv").write_text("a,b\n1,2\n")
    assert main(["evaluate", "runs/tumours/1", "--data", "new.csv"]) == 2
    told = "new.csv is a file, and runs/tumours/1 was trained on `breast_cancer`: name its kind, `csv: new.csv`"
    assert told in capsys.readouterr().err
    assert main(["evaluate", "runs/tumours/1", "--data", "runs"]) == 2
    told = "runs is a folder, and runs/tumours/1 was trained on `breast_cancer`: name its kind, `images: runs`"
    assert told in capsys.readouterr().err


def test_a_program_gets_the_confusions_beside_the_scores(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "runs/tumours/1", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [*told] == ["scores", "spread", "classes"]
    assert [*told["scores"]] == ["train", "validation", "test"]
    assert all([*each] == ["loss", "accuracy"] for each in told["scores"].values())
    assert told["spread"] == {}
    classes = told["classes"]
    assert classes["part"] == "test"
    assert classes["names"] == ["malignant", "benign"]
    assert sum(map(sum, classes["confusion"])) == sum(each["support"] for each in classes["scores"].values())
    right = [row[at] for at, row in enumerate(classes["confusion"])]
    recalls = [each["recall"] * each["support"] for each in classes["scores"].values()]
    assert recalls == pytest.approx(right)


def test_weights_that_are_cut_off_are_told_alike(project: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree("runs/tumours/1", "cut")
    data = Path("cut/best.safetensors").read_bytes()
    Path("cut/best.safetensors").write_bytes(data[:-40])
    told = (
        f"cut/best.safetensors is cut off: by its header it has {len(data):,} bytes, and there are {len(data) - 40:,}"
    )
    for words in (["evaluate", "cut"], ["export", "cut", "-o", "x.onnx"], ["predict", "cut", "x.csv"]):
        assert main(words) == 2
        assert told in capsys.readouterr().err
