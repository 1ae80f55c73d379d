"""What is told before the first step, what batches without anything that counts do, and which weights are the best."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from train import small

from netspec.diagnostics import EnvironmentFault, SpecError, TrainingFault
from netspec.recipes import Column
from netspec.train.beforehand import cautions, guard_start
from netspec.train.data import Data, TensorRows

SPEC = """\
netspec: 1
name: small
inputs: {x: [N, 3]}
network:
  - linear: 4
  - LAYER
  - linear: 2
train:
  data: {csv: {path: none.csv, target: y, classes: true}}
  loss: cross_entropy
  optimizer: {sgd: 0.1}
  epochs: 2
  batch: 16
"""


def rows(count: int, label: Any = None, seed: int = 0) -> TensorRows:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=generator)
    return TensorRows({"features": x, "y": (x[:, 0] > 0).long() if label is None else torch.as_tensor(label)})


def data(train: TensorRows, validation: TensorRows | None = None, dtype: str = "int64") -> Data:
    columns = {"features": Column((3,)), "y": Column((), dtype, 2 if dtype == "int64" else None, target=True)}
    return Data(columns, train, validation, None)


def begin(folder: Path, source: Data, layer: str = "tanh", **train: str) -> Any:
    return small.begin(small.graph(folder, SPEC.replace("LAYER", layer), **train), folder / "run", source)


@pytest.mark.parametrize(
    ("count", "keys", "fits"),
    [
        (65, {}, False),
        (64, {}, True),
        (66, {}, True),
        (64, {"batch": "16", "accumulate": "8"}, True),
        (65, {"steps": "4", "epochs": "null"}, True),  # which never comes to the last batch
        (65, {"steps": "5", "epochs": "null"}, False),
        (1, {"batch": "null"}, False),
    ],
)
def test_a_single_row_for_a_batch_norm_is_told_before_the_first_step(
    count: int, keys: dict[str, str], fits: bool, tmp_path: Path
):
    run = begin(tmp_path, data(rows(count), rows(10)), "batch_norm1d", **keys)
    if fits:
        guard_start(run.setup)
        run.go()
        return
    with pytest.raises(TrainingFault, match="cannot learn from a single row"):
        guard_start(run.setup)
    with pytest.raises(TrainingFault):
        run.go()


@pytest.mark.parametrize("keys", [{"batch": "1"}, {"batch": "16", "accumulate": "16"}])
def test_batches_of_single_rows_are_told_before_there_are_data(keys: dict[str, str], tmp_path: Path):
    with pytest.raises(SpecError, match="batch_norm1d takes more than one value per channel: N is 1"):
        begin(tmp_path, data(rows(64), rows(10)), "batch_norm1d", **keys)


def test_the_batch_that_is_proposed_works(tmp_path: Path):
    run = begin(tmp_path, data(rows(65), rows(10)), "batch_norm1d")
    with pytest.raises(TrainingFault, match="65 rows in batches of 16 leave 1 for the last one"):
        guard_start(run.setup)
    guard_start(begin(tmp_path, data(rows(65), rows(10)), "batch_norm1d", batch="17").setup)


def test_a_warm_up_that_never_ends_is_told(tmp_path: Path):
    run = begin(tmp_path, data(rows(64), rows(10)), schedule="{cosine: {warmup: 8}}")
    (told,) = cautions(run.setup)
    assert told.startswith("the warm-up of 8 steps never ends: the run has 8")
    assert not cautions(begin(tmp_path, data(rows(64), rows(10)), schedule="{cosine: {warmup: 7}}").setup)
    (told,) = cautions(begin(tmp_path, data(rows(64), rows(10)), groups="{'*': {warmup: 9}}").setup)
    assert told.startswith("the warm-up of 9 steps never ends")


IGNORING = {"loss": "{cross_entropy: {ignore_index: 0}}"}


def test_batches_in_which_nothing_counts_are_zero(tmp_path: Path):
    for batch, parts in ((1, 1), (4, 1), (4, 4)):
        folder = tmp_path / f"{batch}-{parts}"
        folder.mkdir()
        source = data(rows(40, [0] * 20 + [1] * 20), rows(300, [0] * 290 + [1] * 10))
        run = begin(folder, source, batch=str(batch), accumulate=str(parts), seed="3", **IGNORING)
        run.go()
        assert all(loss == loss for _, loss in small.losses(folder / "run"))


def test_a_part_in_which_nothing_counts_is_told(tmp_path: Path):
    run = begin(tmp_path, data(rows(40), rows(12, [0] * 12)), **IGNORING)
    with pytest.raises(TrainingFault, match="nothing counts of the rows to judge by: every target of `output` is 0"):
        guard_start(run.setup)
    run = begin(tmp_path, data(rows(40, [0] * 40), rows(12)), **IGNORING)
    with pytest.raises(TrainingFault, match="nothing counts of the rows to train on"):
        guard_start(run.setup)


def epochs(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "epoch" in line]


def test_the_loss_of_an_epoch_is_the_mean_of_its_rows_not_of_its_batches(tmp_path: Path):
    begin(tmp_path, data(rows(20), rows(10)), batch="16", epochs="1").go()
    first, last = (loss for _, loss in small.losses(tmp_path / "run"))
    assert epochs(tmp_path)[0]["train"]["loss"] == pytest.approx((16 * first + 4 * last) / 20)


def test_a_package_that_is_used_last_is_missed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = begin(tmp_path, data(rows(64)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netspec.train.beforehand.find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match="matplotlib"):
            guard_start(run.setup)
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(__version__="1.16.3"))
    with pytest.raises(EnvironmentFault, match=r"onnxruntime 1\.16\.3 is too old, as netspec needs 1\.23"):
        guard_start(run.setup)


@pytest.mark.parametrize("margin", [0.0, 0.05, 10.0])
def test_the_best_weights_are_the_best_whatever_the_margin_of_patience(margin: float, tmp_path: Path):
    early = f"{{min_delta: {margin}, patience: 4}}"
    run = begin(tmp_path, data(rows(60), rows(40, seed=1)), epochs="12", early_stopping=early)
    result = run.go()
    losses = [epoch["validation"]["loss"] for epoch in epochs(tmp_path)]
    assert result.state.best == min(losses)
    assert result.state.best_epoch == losses.index(min(losses)) + 1
    assert result.scores["validation"]["loss"] == pytest.approx(min(losses), rel=1e-6)
    assert len(losses) == (5 if margin == 10.0 else len(losses))  # no epoch is better by so much


def test_probabilities_are_judged_by_their_side_of_a_half(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator)
    chances = torch.sigmoid(4 * x[:, 0])
    source = data(TensorRows({"features": x, "y": chances}), dtype="float32")
    text = SPEC.replace("LAYER", "tanh").replace("- linear: 2\n", "- linear: 1\n").replace(", classes: true", "")
    keys = {
        "loss": "binary_cross_entropy",
        "optimizer": "{adam: 0.1}",
        "epochs": "40",
        "metrics": "[accuracy, f1, auroc]",
    }
    run = small.begin(small.graph(tmp_path, text, **keys), tmp_path / "run", source)
    scores = run.go().scores["train"]
    assert min(scores[name] for name in ("accuracy", "f1", "auroc")) > 0.97


def test_a_metric_without_a_value_is_told_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = begin(tmp_path, data(rows(40), rows(12, [1] * 12)), metrics="[auroc, accuracy]")
    result = run.go()
    told = "`auroc` has no value for the rows that are judged: they are too few, or all of one class\n"
    assert capsys.readouterr().out.count(told) == 1
    assert "auroc" not in result.scores["validation"]
    assert "auroc" in result.scores["train"]
    assert result.state.best_epoch > 0
    assert run.folder.best.is_file()
