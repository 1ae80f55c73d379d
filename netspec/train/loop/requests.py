"""Requests to stop or to save, which all processes of a run follow after the same step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from netspec.train.world import World


class Requests:
    """Requests of one process, and those that all processes have agreed on.

    ``asked_to_stop`` is set in this process alone, as by a signal; ``can_save_now`` says that a run in one process is
    between two steps. ``save_due`` says that more than ``minutes`` have
    passed since the last checkpoint, by the clock of the first process; it is never set if ``minutes`` is ``None``.
    """

    def __init__(self, world: World, minutes: float | None):
        self.world, self.minutes = world, minutes
        self.asked_to_stop = self.save_due = self.can_save_now = False
        self._stop_agreed = False
        self._last_save = time.perf_counter()

    @property
    def stopping(self) -> bool:
        """Return whether the run ends after this step: at once for a single process, else when all know of it."""
        return self.asked_to_stop if self.world.size == 1 else self._stop_agreed

    def agree(self, *numbers: float) -> Sequence[float]:
        """Exchange the requests of all processes, and return the sum of each of their ``numbers``.

        One reduction carries both, as every reduction costs a step its latency.
        """
        due = self.minutes is not None and time.perf_counter() - self._last_save >= 60 * self.minutes
        if self.world.size == 1:
            self.save_due = due
            return numbers
        *sums, stop, save = self.world.sums(*numbers, self.asked_to_stop, due and self.world.is_first)
        self._stop_agreed, self.save_due = bool(stop), bool(save)
        return sums

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Have the run stopped at once by a signal in the block. Of several processes, none is: all save together."""
        self.can_save_now = self.world.size == 1
        try:
            yield
        finally:
            self.can_save_now = False

    def saved(self) -> None:
        """Restart the clock of checkpoints."""
        self._last_save = time.perf_counter()
