"""What went wrong, where, and how to mend it.

The error tree, each with the exit code of the command line::

    NetspecError
    ├── SpecError          1   the spec is at fault; carries every diagnostic found
    ├── UsageError         2   the call is at fault: an unknown name, a bad option
    └── EnvironmentFault   3   the machine is at fault: no CUDA, no disk, no renderer

Anything else that escapes is a bug of netspec (exit code 4).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


class NetspecError(Exception):
    """Base of every error that netspec raises on purpose."""

    exit_code = 4


class UsageError(NetspecError):
    """The caller asked for something that does not exist or does not fit."""

    exit_code = 2


class EnvironmentFault(NetspecError):
    """The machine lacks what the command needs."""

    exit_code = 3


class SpecError(NetspecError):
    """The spec is at fault. ``diagnostics`` holds all that was found, in source order."""

    exit_code = 1

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = sorted(diagnostics, key=lambda found: found.primary.span.order)
        super().__init__("\n\n".join(render(found) for found in self.diagnostics))


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name it is shown under."""

    name: str
    text: str
    lines: list[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", self.text.split("\n"))

    def line(self, number: int) -> str:
        return self.lines[number - 1].rstrip("\r") if 0 < number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source: lines and columns count from 1, the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def order(self) -> tuple[str, int, int]:
        return self.source.name, self.line, self.column

    @property
    def place(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def within(self, start: int, end: int) -> Span:
        """The stretch from character ``start`` to ``end`` of this span's first line."""
        return Span(self.source, self.line, self.column + start, self.line, self.column + end)


@dataclass(frozen=True, slots=True)
class Label:
    """A span with what there is to say about it."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, reported once.

    ``id`` is stable (``unknown-op``); ``message`` says what is wrong in one line; ``primary`` is underlined
    with ``^``, ``secondary`` with ``-``; ``trail`` says through which variant, block and iteration the
    elaboration came; ``help`` is a concrete repair.
    """

    id: str
    message: str
    primary: Label
    secondary: tuple[Label, ...] = ()
    trail: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: str = "error"


class Report:
    """Collects diagnostics; the same fault at the same place counts once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[str, tuple[str, int, int]]] = set()

    def add(self, found: Diagnostic) -> None:
        key = (found.id, found.primary.span.order)
        if key not in self._seen:
            self._seen.add(key)
            self.diagnostics.append(found)

    def error(
        self,
        id: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        secondary: tuple[Label, ...] = (),
        trail: tuple[str, ...] = (),
    ) -> None:
        self.add(Diagnostic(id, message, Label(span, label), secondary, trail, notes, help))

    def raise_if_any(self) -> None:
        if self.diagnostics:
            raise SpecError(self.diagnostics)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` most likely meant, if any is close."""
    found = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """``did you mean `x`?`` for the nearest candidate, or a list of all when there are few."""
    names = list(candidates)
    close = nearest(word, names)
    if close:
        return f"did you mean `{close}`?"
    if 0 < len(names) <= 8:
        return "one of " + ", ".join(f"`{name}`" for name in names)
    return None


def render(found: Diagnostic) -> str:
    """The diagnostic as text: header, place, the underlined source lines, trail, notes and help."""
    labels = [(found.primary, "^"), *((label, "-") for label in found.secondary)]
    gutter = max(len(str(label.span.line)) for label, _ in labels)
    out = [f"{found.severity}[{found.id}]: {found.message}"]
    previous: Source | None = None
    for source, drawn in _by_source(labels):
        arrow = "-->" if previous is None else ":::"
        out.append(f"{' ' * gutter} {arrow} {drawn[0][0].span.place}")
        out.extend(_draw(source, drawn, gutter))
        previous = source
    if found.trail:
        out.append(f"{' ' * gutter} in: " + ", ".join(found.trail))
    out.extend(f"{' ' * gutter} note: {note}" for note in found.notes)
    if found.help:
        out.append(f"{' ' * gutter} help: {found.help}")
    return "\n".join(out)


_Drawn = list[tuple[Label, str]]


def _by_source(labels: _Drawn) -> list[tuple[Source, _Drawn]]:
    """Labels grouped by source, the primary label's source first."""
    groups: dict[int, tuple[Source, _Drawn]] = {}
    for label, mark in labels:
        groups.setdefault(id(label.span.source), (label.span.source, []))[1].append((label, mark))
    return list(groups.values())


def _draw(source: Source, labels: _Drawn, gutter: int) -> list[str]:
    """The labelled lines of one source, each followed by its underlines."""
    out: list[str] = []
    last = 0
    for label, mark in sorted(labels, key=lambda drawn: drawn[0].span.order):
        span = label.span
        line = source.line(span.line)
        if span.line != last:
            if last and span.line > last + 1:
                out.append(f"{' ' * gutter} ·")
            out.append(f"{span.line:>{gutter}} | {line}".rstrip())
            last = span.line
        end = span.end_column if span.end_line == span.line else len(line) + 1
        underline = mark * max(1, end - span.column)
        # Tabs keep their width so that the underline stands below the text.
        pad = "".join("\t" if char == "\t" else " " for char in line[: span.column - 1])
        out.append(f"{' ' * gutter} | {pad}{underline} {label.text}".rstrip())
    return out
