"""Schedules, metrics and steps against torch's own schedulers, torchmetrics and formulas written out in numpy.

``NETSPEC_MANY=20 pytest tests/train/test_formulas.py`` draws twenty times as many examples.
"""

from __future__ import annotations

import copy
import math
import os
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler as schedulers
from train import small

from netspec.recipes import ingredients
from netspec.recipes.optimizers import Optimizer
from netspec.recipes.schedules import Schedule
from netspec.recipes.settings import WeightDecay
from netspec.train.names import resolve
from netspec.train.optimize import meters
from netspec.train.optimizers import build_optimizer
from netspec.train.schedules import build_schedule

MANY = int(os.environ.get("NETSPEC_MANY", "1"))

STEPS, EPOCH, RATE = 24, 6, 0.2


def own(name: str, **arguments: Any) -> Schedule:
    made = ingredients("schedule")[name](**arguments)
    assert isinstance(made, Schedule)
    return made


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def optimizers() -> list[Optimizer]:
    return [kind() for kind in ingredients("optimizer").values()]  # type: ignore[misc]


def rates_of(optimizer: Any, scheduler: Any, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def torchs(kind: Any, steps: int = STEPS, **arguments: Any) -> list[float]:
    """The rates of one of torch's schedulers."""
    optimizer = torch.optim.SGD(network().parameters(), RATE)
    return rates_of(optimizer, kind(optimizer, **arguments), steps)


def netspecs(schedule: Schedule, steps: int = STEPS) -> list[float]:
    optimizer = torch.optim.SGD(network().parameters(), RATE)
    return rates_of(optimizer, build_schedule(schedule, optimizer, steps, EPOCH), steps)


def of_torch(name: str, arguments: Any, steps: int) -> list[float]:
    """What torch's scheduler of the same name does over so many steps."""
    match name:
        case "constant":
            return [RATE] * steps
        case "exponential":
            return torchs(schedulers.ExponentialLR, steps, gamma=arguments["gamma"] ** (1 / EPOCH))
        case "cosine":
            return torchs(schedulers.CosineAnnealingLR, steps, T_max=steps, **arguments)
        case "linear":
            return torchs(schedulers.LinearLR, steps, start_factor=1.0, total_iters=steps, **arguments)
        case "one_cycle":
            return torchs(
                schedulers.OneCycleLR, steps, max_lr=RATE, total_steps=steps, cycle_momentum=False, **arguments
            )
    raise AssertionError(name)


FOLLOWING = [
    ("constant", {}),
    ("exponential", {"gamma": 0.5}),
    ("cosine", {"eta_min": 0.0}),
    ("cosine", {"eta_min": 0.05}),
    ("linear", {"end_factor": 0.0}),
    ("linear", {"end_factor": 0.3}),
    ("one_cycle", {"pct_start": 0.3}),
    ("one_cycle", {"pct_start": 0.0}),
    ("one_cycle", {"pct_start": 0.9}),
]


@pytest.mark.parametrize("warmup", [0, 1, 5, STEPS - 1])
@pytest.mark.parametrize(("name", "arguments"), FOLLOWING)
def test_a_warm_up_comes_before_what_torch_does_in_the_steps_that_are_left(name: str, arguments: Any, warmup: int):
    after = of_torch(name, arguments, STEPS - warmup)
    rising = [after[0] * (step + 1) / (warmup + 1) for step in range(warmup)]
    assert netspecs(own(name, warmup=warmup, **arguments)) == pytest.approx([*rising, *after], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("warmup", [0, 2, 9])
def test_epochs_of_a_milestone_count_from_the_start_of_the_run(warmup: int):
    rising = [min(1, (step + 1) / (warmup + 1)) for step in range(STEPS)]
    for schedule, kind, arguments in (
        (own("step", step_size=2, gamma=0.5, warmup=warmup), schedulers.StepLR, {"step_size": 2 * EPOCH}),
        (
            own("multi_step", milestones=[2, 3], gamma=0.5, warmup=warmup),
            schedulers.MultiStepLR,
            {"milestones": [12, 18]},
        ),
    ):
        whole = torchs(kind, gamma=0.5, **arguments)
        expected = [rate * share for rate, share in zip(whole, rising)]
        assert netspecs(schedule) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [1, 4])
def test_the_inverse_square_root_meets_the_warm_up_at_the_rate(warmup: int):
    made = netspecs(own("inverse_sqrt", warmup=warmup))
    paper = [RATE * min((step + 1) / (warmup + 1), (warmup / max(step, 1)) ** 0.5) for step in range(STEPS)]
    assert made == pytest.approx(paper)


def test_a_warm_up_that_is_longer_than_the_run_rises_all_along():
    for name, arguments in FOLLOWING[:-3]:
        made = netspecs(own(name, warmup=100, **arguments), steps=10)
        assert made == pytest.approx([RATE * (step + 1) / 101 for step in range(10)])


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_runs_of_few_steps_have_rates(steps: int):
    for name, arguments in FOLLOWING:
        assert all(0 <= rate <= RATE for rate in netspecs(own(name, **arguments), steps))


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_plateau_is_torchs_and_its_warm_up_goes_on_meanwhile(patience: int):
    torch.manual_seed(0)
    losses = [1.0, 0.9, 0.95, 0.9, 0.89999, 0.91, 0.5, 0.6, 0.7, 0.5, 0.5, 0.5, 0.4]
    for warmup in (0, 4, 20):
        ours, theirs = (torch.optim.SGD(network().parameters(), RATE) for _ in range(2))
        schedule = build_schedule(own("plateau", factor=0.5, patience=patience, warmup=warmup), ours, 100, 3)
        torchs_own = schedulers.ReduceLROnPlateau(theirs, factor=0.5, patience=patience, eps=0.0)
        step = 0
        for loss in losses:
            for _ in range(3):
                step += 1
                schedule.step()
            schedule.epoch(loss)
            torchs_own.step(loss)
            rate = theirs.param_groups[0]["lr"] * min(1, (step + 1) / (warmup + 1))
            assert ours.param_groups[0]["lr"] == pytest.approx(rate)


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "plateau", "step"])
def test_a_schedule_goes_on_where_it_was(name: str):
    schedule = own(name, **({"step_size": 1} if name == "step" else {}), warmup=3)
    optimizer = torch.optim.SGD(network().parameters(), RATE)
    whole = build_schedule(schedule, optimizer, STEPS, EPOCH)
    for step in range(13):
        whole.step()
        if step % EPOCH == 0:
            whole.epoch(1.0)
    other = torch.optim.SGD(network().parameters(), RATE)
    resumed = build_schedule(schedule, other, STEPS, EPOCH)
    resumed.load_state_dict(whole.state_dict(), 13)
    for _ in range(5):
        assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
        whole.step()
        resumed.step()
        whole.epoch(1.0)
        resumed.epoch(1.0)


