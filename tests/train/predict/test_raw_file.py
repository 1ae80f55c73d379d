"""``export --with-prepare``: a file that takes raw rows, and answers them as ``netspec predict`` does with the run."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from netspec.cli import main
from netspec.ops.core.arguments import spread
from netspec.recipes import ingredients
from netspec.recipes.data.base import Transform
from netspec.recipes.data.table_column import TableColumn, seconds_of
from netspec.train.data.transforms import resize

EXAMPLE = Path(__file__).parents[3] / "examples" / "answers_of_images.py"
DIGITS = """\
netspec: 1
name: digits
inputs: {image: [N, 3, 12, 12]}
network: [{conv2d: {out_channels: 2, kernel_size: 3}}, flatten, {linear: 10}]
train:
  data: digits
  prepare: [{resize: 12}, {channels: 3}, {normalize: {mean: 0.4, std: [0.2, 0.3, 0.4]}}, standardize]
  loss: cross_entropy
  optimizer: adam
  steps: 5
"""
PETS = """\
netspec: 1
name: pets
inputs: {image: [N, 3, 14, 10]}
network: [{conv2d: {out_channels: 4, kernel_size: 3}}, batch_norm2d, relu, global_avg_pool, {linear: 2}]
train:
  data: {images: {path: pets, size: [14, 10]}}
  prepare: {normalize: {mean: 0.4, std: 0.3}}
  loss: cross_entropy
  optimizer: adam
  steps: 2
"""
PEOPLE = """\
netspec: 1
name: people
inputs: {features: [N, 7], street: {shape: [N], dtype: int64}}
network:
  - embedding: {name: place, from: street, num_embeddings: 4, embedding_dim: 2}
  - concat: {from: [features, place], dim: 1}
  - linear: 2
train:
  data:
    csv: {path: people.csv, target: kind, missing: fill, categories: ids, date_parts: true, classes: true}
  prepare: standardize
  loss: cross_entropy
  optimizer: adam
  steps: 2
