"""The history of a run, read from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netspec.diagnostics import UsageError, did_you_mean
from netspec.train.store.folder import RunFolder, step_of

SMOOTHED_OVER = 0.02
"""The share of all steps that a smoothed loss remembers, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class History:
    """``steps`` has pairs of a step and its loss, ``epochs`` the records of epochs: step, scores by part, rate,
    seconds.
    """

    steps: list[tuple[int, float]]
    epochs: list[Mapping[str, Any]]

    @property
    def labels(self) -> list[str]:
        """Return the labels of all scores, the loss first."""
        names = (name for epoch in self.epochs for part in PARTS for name in epoch.get(part, {}))
        return list(dict.fromkeys(["loss", *names]))

    def curve(self, part: str, name: str) -> list[tuple[int, float]]:
        """Return a score after each epoch, by the step that the epoch ended with.

        Raises ``UsageError`` for a part or a score that no epoch has.
        """
        scores = {part: {name for each in self.epochs for name in each.get(part, {})} for part in PARTS}
        there = {part: sorted(names) for part, names in scores.items() if names}
        if there and part not in there:
            raise UsageError(f"the history has no part `{part}`: {did_you_mean(part, there)}")
        if there and name not in there[part]:
            raise UsageError(f"the history of {part} has no score `{name}`: {did_you_mean(name, there[part])}")
        return self.points(part, name)

    def points(self, part: str, name: str) -> list[tuple[int, float]]:
        """Return the same, nothing for a part or a score that no epoch has."""
        return [(epoch["step"], epoch[part][name]) for epoch in self.epochs if name in epoch.get(part, {})]

    def smoothed(self, over: float = SMOOTHED_OVER) -> list[tuple[int, float]]:
        """Return the running mean of the steps' losses, unbiased from the first step on.

        ``over`` is the share of all steps that it averages over.
        """
        keep = 1 - 1 / max(1.0, over * len(self.steps))
        points, total, weight = [], 0.0, 0.0
        for step, loss in self.steps:
            total, weight = keep * total + loss, keep * weight + 1
            points.append((step, total / weight))
        return points


PARTS = ("train", "validation")


def read_history(folder: RunFolder) -> History:
    """Read ``metrics.jsonl``; lines that are torn or damaged are left out."""
    steps: list[tuple[int, float]] = []
    epochs: list[Mapping[str, Any]] = []
    lines = folder.metrics.read_bytes().decode(errors="replace") if folder.metrics.is_file() else ""
    for line in lines.splitlines():
        if step_of(line) is None:
            continue
        record = json.loads(line)
        if "epoch" in record:
            epochs.append(record)
        else:
            steps.append((record["step"], record["loss"]))
    return History(steps, epochs)