def every_schedule() -> list[Schedule]:
    needed = {"step": {"step_size": 1}, "multi_step": {"milestones": [1, 2]}, "exponential": {"gamma": 0.9}}
    names = ingredients("schedule")
    return [own(name, warmup=warmup, **needed.get(name, {})) for name, warmup in product(names, (0, 3))]


def apart_from(group: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in keys}


def test_a_schedule_moves_the_rate_of_any_optimizer_and_nothing_else():
    for recipe in optimizers():
        for schedule in every_schedule():
            optimizer = build_optimizer(recipe, network(), WeightDecay(value=0.1, skip=["bias"]))
            before = [apart_from(group, {"lr", "params"}) for group in optimizer.param_groups]
            rate = recipe.lr  # type: ignore[attr-defined]
            moving = build_schedule(schedule, optimizer, STEPS, EPOCH)
            for step in range(STEPS):
                for group, kept in zip(optimizer.param_groups, before):
                    assert {key: group[key] for key in kept} == kept
                    assert group["lr"] == pytest.approx(schedule.rate(rate, step, moving.length))
                moving.step()


def test_arguments_of_optimizers_reach_torch():
    changed: dict[str, Any] = {
        "lr": 0.03, "momentum": 0.7, "dampening": 0.2, "nesterov": False, "lr_decay": 0.01, "eps": 1e-5, "alpha": 0.8,
        "centered": True, "rho": 0.6, "betas": [0.8, 0.95], "amsgrad": True, "max_iter": 7, "history_size": 5,
        "line_search_fn": None, "damping": 0.5,
    }  # fmt: skip
    for name, kind in ingredients("optimizer").items():
        recipe = kind(**{field: changed[field] for field in kind.model_fields})
        (group,) = build_optimizer(recipe, network(), None).param_groups  # type: ignore[arg-type]
        for field in kind.model_fields:
            value = changed[field]
            assert group[field] == (tuple(value) if isinstance(value, list) else value), (name, field)


