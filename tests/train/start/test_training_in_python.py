"""``model.train`` and ``netspec.run``: the same as the commands, in Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError, TrainingFault, UsageError
from netspec.train.reading import read_data
from netspec.train.run import Run

pytestmark = pytest.mark.slow

SPEC = """\
netspec: 1
name: net
params: {width: 4, act: relu}
variants: {wide: {width: 9}}
inputs: {features: [N, 3]}
network: [{linear: width}, act, {dropout: 0.3}, {linear: 2}]
train:
  data: {csv: {path: rows.csv, target: kind, classes: true, categories: ids, missing: fill}}
  prepare: standardize
  loss: cross_entropy
  optimizer: {adam: 0.01}
  epochs: 3
  batch: 10
  validation: 0.25
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pictures: None) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC.replace("act, ", "relu, ").replace(", act: relu", ""))
    chance = np.random.default_rng(0)
    lines = ["a,b,c,kind"]
    for _ in range(60):
        a, b, c = chance.normal(size=3)
        lines.append(f"{a:.3f},{b:.3f},{c:.3f},{'big' if a + b > 0 else 'small'}")
    Path("rows.csv").write_text("\n".join(lines) + "\n")


def steps(run: str | Path) -> list[tuple[int, float]]:
    return netspec.run(run).history.steps


def test_the_same_as_the_command(capsys: pytest.CaptureFixture[str]):
    words = ["--variant", "wide", "--set", "width=5", "--set", "train.epochs=2", "--set", "train.optimizer={sgd: 0.1}"]
    assert main(["train", "net.yaml", *words]) == 0
    model = netspec.load("net.yaml", variant="wide", width=5)
    before = torch.get_rng_state()
    run = model.train(epochs=2, optimizer={"sgd": 0.1})
    assert torch.equal(torch.get_rng_state(), before)
    assert run.path == Path("runs/wide/2")
    assert run.finished
    assert run.history.steps == steps("runs/wide/1")
    assert run.scores == netspec.run("runs/wide/1").scores
    assert run.best_epoch == netspec.run("runs/wide/1").best_epoch
    capsys.readouterr()
    assert main(["compare", "runs/wide/1", "runs/wide/2"]) == 0
    assert capsys.readouterr().out.startswith("specs and recipes are the same\n")


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer.lr": 0.5, "seed": 3},
        {"optimizer": {"adam": {"lr": 1e-05, "betas": [0.8, 0.99]}}, "metrics": ["accuracy", "f1"]},
        {"data": {"csv": {"path": Path("rows.csv"), "target": "kind", "classes": True}}, "prepare": []},
        {"schedule": "cosine", "weight_decay": {"value": 0.1, "skip": ["bias"]}, "validation": None},
    ],
)
def test_a_recipe_may_be_a_mapping(recipe: dict[str, Any]):
    run = netspec.load("net.yaml").train({**recipe, "epochs": 1}, progress=False)
    kept = json.loads((run.path / "run.json").read_text())["recipe"]
    assert kept["epochs"] == 1
    for key, value in recipe.items():
        if key == "optimizer.lr":
            assert kept["optimizer"]["adam"]["lr"] == value
        elif key == "optimizer":
            assert kept["optimizer"]["adam"]["lr"] == 1e-05
            assert kept["optimizer"]["adam"]["betas"] == [0.8, 0.99]
    assert netspec.run("last").model.graph.recipe.settings.epochs == 1


def test_a_network_without_a_recipe_is_given_a_whole_one():
    Path("bare.yaml").write_text("netspec: 1\nname: bare\ninputs: {features: [N, 30]}\nnetwork: [{linear: 2}]\n")
    model = netspec.load("bare.yaml")
    run = model.train(data="breast_cancer", loss="cross_entropy", optimizer="adam", epochs=1, progress=False)
    assert set(run.scores) >= {"train", "test"}
    with pytest.raises(netspec.UsageError, match="does not say how it is trained"):
        model.train()


