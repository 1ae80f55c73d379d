"""Meters: metrics over all rows, whatever the batches and the processes were that had them.

Each collects statistics of every batch and computes the metric at the end. The scores are a network's own, before any
sigmoid or softmax, whose rounding would make different scores equal. A metric that is not defined is ``nan``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Meter(ABC):
    """Base of every meter; its interface is that of torchmetrics."""

    def __init__(self) -> None:
        self.parts: list[tuple[Tensor, ...]] = []

    def to(self, device: torch.device) -> Meter:
        """Return the meter itself: statistics are kept on the CPU."""
        return self

    def reset(self) -> None:
        """Forget all batches."""
        self.parts = []

    def update(self, scores: Tensor, wanted: Tensor) -> None:
        """Add a batch of scores and targets, [n, …] each."""
        self.parts.append(tuple(each.cpu() for each in self.part(scores, wanted)))

    def compute(self) -> float:
        """Return the metric over the batches of all processes."""
        parts = gathered(self.parts)
        return self.whole([torch.stack(each) for each in zip(*parts)]) if parts else math.nan

    @abstractmethod
    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        """Return the statistics of a batch."""

    @abstractmethod
    def whole(self, statistics: Sequence[Tensor]) -> float:
        """Return the metric from the statistics of all batches, [batches, …] each."""


def gathered(parts: list[Any]) -> list[Any]:
    """Return the parts of all processes."""
    if not dist.is_initialized():
        return parts
    everywhere: list[list[Any]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(everywhere, parts)
    return [part for each in everywhere for part in each]


def mean_of_defined(values: Tensor) -> float:
    """Return the mean of the values that are not ``nan``; ``nan`` if there is none."""
    return float(values[~values.isnan()].mean())


class AccuracyMeter(Meter):
    """The share of right answers: a score above 0 says yes. Scores and truths: (n, …)."""

    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        right = (scores > 0) == wanted
        return right.sum(), torch.tensor(right.numel())

    def whole(self, statistics: Sequence[Tensor]) -> float:
        right, count = (each.sum() for each in statistics)
        return float(right.double() / count)


class F1Meter(Meter):
    """2·hits / (2·hits + misses + false alarms) of each class, averaged over those that occur, wanted or found.

    Scores (n, classes) and classes (n), where the highest score is taken; or scores and truths (n, questions), where a
    score above 0 says yes. A question that is never to be answered with yes, nor is, counts as 0, as in scikit-learn.
    """

    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        if scores.dim() == wanted.dim():
            answers, truth = scores > 0, wanted
            return (answers & truth).sum(0), answers.sum(0) + truth.sum(0)
        count = scores.shape[1]
        answers = scores.argmax(1)
        hits = torch.bincount(wanted[answers == wanted], minlength=count)
        return hits, torch.bincount(answers, minlength=count) + torch.bincount(wanted, minlength=count)

    def whole(self, statistics: Sequence[Tensor]) -> float:
        hits, named = (each.sum(0).double() for each in statistics)
        return mean_of_defined(2 * hits / named)


class MultilabelF1Meter(F1Meter):
    """The same for questions of yes and no."""

    def whole(self, statistics: Sequence[Tensor]) -> float:
        hits, named = (each.sum(0).double() for each in statistics)
        return float((2 * hits / named).nan_to_num(0.0).mean())


class AUROCMeter(Meter):
    """The share of pairs, one of a class and one not, in which the former has the higher score; a tie is half a pair
    (Hanley and McNeil 1982). Averaged over the classes that have such pairs.

    Scores (n, classes) and classes (n), each class against the rest; or scores and truths (n, questions).
    """

    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        if scores.dim() == wanted.dim():
            return scores, wanted
        return log_odds(scores.double()), torch.nn.functional.one_hot(wanted, scores.shape[1]).bool()

    def compute(self) -> float:
        parts = gathered(self.parts)
        return self.whole([torch.cat(each) for each in zip(*parts)]) if parts else math.nan

    def whole(self, statistics: Sequence[Tensor]) -> float:
        scores, wanted = statistics
        return mean_of_defined(torch.stack([self.of_one(*each) for each in zip(scores.unbind(1), wanted.unbind(1))]))

    def of_one(self, scores: Tensor, wanted: Tensor) -> Tensor:
        """Return the metric of a single question; 0/0 if all rows have the same answer."""
        _, group, counts = torch.unique(scores, return_inverse=True, return_counts=True)
        counts = counts.double()
        ranks = (counts.cumsum(0) - (counts - 1) / 2)[group]
        yes = wanted.sum().double()
        area: Tensor = (ranks[wanted].sum() - yes * (yes + 1) / 2) / (yes * (len(wanted) - yes))
        return area


def log_odds(scores: Tensor) -> Tensor:
    """Return log(p/(1 − p)) of each class, p from the softmax of scores (n, classes); as exact at 1 as at 0."""
    best = scores.argmax(1, keepdim=True)
    logs = scores.log_softmax(1)
    others = scores.scatter(1, best, -math.inf).logsumexp(1, keepdim=True)
    odds = logs - torch.log1p(-logs.exp().clamp(max=0.75))  # all but the best are below a half
    return odds.scatter(1, best, scores.gather(1, best) - others)


class R2Meter(Meter):
    """1 − Σ(ŷ − y)²/Σ(y − ȳ)², averaged over the numbers of a row. Both: (n, …).

    Of a number that is the same in every row it is 1 where it is met exactly and else 0, as in scikit-learn; of fewer
    than two rows it is not defined.
    """

    def update(self, scores: Tensor, wanted: Tensor) -> None:
        super().update(scores, wanted)
        self.parts = [merged([torch.stack(each) for each in zip(*self.parts)])]  # a row may have many numbers

    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        scores, wanted = (each.flatten(1).double() for each in (scores, wanted))
        mean = wanted.mean(0)
        return torch.tensor(len(wanted)), mean, ((wanted - mean) ** 2).sum(0), ((scores - wanted) ** 2).sum(0)

    def whole(self, statistics: Sequence[Tensor]) -> float:
        count, _, spread, missed = merged(statistics)
        if count < 2:
            return math.nan
        constant = (missed == 0).double()
        return float(torch.where(spread > 0, 1 - missed / spread, constant).mean())


def merged(statistics: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return number, mean, Σ(y − ȳ)² and Σ(ŷ − y)² of all rows, from those of parts, [parts, …] each (Chan et al.
    1979).
    """
    counts, means, spreads, missed = statistics
    weights = counts[:, None].double()
    mean = (weights * means).sum(0) / weights.sum()
    return counts.sum(), mean, spreads.sum(0) + (weights * (means - mean) ** 2).sum(0), missed.sum(0)


class PerplexityMeter(Meter):
    """e to the mean of −log p of the right class. Scores (n, classes), classes (n)."""

    def part(self, scores: Tensor, wanted: Tensor) -> Sequence[Tensor]:
        logs = scores.double().log_softmax(1).gather(1, wanted[:, None])
        return -logs.sum(), torch.tensor(len(wanted))

    def whole(self, statistics: Sequence[Tensor]) -> float:
        total, count = (each.sum() for each in statistics)
        return float((total / count).exp())