def test_defaults_of_optimizers_are_torchs_but_for_the_decay():
    for name, kind in ingredients("optimizer").items():
        if name == "newton":
            continue
        (ours,) = build_optimizer(kind(), network(), None).param_groups  # type: ignore[arg-type]
        theirs = resolve(kind.torch)(network().parameters(), **({"lr": 1e-3} if name == "sgd" else {})).param_groups[0]
        apart = {"params", "weight_decay", "fused", "foreach", "initial_lr"}
        apart |= (
            {"history_size", "line_search_fn"} if name == "lbfgs" else set()
        )  # a line search is what makes it converge
        assert {key: value for key, value in ours.items() if key not in apart} == {
            key: value for key, value in theirs.items() if key not in apart
        }, name


# Steps


def stepped(folder: Path, **train: str) -> dict[str, Tensor]:
    """The weights after two epochs."""
    text = small.SPEC.replace("  - dropout: dropout\n", "")
    run = small.begin(small.graph(folder, text, **{"epochs": "2", **train}), folder / "run", small.data(60))
    run.go()
    return {name: tensor.clone() for name, tensor in run.setup.model.state_dict().items()}


PAIRS = [
    {"optimizer": "{sgd: {lr: 0.1, momentum: 0.9}}"},
    {"optimizer": "{adam: 0.01}", "clip": "0.1"},
    {"optimizer": "{adamw: 0.01}", "weight_decay": "{value: 0.1, skip: [bias]}", "schedule": "{cosine: {warmup: 2}}"},
    {"optimizer": "{rmsprop: 0.01}", "clip": "1.0", "schedule": "one_cycle"},
    {"optimizer": "{adagrad: 0.05}", "schedule": "{plateau: {patience: 0}}"},
    {"optimizer": "adadelta", "schedule": "linear"},
]


@pytest.mark.parametrize("keys", PAIRS, ids=lambda keys: keys["optimizer"])
def test_parts_of_a_batch_make_the_same_step_as_the_whole(tmp_path: Path, keys: dict[str, str]):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = stepped(tmp_path / "whole", **keys)
    parts = stepped(tmp_path / "parts", accumulate="4", **keys)
    for name, tensor in whole.items():
        assert torch.allclose(tensor, parts[name], rtol=1e-3, atol=1e-4), name


def test_the_norm_is_clipped_once_for_the_whole_step(tmp_path: Path):
    weights = stepped(tmp_path, optimizer="{sgd: 1.0}", clip="0.01", steps="1", epochs="null", accumulate="4")
    start = small.begin(
        small.graph(tmp_path, small.SPEC.replace("  - dropout: dropout\n", "")), tmp_path / "again"
    ).setup
    moved = math.sqrt(
        sum(float((weights[name] - each).square().sum()) for name, each in start.model.state_dict().items())
    )
    assert moved == pytest.approx(0.01, rel=1e-3)


# Metrics


def auroc(scores: np.ndarray, wanted: np.ndarray) -> float:
    """The share of pairs in the right order, counted one by one."""
    yes, no = scores[wanted][:, None], scores[~wanted][None]
    return float(((yes > no) + 0.5 * (yes == no)).mean()) if yes.size and no.size else math.nan


def f1(found: np.ndarray, wanted: np.ndarray) -> float:
    hits = (found & wanted).sum()
    return float(2 * hits / (found.sum() + wanted.sum())) if found.any() or wanted.any() else math.nan


def r2(predicted: np.ndarray, wanted: np.ndarray) -> float:
    missed, spread = ((predicted - wanted) ** 2).sum(), ((wanted - wanted.mean()) ** 2).sum()
    return float(1 - missed / spread) if spread else float(missed == 0)


def measured(meter: meters.Meter, scores: Tensor, wanted: Tensor, batch: int = 7) -> float:
    """A measure of rows that come in batches."""
    meter.reset()
    for some, truth in zip(scores.split(batch), wanted.split(batch)):
        meter.update(some, truth)
    return meter.compute()


