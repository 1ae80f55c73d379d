"""A diagnostic as text: header, place, the underlined source lines, trail, notes and help.

Source lines are clipped around what is underlined, and whatever a terminal would obey instead of show is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from netspec.dataclass import dataclass
from netspec.diagnostics.base import Diagnostic, Label, Source, counted
from netspec.text.quoting import visible
from netspec.text.wrapping import columns, wrapped

WIDTH = 120
MOST_MESSAGE = 600
MOST_TRAIL = 7


@dataclass(frozen=True, slots=True)
class Layout:
    """The form of diagnostics that are printed. A terminal has messages broken between words, and may have colours."""

    width: int = WIDTH
    wraps: bool = False
    colours: bool = False

    def told(self, text: str, indent: int) -> str:
        """Return a message, which goes on below with that indent."""
        return wrapped(text, self.width, indent) if self.wraps else text

    def painted(self, style: str, text: str) -> str:
        """Return a text in one of the styles."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colours and text else text


USUAL = Layout()
STYLES = {"error": "1;31", "warning": "1;33", "message": "1", "place": "34", "aside": "36"}


def render_all(diagnostics: Iterable[Diagnostic], more: int = 0, layout: Layout = USUAL) -> str:
    """Every diagnostic, with an empty line between them, and how many were left out."""
    texts = [render(found, layout) for found in diagnostics]
    if more:
        texts.append(f"and {counted(more, more)} more")
    return "\n\n".join(texts)


def render(found: Diagnostic, layout: Layout = USUAL) -> str:
    """Return a diagnostic in lines of at most the layout's width, but for messages that it does not wrap."""
    labels = [(found.primary, "^"), *((label, "-") for label in found.secondary)]
    gutter = max(len(str(label.span.line)) for label, _ in labels)
    margin, paint = " " * gutter, layout.painted
    out = [_header(found, layout)]
    previous: Source | None = None
    for source, drawn in _by_source(labels):
        arrow = paint("place", "-->" if previous is None else ":::")
        out.append(f"{margin} {arrow} {escaped(drawn[0][0].span.place)}")
        out.extend(_draw(source, drawn, gutter, layout, found.severity))
        previous = source
    asides = [("in", ", ".join(_shortened(found.trail)))] if found.trail else []
    asides += [("note", note) for note in found.notes] + ([("help", found.help)] if found.help else [])
    for word, text in asides:
        told = layout.told(f"{margin} {word}: {escaped(text)}", len(word) + 2)
        out.append(told.replace(f"{word}:", paint("aside", f"{word}:"), 1))
    return "\n".join(out)


def _header(found: Diagnostic, layout: Layout) -> str:
    head = f"{found.severity}[{found.id}]:"
    first, *others = layout.told(f"{head} {escaped(found.message)}", 2).split("\n")
    kind = layout.painted("warning" if found.severity == "warning" else "error", head)
    rest = [layout.painted("message", line) for line in (first.removeprefix(head), *others)]
    return kind + "\n".join(rest)


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


def _draw(source: Source, labels: _Drawn, gutter: int, layout: Layout, severity: str) -> list[str]:
    """The labelled lines of one source, each followed by its underlines."""
    out: list[str] = []
    last, room, paint = 0, max(layout.width - gutter - 3, 20), layout.painted
    shown = (0, 0)
    bar = paint("place", "|")
    for label, mark in sorted(labels, key=lambda drawn: drawn[0].span.order):
        span = label.span
        line = source.line(span.line)
        start = min(span.column - 1, len(line))
        end = min(span.end_column - 1 if span.end_line == span.line else len(line), len(line))
        if span.line != last or not shown[0] <= start < max(shown[1], 1):
            if last and span.line > last + 1:
                out.append(f"{' ' * gutter} ·")
            shown = _window(line, start, max(end, start + 1), room)
            out.append(f"{paint('place', f'{span.line:>{gutter}}')} {bar} {_clip(line, *shown)}".rstrip())
            last = span.line
        before = ("…" if shown[0] else "") + visible(line[shown[0] : start])
        covered = visible(line[start : min(end, shown[1])])
        underline = mark * max(1, columns(covered))
        style = "aside" if mark == "-" else "warning" if severity == "warning" else "error"
        pointer = f"{' ' * gutter} {bar} {' ' * columns(before)}{paint(style, underline)}"
        out += _labelled(pointer, gutter + 3 + columns(before) + columns(underline), label.text, gutter, layout, style)
    return out


def _labelled(pointer: str, taken: int, text: str, gutter: int, layout: Layout, style: str) -> list[str]:
    """An underline that takes so many columns with its label, below it where there is no room beside it."""
    text = escaped(text)
    if not layout.wraps or taken + 1 + columns(text) <= layout.width:
        return [f"{pointer} {layout.painted(style, text)}".rstrip()]
    bar = f"{' ' * gutter} {layout.painted('place', '|')} "
    lines = wrapped(text, max(layout.width - gutter - 3, 20), 0).split("\n")
    return [pointer, *(bar + layout.painted(style, line) for line in lines)]


def _window(line: str, start: int, end: int, room: int) -> tuple[int, int]:
    """The stretch of a line to show: all of it, or what is underlined with something around."""
    if len(line) <= room and columns(visible(line)) <= room:
        return 0, len(line)
    room -= 2  # an ellipsis on either side
    if end - start >= room:
        first, last = start, start + room
    else:
        first = 0 if end + 10 <= room else max(0, start - (room - (end - start)) // 2)
        last = min(len(line), first + room)
    while columns(visible(line[first:last])) > room:  # wide or escaped characters
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


def plain_text(found: Diagnostic) -> str:
    """Return all that a diagnostic says but its place, a line each: for an editor, which underlines that."""
    lines = [found.message + (f" ({found.primary.text})" if found.primary.text else "")]
    lines += [f"in: {', '.join(found.trail)}"] if found.trail else []
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"help: {found.help}"] if found.help else []
    return "\n".join(lines)
