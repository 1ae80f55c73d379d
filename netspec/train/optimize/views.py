"""The mean of what a network says of several views of the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.recipes.losses import Loss


def mean_output(outputs: Sequence[Any], losses: Mapping[str, Loss]) -> Any:
    """Return the mean of a network's outputs of several views, each a tensor or a mapping of several.

    Of scores for classes, or for yes and no, it is the mean of the probabilities, as the scores that give it; of an
    output without a loss, and of numbers, that of the output itself.
    """
    if not isinstance(outputs[0], dict):
        return mean_scores(outputs, next(iter(losses.values())))
    return {name: mean_scores([each[name] for each in outputs], losses.get(name)) for name in outputs[0]}


def mean_scores(scores: Sequence[Tensor], loss: Loss | None) -> Tensor:
    """Return the scores, (N, …), that give the mean of the probabilities of several, by the loss that they are for."""
    several = torch.stack([each.float() if each.is_floating_point() else each for each in scores])
    if loss is not None and loss.per_class:
        return _log_mean(F.log_softmax(several, 2))
    if loss is not None and loss.task == "binary" and loss.odds:
        return _log_mean(F.logsigmoid(several)) - _log_mean(F.logsigmoid(-several))
    return several.mean(0) if several.is_floating_point() else scores[0]


def _log_mean(logs: Tensor) -> Tensor:
    """Return the logarithm of the mean, along dim 0, of numbers whose logarithms are given."""
    return logs.logsumexp(0) - math.log(len(logs))