def test_measures_of_classes_are_their_definitions_also_where_a_class_is_absent():
    generator = torch.Generator().manual_seed(0)
    for classes, rows in product((2, 3, 6), (5, 30)):
        for _ in range(3 * MANY):
            scores = torch.randn(rows, classes, generator=generator)
            wanted = torch.randint(max(1, classes - 1), (rows,), generator=generator)  # the last class is absent
            chances = scores.double().softmax(1).numpy()
            truth = F.one_hot(wanted, classes).bool().numpy()
            found = F.one_hot(scores.argmax(1), classes).bool().numpy()
            with np.errstate(all="ignore"):
                curves = [auroc(chances[:, each], truth[:, each]) for each in range(classes)]
                means = [f1(found[:, each], truth[:, each]) for each in range(classes)]
            expected = float(np.nanmean(curves)) if not np.isnan(curves).all() else math.nan
            assert measured(meters.AUROCMeter(), scores, wanted) == pytest.approx(expected, nan_ok=True)
            assert measured(meters.F1Meter(), scores, wanted) == pytest.approx(np.nanmean(means))
            nats = -np.log(chances[np.arange(rows), wanted.numpy()]).mean()
            assert measured(meters.PerplexityMeter(), scores, wanted) == pytest.approx(math.exp(nats))


def test_measures_of_questions_are_their_definitions():
    generator = torch.Generator().manual_seed(0)
    for questions in (1, 4):
        for _ in range(3 * MANY):
            scores = torch.randn(30, questions, generator=generator).round(decimals=1)
            wanted = torch.rand(30, questions, generator=generator) < 0.3
            truth, found, chances = wanted.numpy(), (scores > 0).numpy(), scores.numpy()
            curves = [auroc(chances[:, each], truth[:, each]) for each in range(questions)]
            means = [f1(found[:, each], truth[:, each]) for each in range(questions)]
            assert measured(meters.AUROCMeter(), scores, wanted) == pytest.approx(np.nanmean(curves))
            assert measured(meters.MultilabelF1Meter(), scores, wanted) == pytest.approx(np.nan_to_num(means).mean())
            assert measured(meters.AccuracyMeter(), scores, wanted) == pytest.approx((found == truth).mean())


def test_saturated_scores_keep_their_order():
    scores = torch.tensor([[-30.0], [20.0], [40.0], [90.0], [120.0], [60.0]])
    wanted = torch.tensor([[0], [0], [1], [0], [1], [1]]).bool()
    assert measured(meters.AUROCMeter(), scores, wanted) == pytest.approx(
        auroc(scores.numpy()[:, 0], wanted.numpy()[:, 0])
    )
    both = torch.cat([-scores, scores], 1)
    assert measured(meters.AUROCMeter(), both, wanted[:, 0].long()) == pytest.approx(7 / 9)


def test_a_confident_mistake_has_a_perplexity():
    scores = torch.tensor([[200.0, 0.0], [0.0, 0.0]])
    assert measured(meters.PerplexityMeter(), scores, torch.tensor([1, 0])) == pytest.approx(
        math.exp((200 + math.log(2)) / 2)
    )


def test_r2_of_several_numbers_is_the_mean_of_theirs():
    generator = torch.Generator().manual_seed(0)
    for numbers in (1, 2, 5):
        wanted = torch.randn(40, numbers, generator=generator) * torch.arange(1, numbers + 1) + 1000
        predicted = wanted + torch.randn(40, numbers, generator=generator)
        columns = zip(predicted.double().numpy().T, wanted.double().numpy().T)
        expected = np.mean([r2(*each) for each in columns])
        for batch in (1, 7, 40):
            assert measured(meters.R2Meter(), predicted, wanted, batch) == pytest.approx(expected, rel=1e-6)


def test_r2_of_what_does_not_vary_and_of_one_row():
    same = torch.ones(4, 1)
    assert measured(meters.R2Meter(), same, same) == 1.0
    assert measured(meters.R2Meter(), same + 0.5, same) == 0.0
    assert math.isnan(measured(meters.R2Meter(), same[:1], same[:1]))


def test_a_measure_that_has_no_value_is_nan_not_a_number_that_looks_like_one():
    scores, wanted = torch.randn(6, 1), torch.ones(6, 1).bool()
    assert math.isnan(measured(meters.AUROCMeter(), scores, wanted))
    assert math.isnan(measured(meters.AUROCMeter(), torch.randn(6, 3), torch.zeros(6, dtype=torch.int64)))
    assert math.isnan(meters.PerplexityMeter().compute())
    assert copy.deepcopy(meters.AUROCMeter()).to(torch.device("cpu")).compute() != 0
