"""Groups of parameters: their rates, decays and beginnings, against formulas and torch."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from train.small import SPEC, begin, graph, guard_resumes

from netspec.diagnostics import UsageError
from netspec.recipes.optimizers import Optimizer
from netspec.recipes.schedules import CosineAnnealingLR, Length
from netspec.recipes.settings import ParameterGroup
from netspec.train.optimizers import build_optimizer


class Resilient(Optimizer):
    """An optimizer of a plugin's, without decay."""

    name = "resilient"
    torch = "torch.optim.Rprop"

    lr: float = 0.01


GROUPS = "{first.bias: {freeze: true}, first: {lr: 0.002, weight_decay: 0.5, freeze: 1, warmup: 3}, '*.weight': 0.05}"
PLAIN = SPEC.replace("dropout: 0.2", "dropout: 0.0")


def test_rates_and_decays_are_those_of_the_groups(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, weight_decay="{value: 0.1, skip: [bias]}", groups=GROUPS), tmp_path / "run")
    names = {id(parameter): name for name, parameter in run.setup.model.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in run.optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == {"first.weight": (0.002 / 4, 0.5), "head.weight": (0.05, 0.1), "head.bias": (0.01, 0.0)}
    assert not run.setup.model.first.bias.requires_grad


def test_each_group_s_schedule_is_its_formula(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, groups="{head: 0.05}", schedule="{cosine: {warmup: 4}}"), tmp_path / "run")
    steps = 3 * 5
    schedule, length = CosineAnnealingLR(warmup=4), Length(steps, 5)
    for step in range(steps):
        rates = [group["lr"] for group in run.optimizer.param_groups]
        assert rates == [schedule.rate(lr, step, length) for lr in (0.01, 0.05)]
        run.optimizer.step()
        run.schedule.step()


SCHEDULES = [
    "constant",
    "{cosine: {warmup: 4}}",
    "{exponential: 0.9}",
    "{linear: {end_factor: 0.25}}",
    "{step: {step_size: 1, gamma: 0.5}}",
    "{multi_step: {milestones: [1, 2], gamma: 0.3}}",
    "{one_cycle: {pct_start: 0.4}}",
    "{inverse_sqrt: {warmup: 4}}",
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_group_s_warm_up_is_its_formula(tmp_path: Path, schedule: str) -> None:
    groups = "{head: {lr: 0.05, warmup: 6}, first.bias: {warmup: 0}}"
    run = begin(graph(tmp_path, groups=groups, schedule=schedule), tmp_path / "run")
    own, steps, per_epoch = (4 if "warmup" in schedule else 0), 3 * 5, 5
    for step in range(steps):
        rates = [group["lr"] for group in run.optimizer.param_groups]
        for rate, lr, warmup in zip(rates, (0.01, 0.05, 0.01), (own, 6, 0), strict=True):
            behind, rest = max(0, step - warmup), steps - warmup
            expected = lr * min(1, (step + 1) / (warmup + 1))
            if "cosine" in schedule:
                expected *= (1 + math.cos(math.pi * behind / rest)) / 2
            if "exponential" in schedule:
                expected *= 0.9 ** (behind / per_epoch)
            if "linear" in schedule:
                expected *= 1 - 0.75 * behind / rest
            if "{step" in schedule:
                expected *= 0.5 ** (max(step, warmup) // per_epoch)
            if "multi_step" in schedule:
                expected *= 0.3 ** sum(max(step, warmup) >= epoch * per_epoch for epoch in (1, 2))
            if "one_cycle" in schedule:
                top, end = 0.4 * rest - 1, rest - 1
                rise = (1 - math.cos(math.pi * min(1, behind / top))) / 2
                fall = (1 - math.cos(math.pi * max(0, behind - top) / (end - top))) / 2
                expected *= 1 / 25 + (1 - 1 / 25) * rise - (1 - 1 / 250_000) * fall
            if "inverse_sqrt" in schedule:
                expected *= math.sqrt(max(1, warmup) / (max(1, warmup) + behind))
            assert rate == pytest.approx(expected, rel=1e-9), step
        run.optimizer.step()
        run.schedule.step()


def test_a_plateau_lowers_rates_that_warm_up(tmp_path: Path) -> None:
    recipe = {"groups": "{head: {lr: 0.05, warmup: 9}}", "schedule": "{plateau: {patience: 0, factor: 0.5}}"}
    run = begin(graph(tmp_path, **recipe), tmp_path / "run")
    for loss, factor in ((1.0, 1.0), (1.0, 0.5)):
        run.schedule.epoch(loss)
        assert [group["lr"] for group in run.optimizer.param_groups] == [0.01 * factor, 0.005 * factor]


def test_a_step_is_torch_s_with_the_same_groups(tmp_path: Path) -> None:
    recipe = {"optimizer": "{sgd: {lr: 0.1, momentum: 0.9}}", "epochs": "1", "weight_decay": "0.01"}
    run = begin(graph(tmp_path, PLAIN, groups="{head: {lr: 0.3, weight_decay: 0}}", **recipe), tmp_path / "run")
    theirs = begin(graph(tmp_path, PLAIN, **recipe), tmp_path / "theirs").setup
    model = theirs.model
    optimizer = torch.optim.SGD(
        [
            {"params": [*model.first.parameters()], "weight_decay": 0.01},
            {"params": [*model.head.parameters()], "lr": 0.3},
        ],
        lr=0.1,
        momentum=0.9,
    )
    for batch in theirs.train.shuffled(0, 20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(*batch.inputs), next(iter(batch.targets.values())).long()).backward()
        optimizer.step()
    run.train_epoch()
    for name, parameter in run.setup.model.named_parameters():
        assert torch.allclose(parameter, model.get_parameter(name), rtol=0, atol=1e-6), name


def test_frozen_groups_wait_for_their_epoch(tmp_path: Path) -> None:
    run = begin(graph(tmp_path, PLAIN, groups="{first: {freeze: 1}, head.bias: {freeze: true}}"), tmp_path / "run")
    model = run.setup.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def changed() -> set[str]:
        return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}

    run.train_epoch()
    assert changed() == {"head.weight"}
    run.end_epoch()
    run.train_epoch()
    assert changed() == {"head.weight", "first.weight", "first.bias"}


def test_a_run_with_groups_goes_on_bit_for_bit(tmp_path: Path) -> None:
    guard_resumes(
        graph(tmp_path, groups=GROUPS, weight_decay="0.1", checkpoint="{steps: 1}", schedule="cosine"), tmp_path
    )


def test_what_an_optimizer_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`resilient` has no decay of its own"):
        build_optimizer(Resilient(), torch.nn.Linear(2, 2), None, {"*": ParameterGroup(weight_decay=0.1)})
    with pytest.raises(UsageError, match=r"adam: .*empty parameter list"):
        begin(graph(tmp_path, groups="{'*': {freeze: true}}"), tmp_path / "run")
