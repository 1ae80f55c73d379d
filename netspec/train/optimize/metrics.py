"""How well a network does on some rows: its loss, and its metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
from netspec.train.world import SINGLE_PROCESS, World

EVALUATION_BATCH = 256
YES = 0.5
"""A target, 0 or 1 or a probability, that is as much as this is a yes."""
FEW = 8
"""Rows that tell whether a network looks ahead."""


class Evaluator:
    """The metrics of a network's first judged output, and its loss.

    ``read_back`` is the place among the inputs of the one that holds the target shifted by one, for metrics that let
    the network read what it wrote. ``fixed`` says that all rows of the output have one size.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        objective: Objective,
        loss: Loss,
        column: Column,
        classes: int | None,
        read_back: int | None = None,
        fixed: bool = True,
    ):
        self.fixed = fixed
        self.objective, self.loss, self.read_back = objective, loss, read_back
        self.ignored = getattr(loss, "ignore_index", None)
        self.ignored = column.padding if self.ignored is None else self.ignored
        self.meters: dict[str, Any] = {}
        self.decoding: dict[str, Any] = {}
        for metric in metrics:
            task = loss.task
            if metric.decodes and read_back is None:
                raise UsageError(
                    f"`{metric.name}` is for sequences that a network writes word by word, from its target"
                )
            meter = resolve(metric.tasks[task])(**metric.keywords(task, classes))
            (self.decoding if metric.decodes else self.meters)[metric.label] = meter

    def evaluate(
        self, model: nn.Module, batches: Batches, batch: int | None, autocast: AbstractContextManager[Any]
    ) -> dict[str, float]:
        """``{"loss": …, "accuracy": …}`` of a network in evaluation; a metric that is not defined is left out."""
        training = model.training
        model.eval()
        for meter in (*self.meters.values(), *self.decoding.values()):
            meter.to(batches.device).reset()
        losses = Losses(self.objective)
        with torch.inference_mode():
            for each in batches.every(max(batch or len(batches), EVALUATION_BATCH)):
                with autocast:
                    outputs = model(*each.inputs)
                if each.rows:
                    losses.add(outputs, each)
                    self._update(outputs, each)
                if self.decoding:
                    self._decode(model, each, outputs, batches.world)
        model.train(training)
        found = {"loss": losses.mean(batches.world)}
        values = {name: float(meter.compute()) for name, meter in (*self.meters.items(), *self.decoding.items())}
        return found | {name: value for name, value in values.items() if math.isfinite(value)}

    @property
    def labels(self) -> list[str]:
        """What is measured besides the loss."""
        return [*self.meters, *self.decoding]

    def _update(self, outputs: Any, batch: Batch) -> None:
        output, target = self._scores(outputs).float(), batch.targets[self.objective.main]
        if self.loss.task == "classes":
            scores, wanted = scores_of_places(output, target)
            if self.ignored is not None:
                kept = wanted != self.ignored
                scores, wanted = scores[kept], wanted[kept]
        else:
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
        """Numbers, or answers to questions: (n, …) with a place for each in a row; of rows of any size, (n, 1) of all.

        The places of images and sequences answer one and the same question.
        """
        apart = self.fixed and (rows.dim() == 2 or self.loss.task == "numbers")
        return rows.reshape(len(rows), -1) if apart else rows.reshape(-1, 1)

    def _decode(self, model: nn.Module, batch: Batch, outputs: Any, world: World) -> None:
        """Judge what a network writes when it reads back its own words.

        It writes the target from end to end where it predicts every word of it from the target's words before that
        one: so one pass says it all, unless the network looks ahead at words that it is yet to write.
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
        """Return whether what is said of the first half of a sequence changes with the words of its second half."""
        assert self.read_back is not None
        inputs = [None if each is None else each[:FEW] for each in batch.inputs]
        words = inputs[self.read_back]
        assert words is not None
        half = self._longest(batch) // 2
        before = self._scores(model(*inputs))[:, :half]
        inputs[self.read_back] = torch.cat([words[:, :half], words[:, :1].expand(-1, words.shape[1] - half)], 1)
        return not torch.allclose(before, self._scores(model(*inputs))[:, :half], rtol=1e-4, atol=1e-4)

    def _right(self, written: Tensor, target: Tensor) -> Tensor:
        """Which sequences are right from end to end, as 0 and 1; padding does not count, nor do rows of it."""
        same = written == target
        if self.ignored is not None:
            same |= target == self.ignored
            return same[(target != self.ignored).any(1)].all(1).float()
        return same.all(1).float()

    def decoded(self, model: nn.Module, batch: Batch, world: World = SINGLE_PROCESS) -> Tensor:
        """What the network writes when it reads back its own words, the likeliest at each place: (N, T)."""
        assert self.read_back is not None
        inputs = list(batch.inputs)
        given = inputs[self.read_back]
        assert given is not None
        words = torch.cat([given, given[:, :1]], 1)
        for turn in range(world.most(self._longest(batch))):  # as often in every process, which may share the network
            place = min(turn, given.shape[1] - 1)
            inputs[self.read_back] = words[:, : place + 1]
            words[:, place + 1] = self._scores(model(*inputs))[:, place].argmax(-1)
        return words[:, 1:]

    def _longest(self, batch: Batch) -> int:
        """The place behind the last one of the batch whose target counts."""
        target = batch.targets[self.objective.main]
        if self.ignored is None:
            return target.shape[1]
        places = (target != self.ignored).any(0).nonzero()
        return int(places.max()) + 1 if len(places) else 1


def nothing_counts(which: str, output: str, ignored: int | None) -> str:
    """Why some rows cannot be judged."""
    return (
        f"nothing counts of the rows {which}: every target of `{output}` is {ignored}, which the loss ignores; take "
        "rows with other targets, or another `ignore_index`"
    )


class Losses:
    """The loss of many batches: the mean over all that counts in them, whatever the batches were."""

    def __init__(self, objective: Objective):
        self.objective = objective
        self.sums = dict.fromkeys(objective.terms, 0.0)
        self.counts = dict.fromkeys(objective.terms, 0.0)

    def add(self, outputs: Any, batch: Batch) -> None:
        """What the network gave for a batch."""
        counts = self.objective.counts(batch.targets)
        for name, output in self.objective.named(outputs).items():
            if counts[name]:
                mean = self.objective.terms[name].function(output, batch.targets[name])
                self.sums[name] += float(mean) * counts[name]
                self.counts[name] += counts[name]

    def mean(self, world: World = SINGLE_PROCESS) -> float:
        """Over all processes. Raises ``TrainingFault`` where nothing of the rows counts."""
        terms = self.objective.terms.values()
        sums, counts = (world.sums(*each.values()) for each in (self.sums, self.counts))
        if not any(counts):
            ignored = self.objective.terms[self.objective.main].ignored
            raise TrainingFault(nothing_counts("that are judged", self.objective.main, ignored))
        return sum(term.scale * total / count for term, total, count in zip(terms, sums, counts) if count)


def scores_of_places(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (places, classes) and classes (places), of images, of sequences or of rows."""
    if output.dim() > 3:
        output = output.movedim(1, -1)
    return output.flatten(0, -2), target.flatten().long()


def better_way(metrics: Iterable[Metric], watched: str) -> int:
    """1 where more of what is watched is better, −1 where less is."""
    return next((1 for metric in metrics if metric.label == watched and metric.better == "higher"), -1)
