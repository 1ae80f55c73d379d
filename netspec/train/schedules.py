"""Schedules of the learning rate, built of torch.optim.lr_scheduler."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler, SequentialLR

from netspec.recipes.schedules import Schedule
from netspec.train.names import resolve


class InverseSquareRoot(LambdaLR):
    """The optimizer's rate right after the warm-up, then times √(warmup/step) (Vaswani et al. 2017, section 5.3)."""

    def __init__(self, optimizer: Optimizer, warmup: int, last_epoch: int = -1):
        super().__init__(optimizer, lambda step: (warmup / (warmup + step)) ** 0.5, last_epoch)


def build_schedule(schedule: Schedule, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> Any:
    """The scheduler for a run of so many steps; it moves once a step (once an epoch where it ``watches``)."""
    rate = optimizer.param_groups[0]["lr"]
    keywords = schedule.keywords(steps - schedule.warmup, steps_per_epoch, rate)
    main: LRScheduler = resolve(schedule.torch)(optimizer, **keywords)
    if not schedule.warmup or schedule.watches:
        return main
    rising = LinearLR(optimizer, start_factor=1 / (schedule.warmup + 1), total_iters=schedule.warmup)
    return SequentialLR(optimizer, [rising, main], milestones=[schedule.warmup])
