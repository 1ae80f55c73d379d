"""The search for a learning rate: a short training in which it rises from step to step (Smith 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from torch import Tensor
from torch.optim import Optimizer

from netspec.diagnostics import UsageError
from netspec.recipes.schedules import ConstantLR, Length
from netspec.train.data.batches import Batch
from netspec.train.faults import told_of_faults
from netspec.train.loop.learner import Learner
from netspec.train.loop.step import Stepper
from netspec.train.report.rates import HIGHEST, LOWEST, RateCurve
from netspec.train.schedules import Scheduled
from netspec.train.setup import Setup


class Rising(Scheduled):
    """Raises the learning rate by an equal factor each step, from ``lowest`` to ``highest`` in so many steps.

    It is the rate ``lr`` of the optimizer that rises so; groups with a rate of their own keep their ratio to it.
    """

    def __init__(self, optimizer: Optimizer, lr: float, lowest: float, highest: float, steps: int):
        self.lr, self.lowest, self.highest, self.steps = lr, lowest, highest, steps
        super().__init__(ConstantLR(), optimizer, Length(steps, steps))

    def rate(self) -> float:
        """Return the rate of the next step."""
        return float(self.lowest * (self.highest / self.lowest) ** (self.done / max(self.steps - 1, 1)))

    def _set(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate / self.lr * self.rate()


class _Collected:
    """Collects the losses of a search."""

    def __init__(self, schedule: Rising, curve: RateCurve):
        self.schedule, self.curve = schedule, curve

    def add(self, step: int, loss: Tensor, counted: float, batch: Batch) -> None:
        """Add the loss of a step at the present rate."""
        self.curve.add(self.schedule.rate(), loss.item())


def search(setup: Setup, steps: int) -> RateCurve:
    """Train for ``steps`` steps at most at a rising rate, and return the losses. The network is of no use afterwards.

    Raises ``UsageError`` for an optimizer that evaluates the loss several times per step.
    """
    optimizer = setup.recipe.optimizer
    if optimizer.closure:
        raise UsageError(f"`{optimizer.name}` chooses its steps itself: there is no learning rate to be found")
    learner, curve = Learner(setup), RateCurve()
    schedule = Rising(learner.optimizer, learner.optimizer.defaults["lr"], LOWEST, HIGHEST, steps)
    stepper = Stepper(setup, learner, schedule, _Collected(schedule, curve))
    take_step = stepper.function()
    setup.model.train()
    with told_of_faults(setup):
        for number, batch in zip(range(1, steps + 1), endless(setup)):
            take_step(batch, number)
            if curve.diverged:
                break
    return curve


def endless(setup: Setup) -> Iterator[Batch]:
    """Yield the batches of one epoch after another."""
    for epoch in count():
        yield from setup.train.shuffled(epoch, setup.recipe.settings.batch)
