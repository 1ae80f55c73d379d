"""Newton's method with the exact Hessian, damped as by Levenberg and Marquardt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

MOST_PARAMETERS = 5_000
TRIES = 12


class DampedNewton(torch.optim.Optimizer):
    """w ← w − lr·(H + λI)⁻¹·g on the whole batch, where λ grows until the step lowers the loss.

    The Hessian has the square of the number of parameters as entries. Raises ``ValueError`` for more than 5,000
    parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, damping: float = 1e-3):
        super().__init__(params, {"lr": lr, "damping": damping})
        if len(self.param_groups) != 1:
            raise ValueError("Newton's method takes all parameters in one group")
        count = sum(parameter.numel() for parameter in self._parameters())
        if count > MOST_PARAMETERS:
            raise ValueError(f"Newton's method is for at most {MOST_PARAMETERS:,} parameters, and these are {count:,}")

    def _parameters(self) -> list[Tensor]:
        return [each for each in self.param_groups[0]["params"] if each.requires_grad]

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        """Take one step and return the loss before it; ``closure`` returns the loss without calling ``backward``."""
        assert closure is not None, "Newton's method evaluates the loss itself"
        group, parameters = self.param_groups[0], self._parameters()
        with torch.enable_grad():
            loss = closure()
            gradient = flat(torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True))
            hessian = torch.stack([self._row(entry, parameters) for entry in gradient])
        before = [parameter.detach().clone() for parameter in parameters]
        damping = group["damping"]
        with torch.no_grad():
            identity = torch.eye(len(gradient), dtype=gradient.dtype, device=gradient.device)
            for _ in range(TRIES):
                way, info = torch.linalg.solve_ex(hessian + damping * identity, gradient.detach())
                if not info.any() and way @ gradient.detach() > 0:
                    self._move(parameters, before, -group["lr"] * way)
                    if closure() < loss:
                        group["damping"] = max(damping / 10, 1e-12)
                        return loss.detach()
                damping = max(damping * 10, 1e-8)
            self._move(parameters, before, torch.zeros_like(gradient))  # nothing lowers it: a minimum, to rounding
        return loss.detach()

    def _row(self, entry: Tensor, parameters: list[Tensor]) -> Tensor:
        if not entry.requires_grad:  # the loss is linear in it
            return torch.zeros(sum(each.numel() for each in parameters), dtype=entry.dtype, device=entry.device)
        return flat(torch.autograd.grad(entry, parameters, retain_graph=True, materialize_grads=True))

    def _move(self, parameters: list[Tensor], before: list[Tensor], by: Tensor) -> None:
        parts = torch.split(by, [each.numel() for each in parameters])
        for parameter, start, part in zip(parameters, before, parts):
            parameter.copy_(start + part.view_as(start))


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Return tensors as one vector, [n]."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
