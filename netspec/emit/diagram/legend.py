"""The heading of a diagram: what is drawn, and a legend of the colours and lines that occur in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netspec.emit.diagram.labels import font, text_width
from netspec.emit.diagram.palette import CARRY, GREY, INK, PALE, PALETTE, SKIP, TIE
from netspec.view.cards import CardText

POINTS = 8
NAMES = {"level": "closed level"}
LINES = {
    "skip": ("– – →", SKIP, "skip"),
    "carry": ("· · · →", CARRY, "to the next step"),
    "tie": ("• · · •", TIE, "same weights"),
    "training": ("– – →", PALE, "training only"),
}
"""A sample, the colour and the meaning of each kind of edge but the usual one."""


def heading_label(lines: Sequence[str], card_texts: Iterable[CardText], edges: Iterable[str], room: float) -> str:
    """The title above a diagram, with lines and the legend below it, in rows of about ``room`` points."""
    title, *others, reading = lines
    texts = [(title, INK, 16), *((line, GREY, 10) for line in others if line), (reading, PALE, POINTS)]
    cells = [font(text, colour, points, 200, bold=points == 16) for text, colour, points in texts]
    cells += _rows(_entries(card_texts, edges), room, max(text_width(text, points) for text, _, points in texts))
    body = "".join(f'<tr><td align="left">{cell}</td></tr>' for cell in cells)
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{body}</table>'


def _entries(card_texts: Iterable[CardText], edges: Iterable[str]) -> list[tuple[str, str, float]]:
    """Each entry's cells and text, and how wide it is: first families, as they stand in the palette, then lines."""
    shown = set()
    for card_text in card_texts:
        shown.add(card_text.family)
        shown.update(row.family for row in card_text.rows)
    entries = []
    for family, colours in PALETTE.items():
        if family in shown and family != "input":
            cell = f'<td width="5" height="9" fixedsize="true" bgcolor="{colours.bar}"></td>'
            entries.append((cell, NAMES.get(family, family), 5.0))
    for kind, (sample, colour, text) in LINES.items():
        if kind in set(edges):
            entries.append((f"<td>{font(sample, colour, POINTS, bold=True)}</td>", text, text_width(sample, POINTS)))
    return entries


def _rows(entries: Iterable[tuple[str, str, float]], room: float, widest: float) -> list[str]:
    """The entries in as many rows as they need.

    An empty cell makes up for what each lacks of the ``widest`` row: dot would spread the others over it.
    """
    rows: list[tuple[list[str], float]] = []
    for cell, text, sample in entries:
        width = sample + text_width(text, POINTS) + 12
        fits = rows and rows[-1][1] + width <= room
        cells, used = rows.pop() if fits else ([], 0.0)
        rows.append(([*cells, f'{cell}<td align="left">{font(text, GREY, POINTS)}\xa0\xa0</td>'], used + width))
    widest = max([widest, *(width for _, width in rows)])
    frame = 'border="0" cellborder="0" cellspacing="2" cellpadding="0"'
    return [
        f'<table {frame}><tr>{"".join(cells)}<td width="{widest - width:.0f}"></td></tr></table>'
        for cells, width in rows
    ]
