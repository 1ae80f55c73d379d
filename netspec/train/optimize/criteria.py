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


SMALLEST = 1e-7
"""The least share that a power is taken of: its slope at 0 may be infinite."""


def focal(
    output: Tensor, target: Tensor, gamma: float, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor:
    """Return the mean of −(1 − p)^γ · log p of the right class, by the classes' ``weight`` if there is one.

    ``output``: (N, classes, …), ``target``: (N, …), or probabilities of the classes in the shape of the output, of
    which the mean is that over rows.
    """
    likely = F.log_softmax(output, 1)
    if target.is_floating_point():
        losses = _focused(likely, gamma) * target
        return (losses if weight is None else losses * weight).sum(1).mean()
    counts = target != ignore_index
    classes = target.where(counts, 0)
    losses = _focused(likely.gather(1, classes[:, None]).squeeze(1), gamma)
    counted = counts if weight is None else counts * weight[classes]
    return (losses * counted).sum() / counted.sum()


def _focused(likely: Tensor, gamma: float) -> Tensor:
    """Return −(1 − p)^γ · log p from log p."""
    return -(-torch.expm1(likely)).clamp(min=SMALLEST).pow(gamma) * likely


def binary_focal(output: Tensor, target: Tensor, gamma: float, alpha: float | None = None) -> Tensor:
    """Return the mean focal loss of scores and truths, (N, …), as ``torchvision.ops.sigmoid_focal_loss``."""
    right = torch.sigmoid(output)
    right = right * target + (1 - right) * (1 - target)
    losses = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    losses = losses * (1 - right).clamp(min=SMALLEST).pow(gamma)
    return losses.mean() if alpha is None else (losses * (alpha * target + (1 - alpha) * (1 - target))).mean()


def dice(
    output: Tensor, target: Tensor, cross_entropy: float, background: bool, smooth: float, ignore_index: int = -100
) -> Tensor:
    """Return 1 − Dice's coefficient, the mean over classes and images. ``output``: (N, classes, …), ``target``: (N, …).

    Images without a pixel that counts are left out.
    """
    counts = (target != ignore_index).flatten(1)
    there = counts.any(1)
    output, target, counts = (each[there] for each in (output.flatten(2), target.flatten(1), counts))
    chances, classes = output.softmax(1) * counts[:, None], target.where(counts, 0)[:, None]
    found = chances.gather(1, classes).squeeze(1) * counts
    both = torch.zeros_like(chances[..., 0]).scatter_add(1, classes[:, 0], found)
    wanted = torch.zeros_like(chances[..., 0]).scatter_add(1, classes[:, 0], counts.to(chances.dtype))
    losses = 1 - (2 * both + smooth) / (chances.sum(2) + wanted + smooth)
    loss = losses[:, 0 if background else 1 :].mean()
    if not cross_entropy:
        return loss
    likely = F.log_softmax(output, 1).gather(1, classes).squeeze(1) * counts
    return loss - cross_entropy * (likely.sum(1) / counts.sum(1)).mean()


def binary_dice(output: Tensor, target: Tensor, cross_entropy: float, smooth: float) -> Tensor:
    """Return 1 − Dice's coefficient, the mean over images, and over channels of (N, channels, H, W)."""
    scores, truths = (each.flatten(2 if each.dim() > 3 else 1) for each in (output, target))
    chances = scores.sigmoid()
    both, sizes = (chances * truths).sum(-1), chances.sum(-1) + truths.sum(-1)
    loss = (1 - (2 * both + smooth) / (sizes + smooth)).mean()
    return loss + cross_entropy * F.binary_cross_entropy_with_logits(scores, truths) if cross_entropy else loss


def margin_ranking(output: Tensor, target: Tensor, margin: float) -> Tensor:
    """Return the mean of max(0, margin − lead) over the pairs of each row, and over rows. Both: (N, items)."""
    return _of_pairs(F.relu(margin - _leads(output)), target)


def rank_net(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean of log(1 + e^−lead) over the pairs of each row, and over rows. Both: (N, items)."""
    return _of_pairs(F.softplus(-_leads(output)), target)


def _leads(scores: Tensor) -> Tensor:
    """Return how far each item of a row leads each other, (N, items, items)."""
    return scores[:, :, None] - scores[:, None]


def _of_pairs(losses: Tensor, target: Tensor) -> Tensor:
    """Return the mean of losses over the pairs of each row whose first item is the better one; 0 for a row without."""
    better = target[:, :, None] > target[:, None]
    return ((losses * better).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)).mean()


def contrastive(output: Tensor, target: Tensor, margin: float) -> Tensor:
    """Return the mean of d² where the target is 1, and of max(0, margin − d)² where it is 0. Both: (N, …)."""
    return torch.where(target > 0, output.square(), F.relu(margin - output).square()).mean()


def triplet_margin(output: Tensor, margin: float, p: float, swap: bool) -> Tensor:
    """Return torch's triplet loss of the three vectors of each row, (N, 3, features)."""
    anchor, alike, other = output.unbind(1)
    return F.triplet_margin_loss(anchor, alike, other, margin=margin, p=p, swap=swap)
