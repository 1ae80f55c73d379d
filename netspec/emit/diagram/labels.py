"""The looks of a diagram's texts: widths, and the HTML-like labels that dot lays out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from netspec.emit.diagram.palette import GREY, INK, MARKS, MIST, PALE, PALETTE, PILL, Colours
from netspec.text.quoting import dot
from netspec.view.cards import CardText

LONGEST = 44
NARROWEST, WIDEST = 128, 220


def card_width(card_texts: Iterable[CardText]) -> int:
    """One width for all cards, so that columns are even; a card that needs more takes more."""
    return round(min(max([NARROWEST, *map(_needed, card_texts)]), WIDEST))


def _needed(card: CardText) -> float:
    first = text_width(card.title, 11, bold=True) + text_width(card.detail, 10) + (8 if card.detail else 0)
    others = (text_width(row.text, 9) + _note_width(row.note) + 6 for row in card.rows)
    return max([first + _mark_width(card.count) + _note_width(card.note), *others]) + 4


def card_label(card: CardText, width: int) -> str:
    """A card: rows of a text and a note, behind a bar in the colours of what they tell of."""
    colours, ink, style = PALETTE.get(card.family, PALETTE["level"]), INK, ""
    if card.training:
        colours, ink, style = Colours(_lighter(colours.bar), "#FFFFFF", PALE), GREY, ' style="dashed"'
    grid = _Grid(
        width,
        card.count,
        max(_note_width(note) for note in (card.note, *(row.note for row in card.rows))),
    )
    title = font(card.title, ink, 11, bold=True) + _aside(card.detail, GREY)
    cells = [_space(3), grid.row(title, font(card.note, PALE, 9), marked=True)]
    cells += [grid.row(font(row.text, GREY, 9), font(row.note, PALE, 9)) for row in card.rows]
    cells.append(_space(1))
    families = [card.family] * 2 + [row.family or card.family for row in card.rows]
    lines = _barred(cells, [*families, families[-1]], _lighter if card.training else str)
    if card.mark:
        colours = MARKS[card.mark]
    frame = f'bgcolor="{colours.ground}" color="{colours.border}"{style}'
    return f'<table border="1" cellborder="0" cellspacing="0" cellpadding="1" {frame}>{lines}</table>'


def _barred(cells: Sequence[str], families: Sequence[str], shade: Callable[[str], str]) -> str:
    """The rows of a card, each stretch of one family behind its part of the bar."""
    lines, place = [], 0
    for family, stretch in groupby(families):
        rows = len(list(stretch))
        colour = shade(PALETTE.get(family, PALETTE["level"]).bar)
        lines.append(f'<tr><td rowspan="{rows}" width="5" bgcolor="{colour}"></td>{cells[place]}</tr>')
        lines += [f"<tr>{row}</tr>" for row in cells[place + 1 : place + rows]]
        place += rows
    return "".join(lines)


def header_label(card: CardText, width: int) -> str:
    """An open level's header: a bar with the name, the block, the cost and how often it repeats.

    A block's bar is dark, a mere group's light. The cost takes a row of its own where one row does not hold all.
    """
    ground, ink, soft = ("#334155", "white", MIST) if card.family == "block" else (MIST, INK, "#475569")
    if card.training:
        ground, ink, soft = PALE, "white", "#F1F5F9"
    if card.mark:
        ground, ink, soft = MARKS[card.mark].bar, "white", "#F1F5F9"
    texts, note = [row.text for row in card.rows], ""
    room = width - text_width(card.title, 10, bold=True) - text_width(card.detail, 10) - 10
    if len(texts) == 1 and card.count == 1 and _note_width(texts[0]) <= room:
        note = texts.pop()
    grid = _Grid(width + 7, card.count, _note_width(note))
    title = font(card.title, ink, 10, bold=True) + _aside(card.detail, soft)
    cells = [_space(2), grid.row(title, font(note, soft, 9), marked=True)]
    cells += [grid.row(font(text, soft, 9)) for text in texts]
    lines = "".join(f"<tr>{row}</tr>" for row in [*cells, _space(1)])
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1" bgcolor="{ground}">{lines}</table>'


class _Grid:
    """The columns of a card: a margin and the text; in a table of its own the text, its note or the mark of a repeat,
    and a margin. All that is in a row adds up to ``width``, so that cards are equally wide: cells that span several
    columns come out differently from one renderer to another."""

    def __init__(self, width: int, count: int, notes: float):
        self.width, self.count, self.mark = width, count, round(_mark_width(count))
        self.note = max(round(notes), self.mark)

    def row(self, text: str, note: str = "", marked: bool = False) -> str:
        if not note and not (marked and self.count > 1):
            return f'{_margin(4)}<td align="left" width="{self.width}">{text}</td>'
        aside, wide = f'<td align="right" width="{self.note}">{note}</td>', self.note
        if not note:
            mark = font(f"×{self.count}", "white", 10, bold=True)
            aside, wide = f'<td bgcolor="{PILL}" width="{self.mark}">{mark}</td>', self.mark
        cells = f'<td align="left" width="{self.width - wide - 6}">{text}</td>{aside}{_margin(4)}'
        frame = 'border="0" cellborder="0" cellspacing="0" cellpadding="1"'
        return f'{_margin(4)}<td width="{self.width}" cellpadding="0"><table {frame}><tr>{cells}</tr></table></td>'


def _margin(width: int) -> str:
    return f'<td width="{width}"></td>'


def _space(height: int) -> str:
    return f'<td height="{height}"></td>'


def _aside(detail: str, colour: str) -> str:
    return font("\xa0\xa0" + detail, colour, 10) if detail else ""


def font(text: str, colour: str, points: int, longest: int = LONGEST, bold: bool = False) -> str:
    """A text in a label; nothing for an empty one, which dot does not take."""
    if not text:
        return ""
    inner = f"<b>{escaped(text, longest)}</b>" if bold else escaped(text, longest)
    return f'<font color="{colour}" point-size="{points}">{inner}</font>'


def escaped(text: str, longest: int = LONGEST) -> str:
    """Text that no label, id and SVG takes for anything else; longer than ``longest`` it is cut."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return dot(text)


def quoted(text: str) -> str:
    """Text as the value of an attribute."""
    return f'"{escaped(text, 2000)}"'


def hinted(text: str) -> str:
    """Text as the value of a ``tooltip``: lines stay lines. dot takes backslashes for its own twice in these."""
    return '"' + r"\n".join(escaped(line, 2000).replace("\\", r"\\") for line in text.split("\n")) + '"'


def text_width(text: str, points: float, bold: bool = False) -> float:
    """An estimate of a text's width in Arial, in points, rather too wide than too narrow."""
    units = sum(_WIDTHS.get(char, 0.56 if char.islower() or char.isdigit() else 0.78) for char in text)
    return units * points * (1.1 if bold else 1.03)


_WIDTHS = {
    **dict.fromkeys("fijlt.,:;|!'· []/I\xa0", 0.28),
    **dict.fromkeys("r()-⌈⌉⌊⌋", 0.36),
    **dict.fromkeys("×+=−–_", 0.6),
    **dict.fromkeys("mwM", 0.84),
    **dict.fromkeys("W…→", 1.0),
}


def _note_width(note: str) -> float:
    return text_width(note, 9) + 6 if note else 0


def _mark_width(count: int) -> float:
    """Return the width of a repeat's mark; 0 where there is none."""
    return text_width(f"×{count}", 10, bold=True) + 8 if count > 1 else 0


def _lighter(colour: str) -> str:
    """A colour halfway to white."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)
