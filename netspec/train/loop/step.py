"""Steps of the optimizer: on a whole batch, on parts of it that are accumulated, or with a closure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netspec.diagnostics import TrainingFault
from netspec.train.data.batches import Batch, split
from netspec.train.distributed.strategies import Strategy
from netspec.train.errors import name_the_layer
from netspec.train.loop.requests import Requests
from netspec.train.optimize.objective import Objective, shares
from netspec.train.schedules import Scheduled
from netspec.train.setup import Setup


class StepResult(NamedTuple):
    """The loss of a step's batch, and the rows or positions that it is the mean of, over all processes."""

    loss: float
    counted: float


class Stepper:
    """Takes one step of ``optimizer`` and ``schedule`` for each batch: ``stepper(batch, number) -> StepResult``.

    ``number`` counts the steps of the run from 1 on. Raises ``TrainingFault`` if the loss is not finite; the weights
    are then those of the step before.
    """

    def __init__(
        self,
        setup: Setup,
        objective: Objective,
        strategy: Strategy,
        optimizer: torch.optim.Optimizer,
        schedule: Scheduled,
        requests: Requests,
    ):
        self.setup, self.objective, self.strategy = setup, objective, strategy
        self.optimizer, self.schedule, self.requests = optimizer, schedule, requests
        self.settings, self.world = setup.recipe.settings, setup.world

    def function(self) -> Callable[[Batch, int], StepResult]:
        """Return the function that takes the steps of this recipe."""
        if self.setup.recipe.optimizer.closure:
            return self._closure_step
        return self._whole_step if self.settings.accumulate == self.world.size == 1 else self._shared_step

    def _whole_step(self, batch: Batch, number: int) -> StepResult:
        loss = self.strategy(batch)
        value = self._checked(self.requests.agree(loss.item()), batch, number)
        loss.backward()  # type: ignore[no-untyped-call]
        self._update()
        return StepResult(value, self._counts(batch)[self.objective.main])

    def _shared_step(self, batch: Batch, number: int) -> StepResult:
        """Take a step on a batch that is divided among processes, or into parts whose gradients are accumulated."""
        totals = self.world.sums(*self._counts(batch).values())
        total_of = dict(zip(self.objective.terms, totals))
        value = 0.0
        parts = split(batch, min(self.settings.accumulate, max(batch.whole // self.world.size, 1)))
        for part in parts:
            with self.strategy.gradient_sync(last=part is parts[-1]):
                loss = self.strategy(part, shares(self._counts(part), total_of))
                value += loss.item()
                (loss * self.world.size).backward()  # type: ignore[no-untyped-call]  # gradients are averaged
        value = self._checked(self.requests.agree(value), batch, number)
        self._update()
        return StepResult(value, total_of[self.objective.main])

    def _closure_step(self, batch: Batch, number: int) -> StepResult:
        """Take a step of an optimizer that evaluates the loss several times."""
        first: list[float] = []
        backward = self.setup.recipe.optimizer.backward

        def closure() -> Tensor:
            if backward:
                self.optimizer.zero_grad()
            loss = self.strategy(batch)
            if not first:
                first.append(self._checked(loss.item(), batch, number))
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
            return loss

        self.optimizer.step(closure)  # type: ignore[arg-type]
        self.requests.agree(first[0])
        self.schedule.step()
        return StepResult(first[0], self._counts(batch)[self.objective.main])

    def _counts(self, batch: Batch) -> dict[str, float]:
        """Return what counts of each output's target; 0 in a process without rows, whose one row stands in."""
        return self.objective.counts(batch.targets) if batch.rows else dict.fromkeys(self.objective.terms, 0)

    def _update(self) -> None:
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self.setup.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()

    def _checked(self, loss: float, batch: Batch, number: int) -> float:
        """Return a loss that is finite. Raises ``TrainingFault`` for another, naming the layer it comes from."""
        if math.isfinite(loss):
            return loss
        where = name_the_layer(self.setup.model, batch, self.world)
        raise TrainingFault(
            f"the loss is {loss} at step {number}: {where}. The last good checkpoint is kept; a smaller "
            "learning rate (`--set train.optimizer.lr=…`), a `schedule` with `warmup`, or `clip: 1.0` may help"
        )
