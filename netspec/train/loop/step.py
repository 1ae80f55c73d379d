"""Steps of the optimizer: on a whole batch, on parts of it that are accumulated, or with a closure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from netspec.train.data.batches import Batch, split
from netspec.train.loop.learner import Learner
from netspec.train.optimize.averages import Averages
from netspec.train.optimize.objective import shares
from netspec.train.optimizers import frozen_at_first
from netspec.train.schedules import Scheduled
from netspec.train.setup import Setup


class TakesLosses(Protocol):
    """Takes the losses of the steps."""

    def add(self, step: int, loss: Tensor, counted: float, batch: Batch) -> None:
        """Add the loss of a step, the mean over ``counted`` rows or positions, before that changes the weights."""


class Stepper:
    """Takes one step of a learner's optimizer and of ``schedule`` for each batch, and hands its loss to ``losses`` and
    the weights to ``averages``.

    Its functions take a batch and the number of the step, which counts those of the run from 1 on. They raise what
    ``losses`` raises: ``TrainingFault`` if a loss is not finite, as ``StepLosses`` describes.
    """

    def __init__(
        self,
        setup: Setup,
        learner: Learner,
        schedule: Scheduled,
        losses: TakesLosses,
        averages: Averages | None = None,
    ):
        self.setup, self.objective, self.strategy = setup, learner.objective, learner.strategy
        self.optimizer, self.schedule, self.scaler = learner.optimizer, schedule, learner.scaler
        self.losses, self.averages = losses, averages
        self.settings, self.world = setup.recipe.settings, setup.world
        self.frozen = frozen_at_first(setup.model, setup.recipe.groups)
        self.steps_per_epoch = setup.train.steps(self.settings.batch)

    def function(self) -> Callable[[Batch, int], None]:
        """Return the function that takes the steps of this recipe."""
        if self.setup.recipe.optimizer.closure:
            return self._closure_step
        return self._whole_step if self.settings.accumulate == self.world.size == 1 else self._shared_step

    def _whole_step(self, batch: Batch, number: int) -> None:
        loss = self.strategy(batch)
        self.losses.add(number, loss, self.objective.count(batch.targets), batch)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._update(number)

    def _shared_step(self, batch: Batch, number: int) -> None:
        """Take a step on a batch that is divided among processes, or into parts whose gradients are accumulated."""
        totals = self.world.sums(*self._counts(batch).values())
        total_of = dict(zip(self.objective.terms, totals))
        total = torch.zeros((), dtype=torch.float64, device=self.setup.device)
        parts = split(batch, min(self.settings.accumulate, max(batch.whole // self.world.size, 1)))
        for part in parts:
            with self.strategy.gradient_sync(last=part is parts[-1]):
                loss = self.strategy(part, shares(self._counts(part), total_of))
                total += loss.detach()
                mean = loss * self.world.size  # gradients are averaged
                self.scaler.scale(mean).backward()  # type: ignore[no-untyped-call]
        self.losses.add(number, total, total_of[self.objective.main], batch)
        self._update(number)

    def _closure_step(self, batch: Batch, number: int) -> None:
        """Take a step of an optimizer that evaluates the loss several times, of which the first is the step's."""
        backward = self.setup.recipe.optimizer.backward
        is_first = True

        def closure() -> Tensor:
            nonlocal is_first
            if backward:
                self.optimizer.zero_grad()
            loss = self.strategy(batch)
            if is_first:
                is_first = False
                self.losses.add(number, loss, self.objective.count(batch.targets), batch)
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
            return loss

        self.optimizer.step(closure)  # type: ignore[arg-type]
        self._after_step()

    def _counts(self, batch: Batch) -> dict[str, float]:
        """Return what counts of each output's target; 0 in a process without rows, whose one row stands in."""
        return self.objective.counts(batch.targets) if batch.rows else dict.fromkeys(self.objective.terms, 0)

    def _update(self, number: int) -> None:
        for frozen in self.frozen:
            if number <= frozen.epochs * self.steps_per_epoch:
                for parameter in frozen.parameters:
                    parameter.grad = None
        if self.settings.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.setup.model.parameters(), self.settings.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self._after_step()

    def _after_step(self) -> None:
        self.schedule.step()
        if self.averages is not None:
            self.averages.update()