"""
PRICES = """\
netspec: 1
name: prices
inputs: {features: [N, 10]}
network: [{linear: 1}]
train: {data: diabetes, prepare: [standardize, standardize_targets], loss: mse, optimizer: adam, steps: 9}
"""
YES = """\
netspec: 1
name: tumours
inputs: {features: [N, 30]}
network: [{linear: 1}]
train: {data: breast_cancer, prepare: standardize, loss: binary_cross_entropy, optimizer: adam, steps: 9}
"""


def exported(folder: Path, spec: str, *options: str) -> tuple[str, str]:
    """A run of a spec, and its file that takes raw rows."""
    name = spec.split()[3]
    (folder / f"{name}.yaml").write_text(spec)
    assert main(["train", f"{name}.yaml"]) == 0
    assert main(["export", f"runs/{name}/last", "--with-prepare", "-o", f"{name}.onnx", *options]) == 0
    return f"runs/{name}/last", f"{name}.onnx"


def answers(capsys: pytest.CaptureFixture[str], run: str, *inputs: str) -> list[dict[str, Any]]:
    """Return what `netspec predict` says."""
    capsys.readouterr()
    assert main(["predict", run, *inputs, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = exported(tmp_path, DIGITS)
    assert "agree to" in capsys.readouterr().out
    chance = np.random.default_rng(0)
    paths = []
    for at, shape in enumerate([(8, 8), (40, 33), (5, 9, 3), (12, 12, 4)]):
        Image.fromarray(chance.integers(0, 256, shape, np.uint8)).save(f"{at}.png")
        paths.append(f"{at}.png")
    ours, theirs = answers(capsys, run, *paths), answers(capsys, file, *paths)
    for ours_of, theirs_of in zip(ours, theirs):
        assert ours_of["class"] == theirs_of["class"]
        for name, share in ours_of["probabilities"].items():
            assert theirs_of["probabilities"][name] == pytest.approx(
                share, abs=2e-3
            )  # a pixel may be rounded otherwise
    assert len(EXAMPLE.read_text().partition("session =")[2].splitlines()) <= 10
    printed = subprocess.run([sys.executable, str(EXAMPLE), file, *paths], capture_output=True, text=True, check=True)
    for line, ours_of in zip(printed.stdout.splitlines(), ours, strict=True):
        assert line.startswith(f"{ours_of['input']}: {ours_of['class']} ")
    said = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert json.loads(said["netspec.metrics"])["train"]["accuracy"] >= 0
    arrays = chance.integers(0, 256, (3, 8, 8))
    np.save("rows.npy", arrays.astype(np.uint8))
    assert [each["class"] for each in answers(capsys, run, "rows.npy")] == [
        each["class"] for each in answers(capsys, file, "rows.npy")
    ]


def test_images_in_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = np.random.default_rng(0)
    for at, name in enumerate(["cat", "dog"] * 2):
        Path("pets", name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (9, 7, 3), np.uint8)).save(f"pets/{name}/{at}.png")
    run, file = exported(tmp_path, PETS)
    ours, theirs = answers(capsys, run, "pets"), answers(capsys, file, "pets")
    assert [each["class"] for each in ours] == [each["class"] for each in theirs]
    assert main(["export", run, "--with-prepare", "--optimize", "--opset", "15", "-o", "old.onnx"]) == 0
    assert "1 batch norm folded" in capsys.readouterr().out
    assert main(["export", run, "--with-prepare", "--verify-on", "onnxruntime,openvino", "-o", "two.onnx"]) in (2, 3)
    assert main(["predict", "old.onnx", "pets/cat/0.png"]) == 2
    assert "0.png is 9×7, but old.onnx takes images of 14×10: resize it" in capsys.readouterr().err


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random.seed(0)
    lines = ["age,street,when,member,kind"]
    for at in range(40):
        age = "" if at % 9 == 0 else f"{random.gauss(40, 9):.1f}"
        street = random.choice(["high", "low", "north", "NA"])
        lines.append(f"{age},{street},{1960 + at}-0{1 + at % 9}-28T0{at % 9}:10:00,{at % 3 == 0},{'ab'[at % 2]}")
    Path("people.csv").write_text("\n".join(lines) + "\n")
    run, file = exported(tmp_path, PEOPLE)
    Path("new.csv").write_text(f"{lines[0]}\n33,moon,2000-02-29,yes,a\n,high,1900-03-01T23:59:59,false,a\n")
    for table in ("people.csv", "new.csv"):
        for ours, theirs in zip(answers(capsys, run, table), answers(capsys, file, table), strict=True):
            assert theirs["probabilities"] == pytest.approx(ours["probabilities"], rel=1e-5)
    session = onnxruntime.InferenceSession(file)
    types = {each.name: each.type for each in session.get_inputs()}
    assert types == {
        "age": "tensor(double)",
        "street": "tensor(string)",
        "when": "tensor(int64)",
        "member": "tensor(double)",
    }


def test_tables_with_marks_and_dates_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file knows how tables are written, and its values are those of the run."""
    lines = [
        f"{at % 9 + 1}.234,5;{'high' if at % 3 else 'k.A.'};{13 + at % 9}/0{1 + at % 9}/2020;{at % 2}"
        for at in range(40)
    ]
    Path("people.csv").write_text("\n".join(["age;street;when;kind", *lines, "k.A.;low;20/01/2020;1"]) + "\n", "cp1252")
    keys = "categories: ids, decimal: ',', na_values: [k.A.], encoding: cp1252"
    text = (
        PEOPLE.replace("categories: ids", keys)
        .replace("num_embeddings: 4", "num_embeddings: 3")
        .replace("[N, 7]", "[N, 5]")
    )
    run, file = exported(tmp_path, text)
    Path("new.csv").write_bytes("age;street;when\n1.500;höher;03/04/2021\nk.A.;low;03/04/2021 10:30\n".encode("cp1252"))
    for ours, theirs in zip(answers(capsys, run, "new.csv"), answers(capsys, file, "new.csv"), strict=True):
        assert theirs["probabilities"] == pytest.approx(ours["probabilities"], rel=1e-5)


