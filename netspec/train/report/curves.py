"""Pictures of runs, drawn with matplotlib: for a file, and for a page that is light or dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netspec.files import replacing
from netspec.train.store.history import History

# Okabe and Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
PART_COLOURS = {"train": COLOURS[0], "validation": COLOURS[1]}
MARKS = ("o", "s", "^", "D", "v", "P", "X")
PART_MARKS = {"train": "o", "validation": "s"}
MOST_MARKED = 30
INK, FAINT, PAPER = "#1f2328", "#8c959f", "#ffffff"
LARGE_RANGE = 30
"""The ratio of the largest to the smallest loss from which the scale is logarithmic."""

FEW_DECADES = 300
"""The ratio below which a logarithmic scale needs labels between the powers of ten."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a `$` in a label is a text
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "netspec",
}

VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    "#d8dee4": "--line",
    COLOURS[0]: "--train",
    COLOURS[1]: "--validation",
}
"""The variables of a page's style that stand for the colours of a picture in it."""


def draw_curves(history: History, path: Path, published: Mapping[str, float] = {}) -> None:
    """Draw loss and metrics into a .png or .pdf file."""
    with _curves(history, published) as drawn, replacing(path) as temporary:
        drawn.savefig(temporary, dpi=160, facecolor=PAPER)


def curves_svg(history: History, published: Mapping[str, float] = {}) -> str:
    """The same picture as an ``<svg>`` element, whose colours are variables of the page that holds it."""
    with _curves(history, published) as drawn:
        return svg_of(drawn)


def svg_of(drawn: Any) -> str:
    """Return a figure as an ``<svg>`` element, whose colours are variables of the page that holds it."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*?sans-serif|'DejaVu Sans'(, [^;\"]*)?", "inherit", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


@contextmanager
def figure(count: int, width: float, in_row: int, above: float = 0.0) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Make a figure of ``count`` panels, ``width`` inches wide, ``in_row`` in a row, with ``above`` inches on top."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a matplotlibrc in the working folder asks for
        matplotlib.rcParams.update(STYLE)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        rows = -(-count // in_row)
        drawn = Figure(figsize=(max(width * in_row, 5.6), 3.6 * rows + above), layout=layout)
        FigureCanvasAgg(drawn)
        yield drawn, drawn.subplots(rows, in_row, squeeze=False).flatten().tolist()


@contextmanager
def _curves(history: History, published: Mapping[str, float]) -> Iterator[Any]:
    """The figure of a run: its loss, then each metric."""
    with figure(len(history.labels), 4.6, len(history.labels)) as (drawn, axes):
        for name, axis in zip(history.labels, axes):
            seen: list[float] = []
            if name == "loss" and len(history.steps) > len(history.epochs):
                smooth = history.smoothed()
                axis.plot(*columns(history.steps), color=PART_COLOURS["train"], linewidth=0.6, alpha=0.25)
                axis.plot(*columns(smooth), color=PART_COLOURS["train"], linewidth=1.4, alpha=0.7, label="steps")
                seen += [value for _, value in smooth]
            for part, colour in PART_COLOURS.items():
                points = history.points(part, name)
                if points:
                    axis.plot(
                        *columns(points), color=colour, linewidth=1.8, label=part, **_mark(points, PART_MARKS[part])
                    )
                    seen += [value for _, value in points]
            if name in published:
                axis.axhline(published[name], color=FAINT, linewidth=1.2, linestyle="--", label="published")
            finish(axis, name, seen)
            axis.legend()
        yield drawn


def _mark(points: Sequence[Any], marker: str) -> dict[str, Any]:
    """Markers where there are few points, so that lines are told apart without their colours."""
    return {"marker": marker if len(points) <= MOST_MARKED else None, "markersize": 4.5}


def columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Return the two coordinates of points."""
    return [step for step, _ in points], [value for _, value in points]


def finish(axis: Any, title: str, values: Sequence[float]) -> None:
    """Title, unit and scale of a panel."""
    finite = [value for value in values if math.isfinite(value)]
    axis.set_title(title)
    axis.set_xlabel("step")
    axis.set_xlim(left=0)
    axis.locator_params(axis="x", integer=True, nbins=6)
    axis.tick_params(length=3)
    if title.endswith("loss") and finite and min(finite) > 0 and max(finite) > LARGE_RANGE * min(finite):
        axis.set_yscale("log", subs=[2, 5])
        few = max(finite) < FEW_DECADES * min(finite)
        axis.yaxis.set_minor_formatter("{x:g}" if few else "")
        axis.yaxis.set_major_formatter("{x:g}")  # matplotlib's own writes TeX, which is a text here
