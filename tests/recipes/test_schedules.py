"""Every schedule against torch's own scheduler of that kind, or the formula of its paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from recipes.judged import Case, Cases
from torch.optim import lr_scheduler as torchs

from netspec.recipes.schedules import Schedule
from netspec.train.schedules import build_schedule

SCHEDULES = Cases("schedule")
STEPS, EPOCH, RATE = 24, 6, 0.2
LOSSES = [1.0, 0.9, 0.95, 0.96]
"""The loss after each epoch."""


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], RATE)


def rates(made: torch.optim.Optimizer, scheduler: Any, by_loss: bool = False) -> list[float]:
    """The rate of each step; ``by_loss`` where the scheduler looks at the epochs' losses alone."""
    found = []
    for step in range(STEPS):
        found.append(made.param_groups[0]["lr"])
        made.step()
        if not by_loss:
            scheduler.step()
        elif step % EPOCH == EPOCH - 1:
            scheduler.step(LOSSES[step // EPOCH])
    return found


def of_torch(kind: Any, **arguments: Any) -> list[float]:
    made = optimizer()
    return rates(made, kind(made, **arguments), kind is torchs.ReduceLROnPlateau)


@SCHEDULES.add("constant")
def constant() -> list[float]:
    return [RATE] * STEPS


@SCHEDULES.add("step", step_size=2, gamma=0.5)
def step() -> list[float]:
    return of_torch(torchs.StepLR, step_size=2 * EPOCH, gamma=0.5)


@SCHEDULES.add("multi_step", milestones=[1, 3], gamma=0.3)
def multi_step() -> list[float]:
    return of_torch(torchs.MultiStepLR, milestones=[EPOCH, 3 * EPOCH], gamma=0.3)


@SCHEDULES.add("exponential", gamma=0.5)
def exponential() -> list[float]:
    return of_torch(torchs.ExponentialLR, gamma=0.5 ** (1 / EPOCH))


@SCHEDULES.add("cosine", eta_min=0.05)
def cosine() -> list[float]:
    return of_torch(torchs.CosineAnnealingLR, T_max=STEPS, eta_min=0.05)


@SCHEDULES.add("linear", end_factor=0.25)
def linear() -> list[float]:
    return of_torch(torchs.LinearLR, start_factor=1.0, end_factor=0.25, total_iters=STEPS)


@SCHEDULES.add("one_cycle", pct_start=0.4)
def one_cycle() -> list[float]:
    return of_torch(torchs.OneCycleLR, max_lr=RATE, total_steps=STEPS, pct_start=0.4, cycle_momentum=False)


@SCHEDULES.add("inverse_sqrt", warmup=5)
def inverse_square_root() -> list[float]:
    """Vaswani et al. 2017, section 5.3, scaled to the rate at the end of the warm-up."""
    return [RATE * min((step + 1) / 6, (5 / max(step, 1)) ** 0.5) for step in range(STEPS)]


@SCHEDULES.add("plateau", factor=0.5, patience=1)
def plateau() -> list[float]:
    return of_torch(torchs.ReduceLROnPlateau, factor=0.5, patience=1)


@SCHEDULES.parameters()
def test_its_rates_are_torchs_or_its_papers(case: Case):
    assert isinstance(case.ingredient, Schedule)
    made = optimizer()
    schedule = build_schedule(case.ingredient, made, STEPS, EPOCH)
    found = []
    for step in range(STEPS):
        found.append(made.param_groups[0]["lr"])
        made.step()
        schedule.step()
        if step % EPOCH == EPOCH - 1:
            schedule.epoch(LOSSES[step // EPOCH])
    assert found == pytest.approx(case.oracle(), rel=1e-6)


def test_every_schedule_has_a_judged_case():
    assert SCHEDULES.missing() == []
