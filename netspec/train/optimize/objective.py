"""The training objective: the sum of the outputs' losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from netspec.recipes.losses import Loss
from netspec.train.names import resolve

WEIGHTS = ("weight", "pos_weight")
"""The arguments of losses that are a number for each score."""


@dataclass(frozen=True, slots=True)
class Term:
    """The loss of one output. ``ignored`` is the class whose positions do not count, as padding; ``weight`` is the
    weight of each class, [classes], if they differ; ``by_row`` says that the mean is over rows, rather than positions.
    """

    scale: float
    function: Callable[[Tensor, Tensor], Tensor]
    ignored: int | None
    weight: Tensor | None = None
    by_row: bool = False

    def __call__(self, output: Tensor, target: Tensor, share: float) -> Tensor:
        """Return the loss of a part of a batch that has this share of what counts in it, a scalar."""
        if share == 0:  # nothing counts, and the mean of nothing is no number
            return 0.0 * output.sum()
        loss = self.function(output, target)
        weight = self.scale * share
        return loss if weight == 1.0 else weight * loss

    @property
    def skips(self) -> bool:
        """Return whether rows or positions may count for nothing."""
        return self.ignored is not None or self.weight is not None

    def count(self, target: Tensor) -> float:
        """Return the number of rows or positions that the mean is over, or the sum of their weights."""
        if self.weight is not None and target.is_floating_point():
            return float((target.double() @ self.weight.to(target.device, torch.float64)).sum())
        if self.weight is not None:
            counted = target if self.ignored is None else target[target != self.ignored]
            return float(self.weight.to(target.device)[counted].sum(dtype=torch.float64))
        if self.ignored is None:
            return target.shape[0]
        counts = target != self.ignored
        return int((counts.flatten(1).any(1) if self.by_row else counts).sum())


class Objective:
    """The loss of a batch. ``decay`` times half the squared norm of ``penalised`` is added where that is not empty."""

    def __init__(
        self,
        losses: Mapping[str, Loss],
        padding: Mapping[str, int | None],
        penalised: list[Tensor] | None = None,
        decay: float = 0.0,
    ):
        self.terms = {name: term(loss, padding.get(name)) for name, loss in losses.items()}
        self.main = next(iter(losses))
        self._may_be_empty = [name for name, each in self.terms.items() if each.skips]
        self.penalised, self.decay = penalised or [], decay

    def __call__(
        self, outputs: Any, targets: Mapping[str, Tensor], shares: Mapping[str, float] | None = None
    ) -> Tensor:
        """Return the loss, a scalar, of a network's output: a tensor, or a mapping of several, some of which may be
        absent.

        ``shares`` is, for a part of a batch and each output, the part's share of what counts in the whole batch: the
        losses of all parts then add up to that of the batch, however much padding each has.
        """
        if shares is None:
            shares = self._shares_of_whole(targets) if self._may_be_empty else {}
        total: Tensor | None = None
        for name, output in self.named(outputs).items():
            part = self.terms[name](output, targets[name], shares.get(name, 1.0))
            total = part if total is None else total + part
        assert total is not None
        for parameter in self.penalised:
            total = total + shares.get(self.main, 1.0) * self.decay / 2 * parameter.square().sum()
        return total

    def _shares_of_whole(self, targets: Mapping[str, Tensor]) -> dict[str, float]:
        """Return 0 for each output of which nothing counts in a whole batch, whose share is 1 otherwise."""
        return {name: float(self.terms[name].count(targets[name]) > 0) for name in self._may_be_empty}

    def named(self, outputs: Any) -> dict[str, Tensor]:
        """Return the outputs that have a loss and are present, by name."""
        if not isinstance(outputs, dict):
            return {self.main: outputs}
        return {name: outputs[name] for name in self.terms if name in outputs}

    def count(self, targets: Mapping[str, Tensor]) -> float:
        """Return the number of rows or positions that the loss of the main output is the mean of, or their weight."""
        return self.terms[self.main].count(targets[self.main])

    def counts(self, targets: Mapping[str, Tensor]) -> dict[str, float]:
        """Return, for each output, the number of rows or positions that its loss is the mean of, or their weight."""
        return {name: each.count(targets[name]) for name, each in self.terms.items()}


def term(loss: Loss, padding: int | None) -> Term:
    """Return the term of a loss for an output whose target is padded with ``padding``."""
    ignored = loss.keywords().get("ignore_index", padding) if loss.per_class else None
    weight = loss.keywords().get("weight")
    weights = None if weight is None else torch.tensor(weight)
    return Term(loss.scale, criterion(loss, padding), ignored, weights, loss.by_row)


def shares(counts: Mapping[str, float], wholes: Mapping[str, float]) -> dict[str, float]:
    """Return the share of a batch's counts that a part of it has, for each output."""
    return {name: count / wholes[name] if wholes[name] else 0.0 for name, count in counts.items()}


def criterion(loss: Loss, padding: int | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss as a function of an output (N, …) and its target (N, …), averaged over both."""
    function, keywords = resolve(loss.torch), loss.keywords()
    weights = {name: torch.tensor(keywords.pop(name)) for name in WEIGHTS if name in keywords}
    if loss.per_class and padding is not None:
        keywords.setdefault("ignore_index", padding)
    function = partial(function, **keywords) if keywords else function
    if not loss.compares:
        return lambda output, target: function(output.float())
    if weights:
        function = partial(_weighted, function, weights)
    return partial(_classes if loss.per_class else _numbers, function)


def _weighted(function: Callable[..., Tensor], weights: Mapping[str, Tensor], output: Tensor, target: Tensor) -> Tensor:
    """Return a loss with a weight for each score, along dim 1 of images.

    Of probabilities of the classes, [n, classes], torch takes the mean over rows, and this that over their weights, as
    of single classes.
    """
    sides = (1,) * (output.dim() - 2) if output.dim() > 3 else ()
    placed = {
        name: weight.to(output.device).reshape(-1, *(sides if name == "pos_weight" else ()))
        for name, weight in weights.items()
    }
    loss = function(output, target, **placed)
    if "weight" in placed and target.is_floating_point():
        return loss * (len(target) / (target @ placed["weight"]).sum())
    return loss


def _numbers(function: Callable[..., Tensor], output: Tensor, target: Tensor) -> Tensor:
    return function(output.float(), target.to(torch.float32).reshape(output.shape))


def _classes(function: Callable[..., Tensor], output: Tensor, target: Tensor) -> Tensor:
    if output.dim() == 3:  # sequences have their classes last; a row a place is what torch is fastest at
        output, target = output.flatten(0, 1), target.flatten()
    return function(output.float(), target)
