"""Diagnostics: sources, spans, and what is wrong at one of them."""

from __future__ import annotations

from dataclasses import field

from netspec.dataclass import dataclass


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


@dataclass(slots=True, unsafe_hash=True)
class Span:
    """A stretch of a source: lines and columns count from 1, the end is exclusive.

    Nothing changes one; it is not frozen, as making one would take four times as long, and a file has many.
    """

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
class Unchecked:
    """A ``file`` that could not be read, or a command that could not begin: there is no text to point into."""

    message: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, reported once.

    ``id`` is stable (``unknown-op``); ``message`` says what is wrong in one line; ``primary`` is underlined
    with ``^``, ``secondary`` with ``-``; ``trail`` says through which variant, block and iteration the
    elaboration came; ``help`` is a concrete repair; ``about`` tells apart what has one id and one place.
    """

    id: str
    message: str
    primary: Label
    secondary: tuple[Label, ...] = ()
    trail: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    about: str = ""
    severity: str = "error"

    @property
    def key(self) -> tuple[object, ...]:
        """The id and the place: two faults of one key are the same fault."""
        span = self.primary.span
        return self.id, self.about, id(span.source), span.line, span.column


MOST_KEPT = 100
MOST_COUNTED = 400
"""After so many faults the rest is not looked for: a hostile file would take minutes."""


def counted(number: int, more: int) -> str:
    """A number of faults, ``more`` of them not kept: ``150``; ``at least 400`` where the search for them ended."""
    return f"at least {number}" if more >= MOST_COUNTED - MOST_KEPT else str(number)
