"""The cells of a line that is drawn as text: spans with a style each, fitted to a width."""

from __future__ import annotations

from netspec.text.quoting import visible

GAP = 2
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
    for sign, plain in zip("×″·─│├└…†‡−–≥", ["x", '"', "*", "-", "|", "|", "`", "~", "+", "#", "-", "-", ">"])
}


def number(value: int, short: bool = False) -> str:
    """``9,408``, or in short ``9.4k``; nothing for zero."""
    if not value:
        return ""
    if not short or value < 1000:
        return f"{value:,}"
    scaled = [(value / 1000**power, unit) for power, unit in enumerate("kMGTPE", 1)]
    return next((f"{size:.1f}{unit}" for size, unit in scaled if round(size, 1) < 1000), f"{value:.1e}")


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
