"""The scale of the loss in float16, whose least number is far above most gradients."""

from __future__ import annotations

import torch
from torch.amp.grad_scaler import GradScaler

from netspec.diagnostics import TrainingFault

LEAST = 2.0**-10
"""The scale below which it is not the scale that makes gradients too large for float16."""


class LossScaler(GradScaler):
    """Scales the loss where the recipe computes in float16, and leaves all as it is elsewhere.

    A step whose scaled gradients are not finite is left out, and the scale halved; after 2,000 steps without such a one
    it is doubled.
    """

    def __init__(self, device: torch.device, precision: str):
        super().__init__(device.type, enabled=precision == "float16")

    def guard(self, step: int) -> None:
        """Guard: some scale makes the gradients finite. It waits for the device."""
        if self.is_enabled() and self.get_scale() < LEAST:
            raise TrainingFault(
                f"the gradients are not finite in float16 before step {step}, however small the loss is made, so no "
                "step is taken: `--set train.precision=mixed` has the range of float32"
            )
