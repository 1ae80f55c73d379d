"""Exponential moving averages of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from netspec.recipes.settings import MovingAverage


class Averages:
    """The moving averages of a network's parameters and buffers. ``steps`` counts those that they are over.

    They begin as the weights after the first step, and are kept in single precision at least, in which the small part
    that a step adds is not lost. Whole numbers, such as a count of batches, are taken as they are.
    """

    def __init__(self, model: nn.Module, ema: MovingAverage):
        saved = model.state_dict().keys()
        named = [*model.named_parameters(), *model.named_buffers()]  # tied ones once
        self.weights = {name: tensor.detach() for name, tensor in named if name in saved}
        self.tensors = {name: _precise(tensor).clone() for name, tensor in self.weights.items()}
        self.ema, self.steps = ema, 0
        real = [name for name, tensor in self.weights.items() if _is_real(tensor)]
        self._pairs = [(_local(self.tensors[name]), _local(self.weights[name])) for name in real]
        self._whole = [(self.tensors[name], self.weights[name]) for name in self.weights if name not in {*real}]

    def decay(self) -> float:
        """Return the share of the averages that the next step leaves as it is."""
        return min(self.ema.decay, (1 + self.steps) / (10 + self.steps)) if self.ema.warmup else self.ema.decay

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        averages = [average for average, _ in self._pairs]
        weights = [weight.to(average.dtype) for average, weight in self._pairs]
        if self.steps == 1:
            torch._foreach_copy_(averages, weights)
        else:
            get_ema_multi_avg_fn(self.decay())(averages, weights, self.steps)  # type: ignore[no-untyped-call]
        for average, weight in self._whole:
            average.copy_(weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the network run with the averages; its own weights are back afterwards, bit for bit."""
        if not self.steps:
            yield
            return
        own = {name: tensor.clone() for name, tensor in self.weights.items()}
        try:
            self._put(self.tensors)
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, tensors: dict[str, Tensor]) -> None:
        for name, weight in self.weights.items():
            weight.copy_(tensors[name])


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _precise(tensor: Tensor) -> Tensor:
    """Return a tensor in single precision at least."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32)) if _is_real(tensor) else tensor


def _local(tensor: Tensor) -> Tensor:
    """Return the part of a divided parameter that this process has."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part