def test_what_a_spec_cannot_hold_is_told():
    model = netspec.load("net.yaml")
    with pytest.raises(netspec.UsageError, match="`loss` cannot be object: give what a spec holds"):
        model.train(loss=object())  # type: ignore[arg-type]
    with pytest.raises(netspec.UsageError, match="`clip` cannot hold a number that is not finite"):
        model.train(clip=float("inf"))
    with pytest.raises(netspec.SpecError, match="did you mean `epochs`"):
        model.train(epoch=3)
    with pytest.raises(netspec.UsageError, match="was made without a spec"):
        netspec.Model(model.graph).train()
    with pytest.raises(netspec.UsageError, match="Python trains on one device"):
        model.train(devices=2)
    assert not Path("runs").exists()
    run = model.train(epochs=1, output="mine", progress=False)
    assert run.path == Path("mine")
    with pytest.raises(netspec.UsageError, match="mine has a run: go on with it by"):
        model.train(output="mine")


def test_threads_train_as_if_each_were_alone():
    """Dropout draws from the one generator that torch has."""
    model = netspec.load("net.yaml")
    alone = [model.train(seed=seed, progress=False).history.steps for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        together = [*pool.map(lambda seed: model.train(seed=seed, progress=False), range(3))]
    assert len({run.path for run in together}) == 3
    assert [run.history.steps for run in together] == alone
    assert alone[0] != alone[1]


def test_a_run_that_is_stopped_goes_on_and_becomes_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    model = netspec.load("net.yaml")
    whole = model.train(epochs=6, progress=False)
    with monkeypatch.context() as patch:
        end = Run.end_epoch

        def stop(run: Run) -> None:
            end(run)
            run.requests.asked_to_stop = run.state.epoch == 2

        patch.setattr(Run, "end_epoch", stop)
        run = model.train()
    assert not run.finished
    assert repr(run) == "<netspec.SavedRun runs/net/2: net, not finished>"
    assert len(run.history.epochs) == 2
    with pytest.raises(netspec.UsageError, match="is not finished"):
        _ = run.scores
    with pytest.warns(UserWarning, match=r"runs/net/2 is not finished: these are the best weights .* of epoch \d of 3"):
        assert run.evaluate()
    assert run.resume().finished
    capsys.readouterr()
    run.resume(epochs=6)
    assert "runs/net/2 is extended from 3 epochs to 6 epochs" in capsys.readouterr().out
    assert run.history.steps == whole.history.steps
    assert run.scores == whole.scores
    with pytest.raises(TrainingFault, match="`seed` is 0, not 4"):
        run.resume(seed=4)


def test_it_is_asked_as_the_command_asks_it(capsys: pytest.CaptureFixture[str]):
    run = netspec.load("net.yaml").train(progress=False)
    for data, words in ((None, []), ({"csv": "rows.csv"}, ["--data", "csv: rows.csv"])):
        assert main(["evaluate", "last", "--format", "json", *words]) == 0
        told = json.loads(capsys.readouterr().out)
        assert run.evaluate(data) == told["scores"]
        assert run.spread == told["spread"] == {}
    assert run.evaluate(runtime="onnx")["train"]["loss"] == pytest.approx(run.scores["train"]["loss"], abs=1e-5)
    assert main(["predict", "last", "rows.csv", "--format", "json"]) == 0
    wanted = [answer["probabilities"] for answer in json.loads(capsys.readouterr().out)]
    table = [dict(zip("abc", map(float, line.split(",")[:3]))) for line in Path("rows.csv").read_text().split()[1:]]
    columns = {name: [row[name] for row in table] for name in "abc"}
    array = np.array([[*row.values()] for row in table], np.float32)
    forms = ["rows.csv", Path("rows.csv"), table, columns, {name: np.array(each) for name, each in columns.items()}]
    for rows in (*forms, array, torch.from_numpy(array), Frame(columns)):
        found = [answer.probabilities for answer in run.predict(rows)]
        for each, other in zip(found, wanted, strict=True):
            assert each == pytest.approx(other, abs=1e-6)
    (one,) = run.predict(table[0])
    assert one.likeliest == max(wanted[0], key=lambda name: wanted[0][name])
    assert run.predict(table, keep=["a"])[0].kept == {"a": table[0]["a"]}
    module = run.module()
    assert not module.training
    state = run.model.module(weights=str(run.path)).state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


class Frame:
    """A data frame, as far as netspec looks at one."""

    def __init__(self, columns: dict[str, list[float]]):
        self.columns = [*columns]
        self._held = columns

    def __getitem__(self, name: str) -> list[float]:
        return self._held[name]

    def to_dict(self) -> dict[str, list[float]]:
        return self._held


def test_gaps_are_filled_as_in_training(capsys: pytest.CaptureFixture[str]):
    text = Path("rows.csv").read_text().replace("\n", "\n,", 1)
    Path("rows.csv").write_text(text.replace("\n,", "\n", 1).replace(text.split("\n")[2].split(",")[0], "", 1))
    run = netspec.load("net.yaml").train(progress=False)
    Path("new.csv").write_text("a,b,c\n,1,2\n")
    with pytest.warns(UserWarning, match="`a` 1 gap filled with"):
        (by_file,) = run.predict("new.csv")
    for gap in (None, float("nan")):
        with pytest.warns(UserWarning, match="rows: `a` 1 gap filled with"):
            (answer,) = run.predict({"a": gap, "b": 1.0, "c": 2.0})
        assert answer.probabilities == by_file.probabilities


def test_rows_in_memory_are_written_as_the_data_are(capsys: pytest.CaptureFixture[str]):
    """Marks in numbers, dates, truths and gaps, as texts or as Python has them, in every kind of rows."""
    lines = [f"{row}.234,5;{row + 10}/{row}/2022;{'yes' if row % 2 else 'no'};{'ab'[row % 2]}" for row in range(1, 10)]
    Path("rows.csv").write_text("\n".join(["a;when;garden;kind", *lines * 3]) + "\n")
    marks = "decimal: ',', date_parts: true, missing: fill, na_values: ['?']"
    keys = f"{{csv: {{path: rows.csv, target: kind, classes: true, {marks}}}}}"
    text = Path("net.yaml").read_text().replace("[N, 3]", "[N, 6]")
    start, _, end = text.partition("  data: ")
    Path("net.yaml").write_text(f"{start}  data: {keys}\n{end.partition(chr(10))[2]}")
    run = netspec.load("net.yaml").train(progress=False)
    Path("new.csv").write_text("a;when;garden\n1.500;03/04/2022;yes\n?;03/04/2022;no\n")
    with pytest.warns(UserWarning, match="`a` 1 gap filled with"):
        by_file = [answer.probabilities for answer in run.predict("new.csv")]
    when = np.array(["2022-04-03"] * 2, "datetime64[ns]")
    texts = {"a": ["1.500", "?"], "when": ["03/04/2022", "3/4/2022"], "garden": ["yes", "no"]}
    own = {"a": [1500, None], "when": [date(2022, 4, 3)] * 2, "garden": [True, False]}
    arrays = {"a": np.array([1500.0, np.nan]), "when": when, "garden": np.array([True, False])}
    for rows in (texts, own, arrays, Frame(texts), Frame(arrays), Frame(own)):
        as_rows = [{name: rows[name][row] for name in ("a", "when", "garden")} for row in range(2)]
        for given in (rows, as_rows):
            with pytest.warns(UserWarning, match="rows: `a` 1 gap filled with"):
                assert [answer.probabilities for answer in run.predict(given)] == by_file
    with pytest.raises(UsageError, match=r"`a` is `1\.5`, but a number is expected: write it with `,` before its dec"):
        run.predict({"a": "1.5", "when": "03/04/2022", "garden": "yes"})
    Path("pictures").mkdir()
    with pytest.raises(SpecError, match="pictures"):
        run.evaluate({"images": "pictures"})


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"a": 1.0, "b": 2.0}], "rows has no column `c`: its columns are `a`, `b`"),
        ({"a": [1.0], "b": [2.0, 3.0], "c": [1.0]}, "the columns have different numbers of rows"),
        ([{"a": 1.0, "b": 2.0, "c": "x"}], "`c` is `x`"),
        (np.zeros((2, 4), np.float32), r"`features` in rows is float32 \[2, 4\], but a row is 3"),
        (np.full((2, 3), np.nan, np.float32), "not finite"),
    ],
)
def test_rows_that_it_does_not_read_are_told(rows: Any, told: str):
    run = netspec.load("net.yaml").train(epochs=1, progress=False)
    with pytest.raises(netspec.UsageError, match=told):
        run.predict(rows)


