"""A diagnostic as text: header, place, the underlined source lines, trail, notes and help.

Source lines are clipped around what is underlined, and whatever a terminal would obey instead of show is escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from netspec.diagnostics.base import Diagnostic, Label, Source, counted
from netspec.text.quoting import visible

WIDTH = 120
MOST_MESSAGE = 600
MOST_TRAIL = 7


def render_all(diagnostics: Iterable[Diagnostic], more: int = 0, width: int = WIDTH) -> str:
    """Every diagnostic, with an empty line between them, and how many were left out."""
    texts = [render(found, width) for found in diagnostics]
    if more:
        texts.append(f"and {counted(more, more)} more")
    return "\n\n".join(texts)


def render(found: Diagnostic, width: int = WIDTH) -> str:
    """Return a diagnostic in lines of at most ``width`` characters, but for messages."""
    labels = [(found.primary, "^"), *((label, "-") for label in found.secondary)]
    gutter = max(len(str(label.span.line)) for label, _ in labels)
    margin = " " * gutter
    out = [f"{found.severity}[{found.id}]: {escaped(found.message)}"]
    previous: Source | None = None
    for source, drawn in _by_source(labels):
        out.append(f"{margin} {'-->' if previous is None else ':::'} {escaped(drawn[0][0].span.place)}")
        out.extend(_draw(source, drawn, gutter, max(width - gutter - 3, 20)))
        previous = source
    if found.trail:
        out.append(f"{margin} in: {escaped(', '.join(_shortened(found.trail)))}")
    out.extend(f"{margin} note: {escaped(note)}" for note in found.notes)
    if found.help:
        out.append(f"{margin} help: {escaped(found.help)}")
    return "\n".join(out)


def _shortened(trail: tuple[str, ...]) -> tuple[str, ...]:
    """The ends of a long trail."""
    if len(trail) <= MOST_TRAIL:
        return trail
    return *trail[:3], f"… {len(trail) - 5} more …", *trail[-2:]


def escaped(text: str) -> str:
    """A text that shows all that it holds."""
    if len(text) > MOST_MESSAGE:
        text = text[:MOST_MESSAGE] + "…"
    return visible(text)


_Drawn = list[tuple[Label, str]]


def _by_source(labels: _Drawn) -> list[tuple[Source, _Drawn]]:
    """Labels grouped by source, the primary label's source first."""
    groups: dict[int, tuple[Source, _Drawn]] = {}
    for label, mark in labels:
        groups.setdefault(id(label.span.source), (label.span.source, []))[1].append((label, mark))
    return list(groups.values())


def _draw(source: Source, labels: _Drawn, gutter: int, room: int) -> list[str]:
    """The labelled lines of one source, each followed by its underlines."""
    out: list[str] = []
    last = 0
    shown = (0, 0)
    for label, mark in sorted(labels, key=lambda drawn: drawn[0].span.order):
        span = label.span
        line = source.line(span.line)
        start = min(span.column - 1, len(line))
        end = min(span.end_column - 1 if span.end_line == span.line else len(line), len(line))
        if span.line != last or not shown[0] <= start < max(shown[1], 1):
            if last and span.line > last + 1:
                out.append(f"{' ' * gutter} ·")
            shown = _window(line, start, max(end, start + 1), room)
            out.append(f"{span.line:>{gutter}} | {_clip(line, *shown)}".rstrip())
            last = span.line
        before = ("…" if shown[0] else "") + visible(line[shown[0] : start])
        covered = visible(line[start : min(end, shown[1])])
        underline = mark * max(1, _columns(covered))
        out.append(f"{' ' * gutter} | {' ' * _columns(before)}{underline} {escaped(label.text)}".rstrip())
    return out


def _window(line: str, start: int, end: int, room: int) -> tuple[int, int]:
    """The stretch of a line to show: all of it, or what is underlined with something around."""
    if len(line) <= room and _columns(visible(line)) <= room:
        return 0, len(line)
    room -= 2  # an ellipsis on either side
    if end - start >= room:
        first, last = start, start + room
    else:
        first = 0 if end + 10 <= room else max(0, start - (room - (end - start)) // 2)
        last = min(len(line), first + room)
    while _columns(visible(line[first:last])) > room:  # wide or escaped characters
        if last > end:
            last -= max(1, (last - end) // 4)
        elif first < start:
            first += max(1, (start - first) // 4)
        elif last > start + 1:
            last -= max(1, (last - start) // 10)
        else:
            break
    return first, last


def _clip(line: str, start: int, end: int) -> str:
    return ("…" if start else "") + visible(line[start:end]) + ("…" if end < len(line) else "")


def _columns(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
