"""The picture of several runs side by side: their losses, and gradients and activations by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from netspec.files import replacing
from netspec.train.report.activation_stats import EXPLODED, VANISHED, LayerStats
from netspec.train.report.curves import (
    COLOURS,
    DASHES,
    FAINT,
    MARKS,
    MOST_MARKED,
    PAPER,
    PART_COLOURS,
    columns,
    figure,
    finish,
)
from netspec.train.store.history import History

FEWEST_LAYERS = 3
"""Layers of the deepest network from which on a picture by layer says something."""
SMOOTHED_OVER = 0.05
"""The share of all steps that a loss remembers: more than in a run's own picture, as many curves lie together."""
LETTERS_OF_PANEL = 75
"""Letters of the legend that stand above a panel, in a line."""
LINE_OF_LEGEND = 0.19
"""Inches."""

Styles = Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Compared:
    """A run in the picture. ``layers`` are of before its first step; ``history`` is ``None`` for one that failed."""

    history: History | None = None
    layers: Sequence[LayerStats] = field(default=())


def draw_comparison(runs: Mapping[str, Compared], path: Path) -> None:
    """Draw several runs, by label, into one .png or .pdf file."""
    styles = dict(zip(runs, cycle(_styles())))
    panels: list[Callable[[Any], None]] = [
        partial(_draw_losses, losses, styles, part) for part in PART_COLOURS if (losses := _losses(runs, part))
    ]
    if begin_differently(each.layers for each in runs.values()):
        panels += [partial(_draw_layers, runs, styles, kind) for kind in KINDS]
    in_row = 2 if len(panels) == 4 else len(panels)
    fitting = LETTERS_OF_PANEL * in_row // (max(map(len, runs)) + 10)
    in_line = max(1, min(fitting, len(runs)))
    with figure(len(panels), 5.6, in_row, LINE_OF_LEGEND * -(-len(runs) // in_line)) as (drawn, axes):
        for panel, axis in zip(panels, axes):
            panel(axis)
        handles = [axes[0].plot([], [], label=label, **styles[label])[0] for label in runs]
        drawn.legend(handles=handles, loc="outside upper left", ncols=in_line)
        with replacing(path) as temporary:
            drawn.savefig(temporary, dpi=160, facecolor=PAPER)


def begin_differently(layers: Iterable[Sequence[LayerStats]]) -> bool:
    """Return whether a picture by layer is useful: for networks that are deep enough and start differently."""
    distinct = {tuple(each) for each in layers if each}
    return len(distinct) > 1 and max(map(len, distinct)) >= FEWEST_LAYERS


def _styles() -> list[dict[str, Any]]:
    """Colour, mark and dash, no two alike."""
    return [
        {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.8, "markersize": 4.5}
        for dash in DASHES
        for colour, marker in zip(COLOURS, MARKS)
    ]


def _losses(runs: Mapping[str, Compared], part: str) -> dict[str, list[tuple[int, float]]]:
    """The curve of each run that has one; of the steps that trained, where there are more of them than epochs."""
    curves = {}
    for label, run in runs.items():
        if run.history is None:
            continue
        by_step = part == "train" and len(run.history.steps) > len(run.history.epochs)
        points = run.history.smoothed(SMOOTHED_OVER) if by_step else run.history.points(part, "loss")
        if points:
            curves[label] = points
    return curves


def _draw_losses(losses: Mapping[str, list[tuple[int, float]]], styles: Styles, part: str, axis: Any) -> None:
    for label, points in losses.items():
        few = {} if len(points) <= MOST_MARKED else {"marker": None}
        axis.plot(*columns(points), **styles[label] | few)
    finish(axis, f"{part} loss", [value for points in losses.values() for _, value in points])


KINDS = {
    "gradient": ("gradients at the start, by layer", "× the last layer's", -1),
    "activation": ("activations at the start, by layer", "× the first layer's", 0),
}


def _draw_layers(runs: Mapping[str, Compared], styles: Styles, kind: str, axis: Any) -> None:
    """Draw gradients or activations as multiples of one layer's, from the first layer (0) to the last (1)."""
    title, unit, measure = KINDS[kind]
    seen: list[float] = []
    for label, run in runs.items():
        sizes = [getattr(each, kind) for each in run.layers]
        known = [(at, size) for at, size in enumerate(sizes) if size and math.isfinite(size)]
        if len(known) < 2:
            continue
        shares = [size / known[measure][1] for _, size in known]
        seen += shares
        few = {} if len(known) <= MOST_MARKED else {"marker": None}
        axis.plot([at / (len(sizes) - 1) for at, _ in known], shares, **styles[label] | few)
    low, high = min(seen, default=1.0), max(seen, default=1.0)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")  # matplotlib's own writes TeX, which is a text here
    axis.yaxis.set_minor_formatter("")
    axis.set_ylim(min(low / 2, 0.05), max(high * 2, 20.0))
    for bound, name in ((VANISHED, "vanished"), (EXPLODED, "exploded")):
        if low < bound < high:
            axis.axhline(bound, color=FAINT, linewidth=1.2, linestyle="--", zorder=1)
            beside = axis.get_yaxis_transform()
            axis.text(1.01, bound, name, color=FAINT, fontsize=8, va="center", rotation=-90, transform=beside)
    axis.set_title(title)
    axis.set_ylabel(unit)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["first", "", "", "", "last"])
    axis.set_xlabel("layer")
    axis.tick_params(length=3)
