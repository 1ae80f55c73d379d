"""How well a network does on some rows: its loss, and torchmetrics' measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import UsageError
from netspec.recipes import Column
from netspec.recipes.losses import Loss
from netspec.recipes.metrics import Metric
from netspec.train.feed import Batch, Feed
from netspec.train.names import resolve
from netspec.train.objective import Objective
from netspec.train.world import ALONE, World

EVALUATION_BATCH = 256
FEW = 8
"""Rows that tell whether a network looks ahead."""


class Measures:
    """The metrics of a network's first judged output, and its loss.

    ``read_back`` is the place among the inputs of the one that holds the target shifted by one, for metrics that let
    the network read what it wrote.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        objective: Objective,
        loss: Loss,
        column: Column,
        classes: int | None,
        read_back: int | None = None,
    ):
        self.objective, self.loss, self.read_back = objective, loss, read_back
        self.ignored = getattr(loss, "ignore_index", None)
        self.ignored = column.padding if self.ignored is None else self.ignored
        self.meters: dict[str, Any] = {}
        self.decoding: dict[str, Any] = {}
        for metric in metrics:
            task = loss.task
            if task not in metric.tasks:
                raise UsageError(f"`{metric.name}` does not measure what `{loss.name}` makes small")
            if metric.decodes and read_back is None:
                raise UsageError(
                    f"`{metric.name}` is for sequences that a network writes word by word, from its target"
                )
            meter = resolve(metric.tasks[task])(**metric.keywords(task, classes))
            (self.decoding if metric.decodes else self.meters)[metric.label] = meter

    def of(
        self, model: nn.Module, feed: Feed, batch: int | None, autocast: AbstractContextManager[Any]
    ) -> dict[str, float]:
        """``{"loss": …, "accuracy": …}`` of a network in evaluation."""
        training = model.training
        model.eval()
        for meter in (*self.meters.values(), *self.decoding.values()):
            meter.to(feed.device).reset()
        losses = Losses(self.objective)
        with torch.inference_mode():
            for each in feed.every(max(batch or len(feed), EVALUATION_BATCH)):
                with autocast:
                    outputs = model(*each.inputs)
                if each.rows:
                    losses.add(outputs, each)
                    self._update(outputs, each)
                if self.decoding:
                    self._decode(model, each, outputs, feed.world)
        model.train(training)
        found = {"loss": losses.mean(feed.world)}
        return found | {name: float(meter.compute()) for name, meter in (*self.meters.items(), *self.decoding.items())}

    def _update(self, outputs: Any, batch: Batch) -> None:
        output, target = self._scores(outputs), batch.targets[self.objective.main]
        if self.loss.task == "classes":
            scores, wanted = scores_of_places(output.float(), target)
            if self.ignored is not None:
                kept = wanted != self.ignored
                scores, wanted = scores[kept], wanted[kept]
        elif self.loss.task == "binary":
            scores, wanted = torch.sigmoid(output.float()).flatten(), target.flatten().long()
        else:
            scores, wanted = output.float().flatten(), target.float().flatten()
        for metric, meter in self.meters.items():
            meter.update(*((scores[None], wanted[None]) if metric == "perplexity" else (scores, wanted)))

    def _decode(self, model: nn.Module, batch: Batch, outputs: Any, world: World) -> None:
        """Judge what a network writes when it reads back its own words.

        It writes the target from end to end where it predicts every word of it from the target's words before that
        one: so one pass says it all, unless the network looks ahead at words that it is yet to write.
        """
        ahead = world.most(self.looks_ahead(model, batch))  # all processes, which may share the network, do the same
        written = self.decoded(model, batch, world) if ahead else self._scores(outputs).argmax(-1)
        right = self._right(written, batch.targets[self.objective.main])[: batch.rows]
        for meter in self.decoding.values():
            meter.update(right)

    def _scores(self, outputs: Any) -> Tensor:
        scores: Tensor = outputs[self.objective.main] if isinstance(outputs, dict) else outputs
        return scores

    def looks_ahead(self, model: nn.Module, batch: Batch) -> bool:
        """Whether what is said of the first half of a sequence changes with the words of its second half."""
        assert self.read_back is not None
        inputs = [None if each is None else each[:FEW] for each in batch.inputs]
        words = inputs[self.read_back]
        assert words is not None
        half = self._longest(batch) // 2
        before = self._scores(model(*inputs))[:, :half]
        inputs[self.read_back] = torch.cat([words[:, :half], words[:, :1].expand(-1, words.shape[1] - half)], 1)
        return not torch.allclose(before, self._scores(model(*inputs))[:, :half], rtol=1e-4, atol=1e-4)

    def _right(self, written: Tensor, target: Tensor) -> Tensor:
        """Which sequences are right from end to end, as 0 and 1; padding does not count."""
        same = written == target
        if self.ignored is not None:
            same |= target == self.ignored
        return same.all(1).float()

    def decoded(self, model: nn.Module, batch: Batch, world: World = ALONE) -> Tensor:
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
        return int((target != self.ignored).any(0).nonzero().max()) + 1


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

    def mean(self, world: World = ALONE) -> float:
        """Over all processes; zero where nothing was judged."""
        terms = self.objective.terms.values()
        sums, counts = (world.sums(*each.values()) for each in (self.sums, self.counts))
        return sum(term.scale * total / count for term, total, count in zip(terms, sums, counts) if count)


def scores_of_places(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (places, classes) and classes (places), of images, of sequences or of rows."""
    if output.dim() > 3:
        output = output.movedim(1, -1)
    return output.flatten(0, -2), target.flatten().long()


def better_way(metrics: Iterable[Metric], watched: str) -> int:
    """1 where more of what is watched is better, −1 where less is."""
    by_name: Mapping[str, Metric] = {metric.label: metric for metric in metrics}
    if watched != "loss" and watched not in by_name:
        known = ", ".join(f"`{name}`" for name in ("loss", *by_name))
        raise UsageError(f"`early_stopping` watches `{watched}`, but what is measured is {known}")
    return 1 if watched in by_name and by_name[watched].better == "higher" else -1
