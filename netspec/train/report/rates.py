"""The losses of a search for a learning rate: as a page with a picture, and as a text."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path

from netspec.files import write_text
from netspec.text.quoting import html
from netspec.train.report.curves import COLOURS, FAINT, figure, svg_of
from netspec.train.report.page import STYLE, document

LOWEST, HIGHEST = 1e-7, 10.0
"""The rates of the first and the last step."""
FIRST = 10
"""The number of steps whose mean loss is that of the network as it is."""
WIDTH = 3.0
"""The standard deviation, in steps, of the normal curve that smooths the losses."""
LEARNED = 0.2
"""The share of the whole fall of the loss from which learning has begun."""
NOISE = 2.0
"""The fall of the loss, in standard deviations of the steps from the smooth curve, below which it may be chance."""


@dataclass(slots=True)
class RateCurve:
    """The losses of steps at rising learning rates."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def add(self, rate: float, loss: float) -> None:
        """Add a step."""
        self.rates.append(rate)
        self.losses.append(loss)

    @property
    def first(self) -> float:
        """The loss of the network as it is."""
        return sum(self.losses[:FIRST]) / len(self.losses[:FIRST])

    @property
    def ceiling(self) -> float:
        """The loss from which a step counts as lost: as far above the first one as the least is below it, and more."""
        return 2 * self.first - min(self.losses) + abs(self.first)

    @property
    def diverged(self) -> bool:
        """True where the last loss is no number, or so large that the network is lost."""
        return not math.isfinite(self.losses[-1]) or self.losses[-1] > self.ceiling

    def smoothed(self) -> list[float]:
        """Return the losses as a smooth curve that does not lag behind: each as a mean of those around it.

        What has diverged counts as the ceiling, which would otherwise hide the fall before it.
        """
        losses = [min(loss, self.ceiling) if math.isfinite(loss) else self.ceiling for loss in self.losses]
        made = []
        for here in range(len(losses)):
            weights = [math.exp(-(((here - at) / WIDTH) ** 2) / 2) for at in range(len(losses))]
            made.append(sum(map(mul, weights, losses)) / sum(weights))
        return made

    def fall(self) -> tuple[int, int] | None:
        """Return the places between which the loss falls: from where a fifth of the fall is done to the least loss.

        ``None`` where it does not fall by more than chance has it.
        """
        smooth = self.smoothed()
        low = min(range(len(smooth)), key=smooth.__getitem__)
        whole = self.first - smooth[low]
        before = self.losses[: max(low, FIRST)]
        noise = math.sqrt(sum((loss - mean) ** 2 for loss, mean in zip(before, smooth)) / len(before))
        if whole <= NOISE * noise:
            return None
        return next(at for at, loss in enumerate(smooth) if loss <= self.first - LEARNED * whole), low

    def suggested(self) -> float | None:
        """Return the rate in the middle of the fall, by powers; ``None`` where nothing has been learned."""
        places = self.fall()
        return None if places is None else math.sqrt(math.prod(self.rates[at] for at in places))


def write_rate_page(curve: RateCurve, name: str, how: str, path: Path) -> None:
    """Write the curve of a search as a page that needs no other file; ``how`` says what was trained."""
    parts = [
        f"<h1>{html(name)}: learning rate</h1>",
        f"<p>{html(how)}</p>",
        f"<p>{html(told(curve))}</p>",
        f'<div class="wide">{rate_svg(curve)}</div>',
        "<p>The loss of each step while the learning rate rises, and a smooth curve through them. The band is where "
        "the loss falls, the line the rate in its middle (after Smith 2017).</p>",
    ]
    write_text(path, document(f"{name}: learning rate", STYLE, "\n".join(parts)))


def rate_svg(curve: RateCurve) -> str:
    """Return the picture as an ``<svg>`` element: losses over rates, the latter in powers of ten."""
    smooth, places, suggested = curve.smoothed(), curve.fall(), curve.suggested()
    with figure(1, 7.2, 1) as (drawn, (axis,)):
        axis.plot(curve.rates, curve.losses, color=COLOURS[0], linewidth=0.6, alpha=0.35, label="steps")
        axis.plot(curve.rates, smooth, color=COLOURS[0], linewidth=1.8, label="smooth")
        if places is not None and suggested is not None:
            axis.axvspan(*(curve.rates[at] for at in places), color=FAINT, alpha=0.15, linewidth=0)
            axis.axvline(suggested, color=COLOURS[1], linewidth=1.4, label=f"suggested: {rounded(suggested)}")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")  # matplotlib's own writes TeX, which is a text here
        axis.set_xlabel("learning rate")
        axis.set_title("loss")
        axis.tick_params(length=3)
        low, high = min(smooth), max(curve.first, min(max(smooth), 2 * curve.first - min(smooth)))
        margin = 0.05 * (high - low or 1)
        axis.set_ylim(low - margin, high + margin)
        axis.legend(loc="upper left")
        return svg_of(drawn)


def told(curve: RateCurve) -> str:
    """Return what the search has found, in a sentence or two."""
    steps = f"{len(curve.rates)} steps at {LOWEST:g} to {rounded(curve.rates[-1])}"
    places, suggested = curve.fall(), curve.suggested()
    if places is None or suggested is None:
        more = f"`--find-lr {3 * len(curve.rates)}` takes more steps, or look at data, loss and network first"
        return f"{steps}: the loss does not fall by more than from batch to batch. {more}"
    first, last = (rounded(curve.rates[at]) for at in places)
    end = f", and diverges at {rounded(curve.rates[-1])}" if curve.diverged else ""
    return f"{steps}: the loss falls at rates from {first} to {last}{end}. Suggested: {rounded(suggested)}"


def rounded(rate: float) -> str:
    """Return a rate in two digits, as a spec writes it: ``0.0017``, ``2.5e-06``."""
    return f"{rate:.2g}"
