"""Schedules of the learning rate: torch.optim.lr_scheduler's, by their names, over the length of the run."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from netspec.ops.arguments import Natural, Positive, Probability
from netspec.recipes.base import Ingredient

Factor = Annotated[float, Field(gt=0, le=1)]


class Schedule(Ingredient):
    """Base of every schedule. ``warmup`` steps come first, over which the rate rises from nothing, evenly.

    ``watches`` marks one that waits for the validation's loss, and moves once an epoch.
    """

    watches: ClassVar[bool] = False

    warmup: Natural = 0

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        """The arguments of the class in ``torch`` for so many steps, warm-up left out."""
        return {}


class Constant(Schedule):
    """The same rate throughout, after the warm-up."""

    name = "constant"
    torch = "torch.optim.lr_scheduler.ConstantLR"

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"factor": 1.0, "total_iters": 0}


class Step(Schedule):
    """The rate times `gamma` every `step_size` epochs."""

    name = "step"
    main = "step_size"
    torch = "torch.optim.lr_scheduler.StepLR"

    step_size: Positive
    gamma: Factor = 0.1

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"step_size": self.step_size * steps_per_epoch, "gamma": self.gamma}


class MultiStep(Schedule):
    """The rate times `gamma` at each of the epochs in `milestones`."""

    name = "multi_step"
    main = "milestones"
    torch = "torch.optim.lr_scheduler.MultiStepLR"

    milestones: Annotated[list[Positive], Field(min_length=1)]
    gamma: Factor = 0.1

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"milestones": [epoch * steps_per_epoch for epoch in self.milestones], "gamma": self.gamma}


class Exponential(Schedule):
    """The rate times `gamma` every epoch, a little at each step."""

    name = "exponential"
    main = "gamma"
    torch = "torch.optim.lr_scheduler.ExponentialLR"

    gamma: Factor

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"gamma": self.gamma ** (1 / steps_per_epoch)}


class Cosine(Schedule):
    """Half a cosine from the rate down to `eta_min` at the end (Loshchilov and Hutter 2016)."""

    name = "cosine"
    torch = "torch.optim.lr_scheduler.CosineAnnealingLR"

    eta_min: Annotated[float, Field(ge=0)] = 0.0

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"T_max": max(1, steps), "eta_min": self.eta_min}


class Linear(Schedule):
    """A straight line from the rate down to `end_factor` of it at the end."""

    name = "linear"
    torch = "torch.optim.lr_scheduler.LinearLR"

    end_factor: Probability = 0.0

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"start_factor": 1.0, "end_factor": self.end_factor, "total_iters": max(1, steps)}


class OneCycle(Schedule):
    """Up to the rate, over `pct_start` of the run, and down to nearly nothing (Smith and Topin 2017)."""

    name = "one_cycle"
    torch = "torch.optim.lr_scheduler.OneCycleLR"

    pct_start: Probability = 0.3

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"max_lr": lr, "total_steps": max(2, steps) + 1, "pct_start": self.pct_start}


class InverseSquareRoot(Schedule):
    """The rate at the end of the warm-up, then falling with the square root of the steps (Vaswani et al. 2017)."""

    name = "inverse_sqrt"
    torch = "netspec.train.schedules.InverseSquareRoot"

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"warmup": max(1, self.warmup)}


class Plateau(Schedule):
    """The rate times `factor` when the validation's loss has not fallen for `patience` epochs."""

    name = "plateau"
    torch = "torch.optim.lr_scheduler.ReduceLROnPlateau"
    watches = True

    factor: Factor = 0.1
    patience: Natural = 10

    def keywords(self, steps: int, steps_per_epoch: int, lr: float) -> dict[str, Any]:
        return {"factor": self.factor, "patience": self.patience}
