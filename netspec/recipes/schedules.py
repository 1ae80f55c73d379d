"""Schedules of the learning rate: those of torch.optim.lr_scheduler, by their names, over the length of the run.

Each is a formula for the rate of a step, so that a run can be taken up at any step. Only the rate moves: momentum and
betas stay as the optimizer has them.
"""

from math import cos, pi
from typing import Annotated

from pydantic import Field

from netspec.dataclass import dataclass
from netspec.ops.core.arguments import Natural, Positive, Probability
from netspec.recipes.base import Ingredient

Factor = Annotated[float, Field(gt=0, le=1)]
"""the factor that the rate falls by"""


PROBED = 1000
"""Steps at which rates are looked at, to find what they depend on."""


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a run, in steps of the optimizer: ``steps`` in all, ``epoch`` of them an epoch."""

    steps: int
    epoch: int


class Schedule(Ingredient):
    """Base of every schedule; one of your own says what ``after`` gives.

    ``warmup`` steps come first, over which the rate rises evenly from nothing to the rate that the schedule begins
    with. The schedule then takes the steps that are left; only the epochs of `step` and `multi_step` count from the
    start of the run.
    """

    warmup: Natural = 0
    """steps that come first, over which the rate rises evenly from nothing"""

    def rate(self, lr: float, step: int, length: Length) -> float:
        """Return the rate of a step, counted from 0, where the optimizer's own is ``lr``."""
        if step >= self.warmup:
            return self.after(lr, step - self.warmup, length)
        return self.after(lr, 0, length) * (step + 1) / (self.warmup + 1)

    def after(self, lr: float, step: int, length: Length) -> float:
        """Return the rate of a step that is counted from the end of the warm-up; the same step always has the same."""
        return lr

    def rest(self, length: Length) -> int:
        """Return the number of steps after the warm-up, at least 1."""
        return max(1, length.steps - self.warmup)

    def leads_to_end(self, length: Length) -> bool:
        """Return whether its rates depend on the number of the run's steps, as those of half a cosine do."""
        longer = Length(2 * length.steps, length.epoch)
        steps = range(0, length.steps, max(1, length.steps // PROBED))
        return any(self.rate(1.0, step, length) != self.rate(1.0, step, longer) for step in (*steps, length.steps - 1))


class ConstantLR(Schedule):
    """The same rate throughout, after the warm-up."""

    name = "constant"


class StepLR(Schedule):
    """The rate times `gamma` every `step_size` epochs of the run."""

    name = "step"
    main = "step_size"

    step_size: Positive
    """epochs from one fall to the next"""
    gamma: Factor = 0.1

    def after(self, lr: float, step: int, length: Length) -> float:
        return lr * self.gamma ** ((step + self.warmup) // (self.step_size * length.epoch))


class MultiStepLR(Schedule):
    """The rate times `gamma` at each of the epochs in `milestones`: after so many epochs of the run."""

    name = "multi_step"
    main = "milestones"

    milestones: Annotated[list[Positive], Field(min_length=1)]
    """the epochs after which the rate falls"""
    gamma: Factor = 0.1

    def after(self, lr: float, step: int, length: Length) -> float:
        return lr * self.gamma ** sum(step + self.warmup >= epoch * length.epoch for epoch in self.milestones)


class ExponentialLR(Schedule):
    """The rate times `gamma` every epoch, a little at each step."""

    name = "exponential"
    main = "gamma"

    gamma: Factor

    def after(self, lr: float, step: int, length: Length) -> float:
        return float(lr * self.gamma ** (step / length.epoch))


class CosineAnnealingLR(Schedule):
    """Half a cosine from the rate down to `eta_min` at the end (Loshchilov and Hutter 2016)."""

    name = "cosine"

    eta_min: Annotated[float, Field(ge=0)] = 0.0
    """the rate at the end"""

    def after(self, lr: float, step: int, length: Length) -> float:
        return between(lr, self.eta_min, step / self.rest(length))


class LinearLR(Schedule):
    """A straight line from the rate down to `end_factor` of it at the end."""

    name = "linear"

    end_factor: Probability = 0.0
    """the share of the rate that is left at the end"""

    def after(self, lr: float, step: int, length: Length) -> float:
        return lr * (1 + (self.end_factor - 1) * step / self.rest(length))


class OneCycleLR(Schedule):
    """Half a cosine from a 25th of the rate up to it, over `pct_start` of the steps, and another one down to nearly
    nothing at the last step (Smith and Topin 2017). The momentum stays as it is.
    """

    name = "one_cycle"

    pct_start: Probability = 0.3
    """the share of the steps in which the rate rises"""

    def after(self, lr: float, step: int, length: Length) -> float:
        first, last = lr / START_DIVISOR, lr / START_DIVISOR / END_DIVISOR
        steps = self.rest(length)
        top, end = self.pct_start * steps - 1, steps - 1
        step = min(step, end)
        if step < top:
            return between(first, lr, step / top)
        return between(lr, last, (step - top) / (end - top)) if end > top else lr


START_DIVISOR = 25
END_DIVISOR = 10_000
"""The first rate of a cycle is the largest one divided by the former, the last the first divided by the latter."""


def between(start: float, end: float, share: float) -> float:
    """Return the value of half a cosine from ``start`` to ``end``, after so large a share of it."""
    return end + (start - end) * (1 + cos(pi * share)) / 2


class InverseSquareRootLR(Schedule):
    """The rate at the end of the warm-up, then falling with the square root of the steps (Vaswani et al. 2017)."""

    name = "inverse_sqrt"

    def after(self, lr: float, step: int, length: Length) -> float:
        warmup = max(1, self.warmup)
        return float(lr * (warmup / (warmup + step)) ** 0.5)


class ReduceLROnPlateau(Schedule):
    """The rate times `factor` after the first epoch beyond `patience` ones in a row in which the validation's loss has
    not fallen, by a ten-thousandth of it at least.
    """

    name = "plateau"

    factor: Factor = 0.1
    patience: Natural = 10
    """epochs in a row without a better loss that are borne"""