def test_pictures_and_arrays_of_pictures():
    run = netspec.load("lenet").train(epochs=1, batch=500, progress=False)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save("one.png")
    (wanted,) = run.predict("one.png")
    for rows in (Image.open("one.png"), pixels, pixels[None], torch.from_numpy(pixels)[None, None]):
        (answer,) = run.predict(rows)
        assert answer.probabilities == wanted.probabilities
    picture = Image.open("one.png")
    for mode in ("1", "P", "LA", "RGB", "RGBA"):
        (answer,) = run.predict(picture.convert(mode))
        assert answer.probabilities == wanted.probabilities, mode
    assert [each.probabilities for each in run.predict([picture, picture])] == 2 * [wanted.probabilities]
    many = read_data(run.model.graph).test.tensors["image"][:7]
    assert len(run.predict(many)) == 7


def test_folds():
    run = netspec.load("net.yaml").train(folds=2, validation=None, epochs=1, progress=False)
    assert run.evaluate()["validation"] == pytest.approx(run.scores["validation"], abs=1e-6)
    second = netspec.run("last/fold-2")
    assert second.path == run.path / "fold-2"
    result = json.loads((run.path / "result.json").read_text())
    assert second.scores == result["folds"][1]
    assert second.best_epoch == result["best_epoch"][1]
    assert len(second.predict("rows.csv")) == 60
    assert run.spread["validation"]["loss"] > 0
    with pytest.raises(netspec.UsageError, match="has a network for each fold"):
        run.predict("rows.csv")


