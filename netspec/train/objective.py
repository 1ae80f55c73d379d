"""What is made small: the losses of the outputs, added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from netspec.recipes.losses import Loss
from netspec.train.names import resolve


class Objective:
    """The loss of a batch. ``decay`` times half the squared norm of ``penalised`` is added where that is not empty."""

    def __init__(
        self,
        losses: Mapping[str, Loss],
        padding: Mapping[str, int | None],
        penalised: list[Tensor] | None = None,
        decay: float = 0.0,
    ):
        self.terms = {name: (loss.scale, criterion(loss, padding.get(name))) for name, loss in losses.items()}
        self.main = next(iter(losses))
        self.penalised, self.decay = penalised or [], decay

    def __call__(self, outputs: Any, targets: Mapping[str, Tensor]) -> Tensor:
        """The loss of what the network gave: a tensor, or a mapping of several, some of which may be absent."""
        loss = self.of_outputs(outputs, targets)
        for parameter in self.penalised:
            loss = loss + self.decay / 2 * parameter.square().sum()
        return loss

    def of_outputs(self, outputs: Any, targets: Mapping[str, Tensor]) -> Tensor:
        """The same without the penalty."""
        if not isinstance(outputs, dict):
            scale, function = self.terms[self.main]
            loss = function(outputs, targets[self.main])
            return loss if scale == 1.0 else scale * loss
        parts = [
            scale * function(outputs[name], targets[name])
            for name, (scale, function) in self.terms.items()
            if name in outputs
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def criterion(loss: Loss, padding: int | None) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss as a function of an output (N, …) and its target (N, …), averaged over both."""
    function, keywords = resolve(loss.torch), loss.keywords()
    if not loss.per_class:
        return partial(_numbers, partial(function, **keywords))
    if padding is not None:
        keywords.setdefault("ignore_index", padding)
    return partial(_classes, partial(function, **keywords))


def _numbers(function: Callable[..., Tensor], output: Tensor, target: Tensor) -> Tensor:
    return function(output.float(), target.to(torch.float32).reshape(output.shape))


def _classes(function: Callable[..., Tensor], output: Tensor, target: Tensor) -> Tensor:
    if output.dim() == 3:  # sequences have their classes last; a row a place is what torch is fastest at
        output, target = output.flatten(0, 1), target.flatten()
    return function(output.float(), target)
