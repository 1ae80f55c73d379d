"""The search for a learning rate: its steps, the rate that it suggests, and what is told of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from train import small

from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.recipes import Column
from netspec.train.data import Data, TensorRows
from netspec.train.loop.rate_search import Rising, search
from netspec.train.report.rates import HIGHEST, LOWEST, WIDTH, RateCurve, rate_svg, told
from netspec.train.setup import Setup

STEADY = small.SPEC.replace("dropout: 0.2", "dropout: 0.0")
CPU = torch.device("cpu")


def curve(*losses: float) -> RateCurve:
    """Losses at rates that double."""
    made = RateCurve()
    for number, loss in enumerate(losses):
        made.add(2.0**number, loss)
    return made


def fallen(noise: float, seed: int = 0) -> RateCurve:
    """Losses of 3 that fall to 1 between the rates 2^20 and 2^40, and diverge from 2^50 on."""
    generator = torch.Generator().manual_seed(seed)
    loss = [3 - 2 * min(max((at - 20) / 20, 0), 1) + max(0, at - 50) ** 2 for at in range(60)]
    return curve(*(torch.tensor(loss) + noise * torch.randn(60, generator=generator)).tolist())


def test_the_steps_are_those_of_torch_at_rates_that_rise_by_an_equal_factor(tmp_path: Path):
    graph = small.graph(tmp_path, STEADY, optimizer="{sgd: 0.1}")
    found = search(Setup(graph, small.data(), CPU), 30)
    setup = Setup(graph, small.data(), CPU)
    rates = torch.logspace(math.log10(LOWEST), math.log10(HIGHEST), 30, dtype=torch.float64).tolist()
    batches = [batch for epoch in range(6) for batch in setup.train.shuffled(epoch, 20)]
    assert found.rates == pytest.approx(rates[: len(found.rates)])
    for rate, batch, loss in zip(rates, batches, found.losses):
        mine = F.cross_entropy(setup.model(*batch.inputs), batch.targets["output"])
        assert mine.item() == pytest.approx(loss, rel=1e-5)
        mine.backward()
        with torch.no_grad():
            for parameter in setup.model.parameters():
                parameter -= rate * parameter.grad
                parameter.grad = None


def test_the_smooth_curve_is_a_mean_by_a_normal_curve():
    made = curve(*torch.rand(25, generator=torch.Generator().manual_seed(0)).tolist())
    places = torch.arange(25.0)
    weights = torch.exp(-((places[:, None] - places) ** 2) / (2 * WIDTH**2))
    wanted = weights @ torch.tensor(made.losses) / weights.sum(1)
    assert made.smoothed() == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_the_rate_is_in_the_middle_of_the_fall(noise: float, seed: int):
    found = fallen(noise, seed)
    places, suggested = found.fall(), found.suggested()
    assert places is not None
    assert suggested is not None
    assert places == (pytest.approx(24, abs=1 + 20 * noise), pytest.approx(42, abs=6))
    assert suggested == pytest.approx(math.sqrt(found.rates[places[0]] * found.rates[places[1]]))


def test_what_is_told():
    text = told(fallen(0.0))
    assert text.startswith("60 steps at 1e-07 to 5.8e+17: the loss falls at rates from 1.7e+07 to ")
    assert ", and diverges at 5.8e+17. Suggested: " in text


def test_nothing_is_suggested_where_nothing_is_learned():
    generator = torch.Generator().manual_seed(0)
    found = curve(*(2 + 0.1 * torch.randn(60, generator=generator)).tolist())
    assert found.suggested() is None
    assert "the loss does not fall by more than from batch to batch. `--find-lr 180`" in told(found)
    assert "suggested" not in rate_svg(found)
    assert "suggested" in rate_svg(fallen(0.1))


def test_a_loss_diverges_where_it_is_no_number_or_far_above_the_first_one():
    assert curve(5, math.nan).diverged
    for first, least, lost, borne in ((2, 1, 5.1, 4.9), (-2, -3, 1.1, 0.9)):
        assert curve(*[first] * 10, least, lost).diverged
        assert not curve(*[first] * 10, least, borne).diverged


def test_of_a_quadratic_the_rate_is_below_where_it_diverges(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, generator=generator)
    rows = TensorRows({"x": x, "y": x @ torch.tensor([1.0, -2.0, 3.0, 0.5]) + 1})
    (tmp_path / "s.yaml").write_text(
        "netspec: 1\nname: s\ninputs: {x: [N, 4]}\nnetwork: [linear: 1]\n"
        "train: {data: {npz: d.npz}, loss: mse, optimizer: sgd, epochs: 1, batch: null, validation: 0.1}\n"
    )
    graph = small.graph(tmp_path, (tmp_path / "s.yaml").read_text())
    setup = Setup(graph, Data({"x": Column((4,)), "y": Column((), target=True)}, rows), CPU)
    inputs = torch.cat([x[setup.train.subset], torch.ones(len(setup.train), 1)], 1)
    steepest = float(torch.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs)).max())
    found = search(setup, 100)
    suggested = found.suggested()
    assert suggested is not None
    assert 0.03 * 2 / steepest < suggested < 2 / steepest
    assert found.diverged
    assert found.rates[-1] > 2 / steepest


def test_groups_keep_their_ratio_to_the_optimizers_rate():
    layers = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]
    groups = [{"params": [*layers[0].parameters()], "lr": 0.05}, {"params": [*layers[1].parameters()]}]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    schedule = Rising(optimizer, 0.5, 1e-4, 1.0, 5)
    found = []
    for _ in range(5):
        found.append([group["lr"] for group in optimizer.param_groups])
        schedule.step()
    assert [rate for _, rate in found] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert [rate for rate, _ in found] == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1])


def test_an_optimizer_that_chooses_its_steps_has_no_rate_to_be_found(tmp_path: Path):
    graph = small.graph(tmp_path, optimizer="lbfgs")
    with pytest.raises(UsageError, match="`lbfgs` chooses its steps itself"):
        search(Setup(graph, small.data(), CPU), 30)


def test_the_command_writes_a_page_and_the_command_that_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    small.graph(tmp_path, small.SPEC.replace("28, 28", "8, 8"), data="digits")
    assert main(["train", "small.yaml", "--find-lr", "40"]) == 0
    printed = capsys.readouterr().out
    assert " steps at 1e-07 to " in printed
    assert "netspec train small.yaml --set train.optimizer.lr=" in printed
    page = (tmp_path / "runs" / "small" / "learning_rate.html").read_text()
    assert "<svg" in page
    assert "adam, digits, batches of 20" in page
    assert [each.name for each in (tmp_path / "runs" / "small").iterdir()] == ["learning_rate.html"]
    assert main(["train", "small.yaml", "--find-lr", "3"]) == 2
    assert main(["train", "small.yaml", "--find-lr", "--resume", "last"]) == 2
