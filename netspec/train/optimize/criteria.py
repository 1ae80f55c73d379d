"""Losses that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def perceptron(output: Tensor, target: Tensor) -> Tensor:
    """Return Rosenblatt's criterion: the mean of max(0, −y·f(x)), y = 2·target − 1. ``output`` and ``target``: (N, …).

    A score of 0 is on the wrong side of either class: it counts as 0, but its gradient is −y.
    """
    margin = output * (2 * target - 1)
    return torch.where(margin <= 0, -margin, torch.zeros_like(margin)).mean()


def mean(output: Tensor) -> Tensor:
    """Return the mean of an output (N, …)."""
    return output.mean()


def kl_divergence(output: Tensor, target: Tensor) -> Tensor:
    """Return KL(target ‖ softmax(output)) in nats, summed over the last dimension and averaged over the others."""
    return F.kl_div(F.log_softmax(output, -1), target, reduction="none").sum(-1).mean()
