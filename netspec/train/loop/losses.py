"""The losses of the steps, on their way from the device to the run's record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from netspec.train.data.batches import Batch
from netspec.train.errors import loss_fault
from netspec.train.loop.requests import Requests
from netspec.train.setup import Setup

READ_EVERY = 0.1
"""Seconds from one reading of a device's losses to the next, and from one record to the next."""


class StepLoss(NamedTuple):
    """The loss of a step, a scalar: this process's part of the mean over ``counted`` rows or positions."""

    step: int
    loss: Tensor
    counted: float


class StepLosses:
    """Reads and checks the losses of the steps, and hands each to ``record(step, loss, counted)``, in order.

    On the CPU a loss is read and checked as it comes, and recorded together with others: between two steps, the little
    that is done for each lies in no cache any more. On another device reading it waits until the device has done all
    that was asked of it: there the losses stay on the device, and are read together every 0.1 s, so that steps are
    queued without a pause. The processes of a world read after the same steps.

    Raises ``TrainingFault`` for a loss that is not finite. On the CPU the weights are then those before its step. On a
    device further steps may have been taken, but none of them is ever saved: whoever saves calls ``read`` first.
    """

    def __init__(self, setup: Setup, requests: Requests, record: Callable[[int, float, float], None]):
        self.setup, self.requests, self.record = setup, requests, record
        self.late = setup.device.type != "cpu"
        self._pending: list[StepLoss] = []
        self._checked: list[tuple[int, float, float]] = []
        self._steps_to_read = 1
        self._last_reading = time.perf_counter()

    def add(self, step: int, loss: Tensor, counted: float, batch: Batch) -> None:
        """Add the loss of a step, before that changes the weights."""
        if self.late:
            self._keep(StepLoss(step, loss.detach(), counted), batch)
            return
        (value,) = self.requests.agree(loss.item())
        if not math.isfinite(value):
            raise loss_fault(step, value, self.setup.model, batch, self.setup.world)
        self._checked.append((step, value, counted))
        if time.perf_counter() - self._last_reading >= READ_EVERY:
            self._hand_on()

    def read(self) -> None:
        """Read what is left, after its steps have changed the weights, and hand it on."""
        if self._pending:
            self._read(None)
        self._hand_on()

    def _hand_on(self) -> None:
        checked, self._checked = self._checked, []
        for each in checked:
            self.record(*each)
        self._last_reading = time.perf_counter()

    def _keep(self, loss: StepLoss, batch: Batch) -> None:
        self._pending.append(loss)
        if len(self._pending) >= self._steps_to_read:
            self._read(batch)

    def _read(self, batch: Batch | None) -> None:
        """Read all losses; ``batch`` is that of the last one, if it has not changed the weights yet."""
        pending, self._pending = self._pending, []
        parts = torch.stack([each.loss for each in pending]).tolist()
        proposed = self._next_reading(len(pending)) if self.setup.world.is_first else 0
        *values, agreed = self.requests.agree(*parts, proposed)
        self._steps_to_read = int(agreed)
        for each, value in zip(pending, values):
            if not math.isfinite(value):
                of_last = batch if each is pending[-1] else None
                raise loss_fault(each.step, value, self.setup.model, of_last, self.setup.world)
            self.record(each.step, value, each.counted)

    def _next_reading(self, steps: int) -> int:
        """Return the number of steps until the next reading, by the time that the last ``steps`` have taken."""
        now = time.perf_counter()
        elapsed, self._last_reading = now - self._last_reading, now
        return max(1, min(2 * steps, int(steps * READ_EVERY / elapsed)))