def test_there_is_no_such_run():
    for name in ("runs/net/1", "nowhere", "runs/net/1/fold-1"):
        with pytest.raises(netspec.UsageError, match="there is no run in"):
            netspec.run(name)
    with pytest.raises(netspec.UsageError, match="there is no run in runs/ yet"):
        netspec.run("last")


def test_progress_is_shown_or_not(capsys: pytest.CaptureFixture[str]):
    netspec.load("net.yaml").train(epochs=2, progress=False)
    assert capsys.readouterr().out == ""
    netspec.load("net.yaml").train(epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "epoch",
        *["train", "loss", "validation", "loss", "validation", "accuracy", "lr", "time"],
    ]
    assert len(lines) == 3


class Notebook(types.ModuleType):
    """IPython as a notebook has it: what is displayed is kept."""

    def __init__(self) -> None:
        super().__init__("IPython")
        self.version_info = (9, 0)
        self.shown: list[str] = []
        self.display = types.ModuleType("IPython.display")
        self.display.HTML = lambda text: text  # type: ignore[attr-defined]
        self.display.display = self._display  # type: ignore[attr-defined]

    def get_ipython(self) -> Any:
        return types.SimpleNamespace(kernel=self)

    def _display(self, text: str, display_id: bool) -> Any:
        assert display_id
        self.shown.append(text)
        return types.SimpleNamespace(update=self.shown.append)


def test_a_notebook_shows_one_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook.display)
    run = netspec.load("net.yaml").train(epochs=3)
    assert capsys.readouterr().out == ""
    first, *_, before, last = notebook.shown
    assert first == ""
    assert '<progress value="15" max="15"></progress> step 15 of 15' in before
    assert "<progress" not in last
    assert last.count("<tr>") == 4
    assert f"<td>{run.history.epochs[-1]['validation']['loss']:.4f}</td>" in last
    page = run._repr_html_()
    assert f"<td>{run.scores['validation']['loss']:.4f}</td>" in page
    assert "<svg" in page
    used = set(re.findall(r"var\((--\w+)", page))
    assert used == {name for name in used if f"{name}: #" in page}  # a notebook has no style of the report's


def test_the_names_are_light():
    """Neither they nor a model import torch before it is needed."""
    code = "import sys, netspec; netspec.Model.train; netspec.load('lenet'); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
