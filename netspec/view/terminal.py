"""The cells of a line that is drawn as text: spans with a style each, fitted to a width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netspec.text.quoting import visible

GAP = 2
NARROWEST = 48
"""No drawing is narrower, whatever the terminal says."""
MARGIN = len("parameters") + GAP
"""The width of the labels before a footer's lines."""
DITTO = "″"
DAGGER = "†"
DOUBLE_DAGGER = "‡"

Span = tuple[str, str]  # a text and its style
Cell = list[Span]

STYLES = {
    "": "",
    "dim": "2",
    "bold": "1",
    "convolution": "34",
    "linear": "35",
    "norm": "36",
    "activation": "33",
    "dropout": "33",
    "pooling": "32",
    "sequence": "94",
    "shape": "",
    "arithmetic": "",
    "added": "32",
    "removed": "31",
    "changed": "33",
}

WORDS = {"⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")", "←": "<-", "→": "->", "↔": "<->"}
PLAIN_WORDS = {ord(sign): word for sign, word in WORDS.items()} | {
    ord(digit): f"^{number}" for number, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")
}
PLAIN_SIGNS = PLAIN_WORDS | {
    ord(sign): plain
    for sign, plain in zip(
        "×″·─│├└…†‡−–≥≈µ", ["x", '"', "*", "-", "|", "|", "`", "~", "+", "#", "-", "-", ">", "~", "u"]
    )
}


def clip(text: str, width: int) -> str:
    """At most ``width`` characters, with … for what is left out."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"[:width]


def shorten_shape(text: str, width: int) -> str:
    """A shape in at most ``width`` characters, cut between sizes where that keeps most of it."""
    if len(text) <= width:
        return text
    cut = text.rfind("×", 0, width) + 1
    return text[:cut] + "…" if cut > width // 2 else clip(text, width)


def shorten(cell: Cell, width: int) -> Cell:
    """The cell in at most ``width`` characters."""
    if cell_width(cell) <= width:
        return cell
    out: Cell = []
    for text, style in cell:
        if len(text) >= width:
            return [*out, (clip(text + "…", width), style)]
        out.append((text, style))
        width -= len(text)
    return out


def padded(cell: Cell, width: int) -> Cell:
    return [*cell, (" " * (width - cell_width(cell)), "")]


def cell_width(cell: Cell) -> int:
    return sum(len(text) for text, _ in cell)


def trimmed(cell: Cell) -> Cell:
    """The cell without blanks at its end."""
    while cell and not cell[-1][0].strip():
        cell = cell[:-1]
    return [*cell[:-1], (cell[-1][0].rstrip(), cell[-1][1])] if cell else []


def paint(cell: Cell, colour: bool) -> str:
    """The text of a line, with ANSI escapes where colour is wanted."""
    cell = [(visible(text), style) for text, style in cell]
    if not colour:
        return "".join(text for text, _ in cell)
    return "".join(
        f"\x1b[{STYLES[style]}m{text}\x1b[0m" if STYLES.get(style) and text.strip() else text for text, style in cell
    )


def joined(parts: Sequence[str], mark: str) -> list[str]:
    return [part + mark for part in parts[:-1]] + list(parts[-1:])


def wrapped(label: str, parts: Sequence[str], mark: str, width: int) -> Iterable[Cell]:
    """``label  part · part``, going on below the first part where the line is full."""
    rows: list[str] = []
    for part in parts:
        if rows and MARGIN + len(rows[-1]) + len(mark) + 1 + len(part) <= width:
            rows[-1] += f"{mark} {part}"
        else:
            rows.append(part)
    for position, row in enumerate(rows):
        yield [(("" if position else label).ljust(MARGIN), "dim"), (clip(row, width - MARGIN), "")]
