"""The loss and the metrics of a network on some rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import TrainingFault, UsageError
from netspec.recipes import Column
from netspec.recipes.losses import Loss
from netspec.recipes.metrics import Metric
from netspec.train.data.batches import Batch, Batches
from netspec.train.names import resolve
from netspec.train.optimize.meters import Meter
from netspec.train.optimize.objective import Objective
from netspec.train.optimize.views import mean_output
from netspec.train.world import SINGLE_PROCESS, World

EVALUATION_BATCH = 256
YES = 0.5
"""A target, 0 or 1 or a probability, that is as much as this is a yes."""
FEW = 8
"""Rows that tell whether a network looks ahead."""


class Evaluator:
    """Evaluates the loss of a network, and the metrics of its first output with a loss.

    ``read_back`` is the number of the input that holds the target shifted by one, for metrics that let the network read
    what it wrote. ``fixed`` says that all rows of the output have one size; ``own_scale`` takes numbers back to the
    scale of the data, which their metrics are in.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        objective: Objective,
        losses: Mapping[str, Loss],
        column: Column,
        classes: int | None,
        read_back: int | None = None,
        fixed: bool = True,
        own_scale: Callable[[Tensor], Tensor] | None = None,
    ):
        self.fixed, self.own_scale = fixed, own_scale
        self.objective, self.losses, self.read_back = objective, losses, read_back
        self.loss = losses[objective.main]
        self.ignored = getattr(self.loss, "ignore_index", None)
        self.ignored = column.padding if self.ignored is None else self.ignored
        self.meters: dict[str, Any] = {}
        self.decoding: dict[str, Any] = {}
        for metric in metrics:
            task = self.loss.task
            if metric.decodes and read_back is None:
                raise UsageError(
                    f"`{metric.name}` is for sequences that a network writes word by word, from its target"
                )
            meter = resolve(metric.tasks[task])(**metric.keywords(task, classes))
            (self.decoding if metric.decodes else self.meters)[metric.label] = meter

    def evaluate(
        self, model: nn.Module, batches: Batches, batch: int | None, autocast: AbstractContextManager[Any]
    ) -> dict[str, float]:
        """Return ``{"loss": …, "accuracy": …}`` of a network in evaluation mode; metrics that are not defined are left
        out.
        """
        training = model.training
        model.eval()
        for meter in (*self.meters.values(), *self.decoding.values()):
            meter.to(batches.device).reset()
        losses = Losses(self.objective)
        with torch.inference_mode():
            for each, *views in batches.judged(max(batch or len(batches), EVALUATION_BATCH)):
                with autocast:
                    outputs = model(*each.inputs)
                    if views:
                        outputs = mean_output([outputs, *(model(*view.inputs) for view in views)], self.losses)
                if each.rows:
                    losses.add(outputs, each)
                    self._update(outputs, each)
                if self.decoding:
                    self._decode(model, each, outputs, batches.world)
        model.train(training)
        scores = {"loss": losses.mean(batches.world)}
        values = {name: float(meter.compute()) for name, meter in (*self.meters.items(), *self.decoding.items())}
        return scores | {name: value for name, value in values.items() if math.isfinite(value)}

    @property
    def labels(self) -> list[str]:
        """Return the labels of the metrics."""
        return [*self.meters, *self.decoding]

    def _update(self, outputs: Any, batch: Batch) -> None:
        if not self.meters:  # a loss that compares nothing has none, nor targets in the output's shape
            return
        output, target = self._scores(outputs).float(), batch.targets[self.objective.main]
        if self.loss.task == "classes":
            scores, wanted = scores_of_places(output, target)
            if self.ignored is not None:
                counts = wanted != self.ignored
                scores, wanted = scores[counts], wanted[counts]
        else:
            if self.own_scale is not None:
                output, target = (self.own_scale(each) for each in (output.reshape(target.shape), target))
            scores, wanted = (self._columns(each) for each in (output, target.reshape(output.shape)))
            wanted = wanted >= YES if self.loss.task == "binary" else wanted.float()
        if not len(wanted):
            return
        for meter in self.meters.values():
            if isinstance(meter, Meter):
                meter.update(scores, wanted)
            elif self.loss.task == "binary":
                meter.update(scores.sigmoid().flatten(), wanted.long().flatten())
            else:
                meter.update(scores if self.loss.task == "classes" else scores.flatten(), wanted.flatten())

    def _columns(self, rows: Tensor) -> Tensor:
        """Return numbers, or answers to questions, as (n, columns), a column for each position of a row, or (n, 1) of
        all.

        The positions of images and sequences answer one and the same question.
        """
        apart = self.fixed and (rows.dim() == 2 or self.loss.task == "numbers")
        return rows.reshape(len(rows), -1) if apart else rows.reshape(-1, 1)

    def _decode(self, model: nn.Module, batch: Batch, outputs: Any, world: World) -> None:
        """Score the sequences that a network writes when it reads back its own words.

        It writes the target from end to end if it predicts every word of it from the target's words before that one: so
        one pass suffices, unless the network looks ahead at words that it is yet to write.
        """
        ahead = world.most(self.looks_ahead(model, batch))  # all processes, which may share the network, do the same
        written = self.decoded(model, batch, world) if ahead else self._scores(outputs).argmax(-1)
        right = self._right(written[: batch.rows], batch.targets[self.objective.main][: batch.rows])
        for meter in self.decoding.values():
            meter.update(right)

    def _scores(self, outputs: Any) -> Tensor:
        scores: Tensor = outputs[self.objective.main] if isinstance(outputs, dict) else outputs
        return scores

    def looks_ahead(self, model: nn.Module, batch: Batch) -> bool:
        """Return whether the output of the first half of a sequence changes with the words of its second half."""
        assert self.read_back is not None
        inputs = [None if each is None else each[:FEW] for each in batch.inputs]
        words = inputs[self.read_back]
        assert words is not None
        half = self._longest(batch) // 2
        before = self._scores(model(*inputs))[:, :half]
        inputs[self.read_back] = torch.cat([words[:, :half], words[:, :1].expand(-1, words.shape[1] - half)], 1)
        return not torch.allclose(before, self._scores(model(*inputs))[:, :half], rtol=1e-4, atol=1e-4)

    def _right(self, written: Tensor, target: Tensor) -> Tensor:
        """Return 1 for sequences that are right from end to end, else 0; padding and rows of padding do not count."""
        same = written == target
        if self.ignored is not None:
            same |= target == self.ignored
            return same[(target != self.ignored).any(1)].all(1).float()
        return same.all(1).float()

    def decoded(self, model: nn.Module, batch: Batch, world: World = SINGLE_PROCESS) -> Tensor:
        """Return the words that the network writes as it reads back its own, the likeliest ones, (N, T)."""
        assert self.read_back is not None
        inputs = list(batch.inputs)
        begin = inputs[self.read_back]
        assert begin is not None
        words = torch.cat([begin, begin[:, :1]], 1)
        for turn in range(world.most(self._longest(batch))):  # as often in every process, which may share the network
            position = min(turn, begin.shape[1] - 1)
            inputs[self.read_back] = words[:, : position + 1]
            words[:, position + 1] = self._scores(model(*inputs))[:, position].argmax(-1)
        return words[:, 1:]

    def _longest(self, batch: Batch) -> int:
        """The place behind the last one of the batch whose target counts."""
        target = batch.targets[self.objective.main]
        if self.ignored is None:
            return target.shape[1]
        places = (target != self.ignored).any(0).nonzero()
        return int(places.max()) + 1 if len(places) else 1


