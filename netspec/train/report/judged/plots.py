"""Two pictures of answers for a page: how often they are right by how sure they are, and numbers by the right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netspec.train.report.judged.judgement import Bin

SIDE, LEFT, TOP = 280, 44, 8
"""Pixels of the square that is drawn in, and of the margins at its left and its top."""

STRIP = 34
"""Pixels of the strip under the square that has the number of answers in each bin."""

CHARACTER = 8
"""Pixels that a character of a label may take."""

BASE = TOP + SIDE + 26 + STRIP

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability(bins: Sequence[Bin]) -> str:
    """Return the reliability diagram: the share that is right in each bin, and the numbers of answers below."""
    width, most = SIDE / len(bins), max(each.count for each in bins)
    parts = [_axes(TICKS, [f"{tick:g}" for tick in TICKS], [f"{tick:g}" for tick in TICKS])]
    for at, each in enumerate(bins):
        if not each.count:
            continue
        right, sure = each.right / each.count, each.confidence / each.count
        x = LEFT + at * width + 1
        title = f"<title>{each.count:,} answers, {sure:.1%} sure, {right:.1%} right</title>"
        start, end = at / len(bins), (at + 1) / len(bins)
        mean = _line(start, sure, end, sure, "var(--validation)", ' stroke-width="2.5"')
        parts.append(f"<g>{title}{_bar(x, right, width - 2)}{mean}</g>")
        tall = max(STRIP * each.count / most, 1.0)
        parts.append(
            f'<rect x="{x:.1f}" y="{BASE - tall:.1f}" width="{width - 2:.1f}" height="{tall:.1f}" '
            f'fill="var(--faint)" fill-opacity="0.6">{title}</rect>'
        )
    parts.append(_line(0, 0, 1, 1, "var(--faint)", ' stroke-dasharray="4 4"'))
    parts.append(f'<rect x="{LEFT + 12}" y="{TOP + 12}" width="10" height="10" fill="var(--train)"/>')
    parts.append(f'<text class="name" x="{LEFT + 28}" y="{TOP + 21}">share that is right</text>')
    parts.append(f'<rect x="{LEFT + 12}" y="{TOP + 34}" width="10" height="2.5" fill="var(--validation)"/>')
    parts.append(f'<text class="name" x="{LEFT + 28}" y="{TOP + 39}">mean probability</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{BASE}" text-anchor="end">rows</text>')
    return _svg(parts, BASE + 4, "share of right answers by their probability")


def scatter(pairs: Sequence[tuple[float, float]]) -> str:
    """Return the network's numbers by the right ones, with the line on which they are equal."""
    values = [value for pair in pairs for value in pair if math.isfinite(value)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return (value - low) / span

    ticks = ticks_between(low, high)
    labels = [f"{tick:g}" for tick in ticks]
    parts = [_axes([place(tick) for tick in ticks], labels, labels), _line(0, 0, 1, 1, "var(--faint)", "")]
    for wanted, said in pairs:
        if math.isfinite(said):
            parts.append(
                f'<circle cx="{LEFT + SIDE * place(wanted):.1f}" cy="{TOP + SIDE * (1 - place(said)):.1f}" r="2.2" '
                'fill="var(--train)" fill-opacity="0.55"/>'
            )
    parts.append(f'<text class="name" x="{LEFT}" y="{TOP + SIDE + 34}">answers (up) by the right ones (across)</text>')
    longest = CHARACTER * max(map(len, labels), default=0)
    return _svg(parts, TOP + SIDE + 44, "answers by the right ones", longest)


def ticks_between(low: float, high: float) -> list[float]:
    """Return about five round numbers between two."""
    if high <= low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _axes(ticks: Sequence[float], below: Sequence[str], beside: Sequence[str]) -> str:
    parts = []
    for tick, under, left in zip(ticks, below, beside):
        x, y = LEFT + SIDE * tick, TOP + SIDE * (1 - tick)
        parts.append(_line(0, tick, 1, tick, "var(--line)", "") + _line(tick, 0, tick, 1, "var(--line)", ""))
        parts.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 15}" text-anchor="middle">{under}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{left}</text>')
    return "".join(parts)


def _bar(x: float, high: float, width: float) -> str:
    top, height = TOP + SIDE * (1 - high), SIDE * high
    return (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="var(--train)" '
        'fill-opacity="0.8"/>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, stroke: str, more: str) -> str:
    ends = (LEFT + SIDE * x, TOP + SIDE * (1 - y), LEFT + SIDE * to_x, TOP + SIDE * (1 - to_y))
    x1, y1, x2, y2 = (f"{end:.1f}" for end in ends)
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}"{more}/>'


def _svg(parts: Sequence[str], height: float, label: str, longest: int = 0) -> str:
    """A picture, with room for labels of this length left of the square, and below its ends."""
    room = max(0, longest + 6 - LEFT)
    width = room + LEFT + SIDE + max(14, longest // 2)
    return (
        f'<svg class="plot" width="{width}" height="{height:.0f}" viewBox="{-room} 0 {width} {height:.0f}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )
