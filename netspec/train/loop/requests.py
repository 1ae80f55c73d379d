"""Requests to stop or to save, which all processes of a run follow after the same step."""

from __future__ import annotations

import time

from netspec.train.world import World


class Requests:
    """Requests of one process, and those that all processes have agreed on.

    ``asked_to_stop`` is set in this process alone, as by a signal. ``save_due`` says that more than ``minutes`` have
    passed since the last checkpoint, by the clock of the first process; it is never set if ``minutes`` is ``None``.
    """

    def __init__(self, world: World, minutes: float | None):
        self.world, self.minutes = world, minutes
        self.asked_to_stop = self.save_due = False
        self._stop_agreed = False
        self._last_save = time.perf_counter()

    @property
    def stopping(self) -> bool:
        """Return whether the run ends after this step: at once for a single process, else when all know of it."""
        return self.asked_to_stop if self.world.size == 1 else self._stop_agreed

    def agree(self, number: float = 0.0) -> float:
        """Exchange the requests of all processes, and return the sum of their ``number``.

        One reduction carries both, as every reduction costs a step its latency.
        """
        elapsed = time.perf_counter() - self._last_save
        due = self.world.is_first and self.minutes is not None and elapsed >= 60 * self.minutes
        number, stop, save = self.world.sums(number, self.asked_to_stop, due)
        self._stop_agreed, self.save_due = bool(stop), bool(save)
        return number

    def saved(self) -> None:
        """Restart the clock of checkpoints."""
        self._last_save = time.perf_counter()