def nothing_counts(which: str, output: str, ignored: int | None) -> str:
    """Return the message about rows of which nothing counts."""
    return (
        f"nothing counts of the rows {which}: every target of `{output}` is {ignored}, which the loss ignores; take "
        "rows with other targets, or another `ignore_index`"
    )


class Losses:
    """The mean loss over all that counts in many batches, however the rows are divided into them."""

    def __init__(self, objective: Objective):
        self.objective = objective
        self.sums = dict.fromkeys(objective.terms, 0.0)
        self.counts = dict.fromkeys(objective.terms, 0.0)

    def add(self, outputs: Any, batch: Batch) -> None:
        """Add the outputs of a batch."""
        counts = self.objective.counts(batch.targets)
        for name, output in self.objective.named(outputs).items():
            if counts[name]:
                mean = self.objective.terms[name].function(output, batch.targets[name])
                self.sums[name] += float(mean) * counts[name]
                self.counts[name] += counts[name]

    def mean(self, world: World = SINGLE_PROCESS) -> float:
        """Return the mean over all processes. Raises ``TrainingFault`` if nothing of the rows counts."""
        terms = self.objective.terms.values()
        sums, counts = (world.sums(*each.values()) for each in (self.sums, self.counts))
        if not any(counts):
            ignored = self.objective.terms[self.objective.main].ignored
            raise TrainingFault(nothing_counts("that are judged", self.objective.main, ignored))
        return sum(term.scale * total / count for term, total, count in zip(terms, sums, counts) if count)


def scores_of_places(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (positions, classes) and classes (positions), of images, sequences or rows."""
    if output.dim() > 3:
        output = output.movedim(1, -1)
    return output.flatten(0, -2), target.flatten().long()


def better_way(metrics: Iterable[Metric], watched: str) -> int:
    """Return 1 if a higher value of ``watched`` is better, −1 if a lower one is."""
    return next((1 for metric in metrics if metric.label == watched and metric.better == "higher"), -1)
