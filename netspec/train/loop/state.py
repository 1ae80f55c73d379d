"""The state of a run that a checkpoint holds besides weights, optimizer and schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class State:
    """The position of a run in its training, and the history that later decisions depend on.

    ``loss_of_epoch`` is the sum of the losses of the present epoch's steps, each times the rows or positions that it is
    the mean of; ``counted_of_epoch`` is their number. ``seconds`` is the time spent in all sessions. ``best``,
    ``best_loss``, ``best_epoch`` and ``best_step`` describe the best weights so far; ``progress`` is the last value
    that improved by the margin of early stopping, and ``waited`` counts the epochs since. The field names are keys of
    checkpoints.
    """

    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    loss_of_epoch: float = 0.0
    counted_of_epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_loss: float = math.inf
    best_epoch: int = 0
    best_step: int = 0
    progress: float | None = None
    waited: int = 0
    done: bool = False

    def count_step(self) -> None:
        """Count a step."""
        self.step += 1
        self.step_of_epoch += 1

    def add_loss(self, loss: float, counted: float) -> None:
        """Add the loss of a step, the mean over ``counted`` rows or positions."""
        self.loss_of_epoch += loss * counted
        self.counted_of_epoch += counted

    def mean_loss(self) -> float:
        """Return the mean loss of the present epoch's steps; 0 if nothing counted in them."""
        return self.loss_of_epoch / (self.counted_of_epoch or 1)

    def start_epoch(self) -> None:
        """Close the present epoch and start the next."""
        self.epoch, self.step_of_epoch = self.epoch + 1, 0
        self.loss_of_epoch = self.counted_of_epoch = 0.0

    def extend(self, done_of_epoch: int) -> None:
        """Go on, as the run has become longer: patience begins anew.

        Of an epoch that the end has cut, ``done_of_epoch`` steps are done; 0 for none, or a whole one.
        """
        self.done, self.waited = False, 0
        if done_of_epoch:
            self.epoch, self.step_of_epoch = self.epoch - 1, done_of_epoch

    def plain(self) -> dict[str, Any]:
        """Return the fields by name, as a checkpoint holds them."""
        return {name: getattr(self, name) for name in State.__slots__}
