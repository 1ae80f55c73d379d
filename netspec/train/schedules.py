"""Learning rates from step to step, by the formula of a schedule."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from netspec.recipes.schedules import ConstantLR, Length, ReduceLROnPlateau, Schedule

FALLEN = 1e-4
"""The share by which a loss must fall to count as lower, as in torch's ``ReduceLROnPlateau``."""


class Scheduled:
    """Sets the learning rate of every step: ``step`` follows a step of the optimizer, ``epoch`` an evaluation.

    A group of the optimizer that has a ``warmup`` has the schedule with that one in place of its own. ``length`` is the
    one that it is planned for. In a run of more steps, what leads to the end of that stays at its last rate from then
    on; the others go on.
    """

    def __init__(self, schedule: Schedule, optimizer: Optimizer, length: Length):
        self.optimizer, self.length = optimizer, length
        warmups = [group.get("warmup", schedule.warmup) for group in optimizer.param_groups]
        self.schedules = [schedule.model_copy(update={"warmup": warmup}) for warmup in warmups]
        self.ends = [length.steps - 1 if each.leads_to_end(length) else None for each in self.schedules]
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.done = 0
        self._set()

    def step(self) -> None:
        """Set the rate of the next step."""
        self.done += 1
        self._set()

    def epoch(self, loss: float) -> None:
        """Take note of the loss of an epoch; schedules that do not watch it ignore it."""

    def _set(self) -> None:
        for group, schedule, rate, end in zip(self.optimizer.param_groups, self.schedules, self.rates, self.ends):
            group["lr"] = schedule.rate(rate, self.done if end is None else min(self.done, end), self.length)

    def state_dict(self) -> dict[str, Any]:
        """Return the state besides the number of steps that are done."""
        return {}

    def load_state_dict(self, state: dict[str, Any], done: int) -> None:
        """Resume after ``done`` steps."""
        self.done = done
        self._set()


class ConstantRates(Scheduled):
    """Leaves the rates as they are."""

    def step(self) -> None:
        self.done += 1


class Watching(Scheduled):
    """Lowers the rates when the loss stops falling; the warm-up goes on meanwhile."""

    def __init__(self, schedule: ReduceLROnPlateau, optimizer: Optimizer, length: Length):
        self.factor, self.patience = schedule.factor, schedule.patience
        self.best: float | None = None
        self.waited = 0
        super().__init__(schedule, optimizer, length)

    def epoch(self, loss: float) -> None:
        if self.best is None or loss < self.best - FALLEN * abs(self.best):
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.rates, self.waited = [rate * self.factor for rate in self.rates], 0
            self._set()

    def state_dict(self) -> dict[str, Any]:
        return {"rates": self.rates, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any], done: int) -> None:
        self.rates, self.best, self.waited = state["rates"], state["best"], state["waited"]
        super().load_state_dict(state, done)


def build_schedule(schedule: Schedule, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> Scheduled:
    """Return the rates of a run that is planned for ``steps`` steps."""
    length = Length(steps, steps_per_epoch)
    if isinstance(schedule, ReduceLROnPlateau):
        return Watching(schedule, optimizer, length)
    warms_up = schedule.warmup or any(group.get("warmup") for group in optimizer.param_groups)
    if type(schedule) is ConstantLR and not warms_up:
        return ConstantRates(schedule, optimizer, length)
    return Scheduled(schedule, optimizer, length)