@pytest.mark.parametrize("spec", [PRICES, YES])
def test_rows_of_numbers(spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = exported(tmp_path, spec)
    shape = next(iter(onnx.load(file).graph.input)).type.tensor_type.shape.dim[1].dim_value
    np.save("rows.npy", np.random.default_rng(1).normal(size=(3, shape)).astype(np.float32))
    for ours, theirs in zip(answers(capsys, run, "rows.npy"), answers(capsys, file, "rows.npy"), strict=True):
        key = "values" if "values" in ours else "probabilities"
        assert theirs[key] == pytest.approx(ours[key], rel=1e-5)


def test_what_a_file_cannot_take_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = exported(tmp_path, DIGITS, "--verify", "none")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save("deep.png")
    assert main(["predict", file, "deep.png"]) == 2
    assert "save it with 8 bits" in capsys.readouterr().err
    assert main(["predict", "runs/digits/1/model.onnx", "deep.png"]) == 2
    assert "--with-prepare" in capsys.readouterr().err
    for name, size in (("cut.onnx", 900), ("empty.onnx", 0)):
        Path(name).write_bytes(Path(file).read_bytes()[:size])
        assert main(["predict", name, "deep.png"]) == 2
        assert f"{name} is no ONNX file that onnxruntime takes: " in capsys.readouterr().err
    assert main(["export", "lenet", "--with-prepare", "-o", "lenet.onnx"]) == 2
    assert "is for a run" in capsys.readouterr().err
    assert main(["export", run, "--with-prepare", "--opset", "13", "-o", "old.onnx"]) == 3
    assert "needs opset 18" in capsys.readouterr().err
    assert main(["export", run, "--set", "a=1", "-o", "old.onnx"]) == 2
    assert "its own variant and values" in capsys.readouterr().err
    assert main(["export", run, "-o", "plain.onnx"]) == 0


def test_every_step_has_a_form() -> None:
    for name, kind in ingredients("transform").items():
        if issubclass(kind, Transform) and not kind.varies() and not kind.for_targets and not kind.of_colours:
            assert kind.onnx is not Transform.onnx, name


def test_a_resize_is_that_of_torch(tmp_path: Path) -> None:
    """Smaller and larger images, by a network that does nothing else."""
    from netspec.emit.onnx.builder import GraphBuilder
    from netspec.emit.onnx.parts import OnnxModel
    from netspec.emit.onnx.write import write_onnx

    transform: Any = ingredients("transform")["resize"].model_validate({"size": [10, 7]})
    assert spread(transform.size, 2) == (10, 7)
    builder = GraphBuilder(opset=18)
    images = builder.input("images", ["N", 3, "H", "W"])
    builder.begin("resize")
    made = transform.onnx(builder, images, "float32")
    made.kind, made.shape = 1, ["N", 3, 10, 7]
    proto = builder.model(builder.graph("g", [images], [made]), 8)
    write_onnx(OnnxModel(proto, builder.kept()), tmp_path / "resize.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "resize.onnx")
    for size in ((31, 20), (4, 3), (10, 7)):
        x = torch.rand(2, 3, *size)
        (got,) = session.run(None, {"images": x.numpy()})
        np.testing.assert_allclose(got, resize(transform, x), atol=2e-6)


@pytest.mark.parametrize("text", ["1970-01-01", "2000-02-29T23:59:59", "1899-12-31", "2024-12-31", "0400-03-01"])
def test_parts_of_dates(text: str, tmp_path: Path) -> None:
    from netspec.emit.onnx.builder import GraphBuilder
    from netspec.emit.onnx.parts import OnnxModel
    from netspec.emit.onnx.write import write_onnx

    column = TableColumn("when", "date", ("year", "month", "day", "weekday", "hour"))
    builder = GraphBuilder()
    seconds = builder.input("when", ["N"], "int64")
    builder.begin("date")
    made = column.onnx(builder, seconds, [])
    made.kind, made.shape = 11, ["N", 5]
    proto = builder.model(builder.graph("g", [seconds], [made]), 8)
    write_onnx(OnnxModel(proto, builder.kept()), tmp_path / "dates.onnx")
    (got,) = onnxruntime.InferenceSession(tmp_path / "dates.onnx").run(None, {"when": np.array([seconds_of(text)])})
    when = datetime.fromisoformat(text)
    assert got.tolist() == [[when.year, when.month, when.day, when.weekday(), when.hour]]


def test_int8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = exported(tmp_path, DIGITS, "--precision", "int8")
    told = capsys.readouterr().out
    before, after = (float(each) for each in re.findall(r"accuracy: ([\d.]+), ([\d.]+) in float32", told)[0])
    assert abs(before - after) <= 0.01
    kinds = [node.op_type for node in onnx.load(file).graph.node]
    assert kinds.count("QuantizeLinear") == 3  # for both layers, and for flattening between them
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save("one.png")
    (ours,), (theirs,) = answers(capsys, run, "one.png"), answers(capsys, file, "one.png")
    for name, share in ours["probabilities"].items():
        assert theirs["probabilities"][name] == pytest.approx(share, abs=0.03)
    assert main(["export", run, "--precision", "int8", "--keep-float", "0", "-o", "some.onnx"]) == 0
    assert [node.op_type for node in onnx.load("some.onnx").graph.node].count("QuantizeLinear") == 1
    assert main(["export", run, "--precision", "int8", "--keep-float", "none", "-o", "some.onnx"]) == 2
