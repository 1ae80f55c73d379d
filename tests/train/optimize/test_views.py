"""Augmentation while a network is judged: the mean of the probabilities of several views of a row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from train import small

from netspec.cli import main
from netspec.recipes import ingredients
from netspec.recipes.losses import Loss
from netspec.train.optimize.views import mean_output
from netspec.train.setup import Setup

VIEWS = [torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


def of(name: str) -> Loss:
    made = ingredients("loss")[name]()
    assert isinstance(made, Loss)
    return made


def mean_of(loss: str, scores: list[Tensor]) -> Tensor:
    made = mean_output(scores, {"output": of(loss)})
    assert isinstance(made, Tensor)
    return made


def test_the_mean_is_that_of_the_probabilities():
    classes = mean_of("cross_entropy", VIEWS).softmax(1)
    torch.testing.assert_close(classes, torch.stack(VIEWS).softmax(2).mean(0))
    logs = [each.log_softmax(1) for each in VIEWS]
    torch.testing.assert_close(mean_of("nll", logs).exp(), classes)
    truths = mean_of("binary_cross_entropy", VIEWS).sigmoid()
    torch.testing.assert_close(truths, torch.stack(VIEWS).sigmoid().mean(0))
    assert mean_of("binary_cross_entropy", [each * 1e3 for each in VIEWS]).isfinite().all()
    torch.testing.assert_close(mean_of("mse", VIEWS), torch.stack(VIEWS).mean(0))
    several = mean_output([{"a": each, "b": each} for each in VIEWS], {"a": of("mse")})
    torch.testing.assert_close(several["b"], torch.stack(VIEWS).mean(0))


def test_rows_are_judged_as_they_are_and_as_they_are_augmented(tmp_path: Path):
    setup = Setup(small.graph(tmp_path, augment="[{random_crop: 3}, mixup]"), small.data(), torch.device("cpu"))
    several = setup.varied_parts(3)["test"]
    (batches,) = several.judged(64)
    plain, *views = (each.inputs[0] for each in batches)
    (wanted,) = setup.parts["test"].every(64)
    assert plain.equal(wanted.inputs[0])
    assert len(views) == 3
    assert all(not each.equal(plain) for each in views)
    assert all(each.targets["output"].equal(wanted.targets["output"]) for each in batches)
    model = setup.model.eval()
    with torch.no_grad():
        chances = torch.stack([model(each.inputs[0]).softmax(1) for each in batches]).mean(0)
    target = wanted.targets["output"]
    scores = setup.evaluate(several)
    assert scores["loss"] == pytest.approx(F.nll_loss(chances.log(), target).item(), rel=1e-5)
    assert scores["accuracy"] == pytest.approx((chances.argmax(1) == target).float().mean().item())
    assert setup.evaluate(setup.varied_parts(3)["test"]) == scores  # from the seed alone
    assert setup.evaluate(setup.varied_parts(2)["test"]) != scores


def test_the_command_judges_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    text = small.SPEC.replace("28, 28", "8, 8")
    small.graph(tmp_path, text, data="digits", epochs="1", augment="[{random_crop: 1}]")
    assert main(["train", "small.yaml", "-o", "run"]) == 0
    capsys.readouterr()
    printed = []
    for options in ([], ["--augment-test"], ["--augment-test", "3"], ["--augment-test", "3"]):
        assert main(["evaluate", "run", "--format", "json", *options]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[2] == printed[3]
    assert len({*printed}) == 3
    assert main(["evaluate", "run", "--augment-test", "0"]) == 2
    small.graph(tmp_path, text, data="digits", epochs="1", augment="[mixup]")
    assert main(["train", "small.yaml", "-o", "plain"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "plain", "--augment-test"]) == 2
    assert "augments no single rows" in capsys.readouterr().err
