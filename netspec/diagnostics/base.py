"""What went wrong, where, and how to mend it.

The error tree, each with the exit code of the command line::

    NetspecError
    ├── SpecError          1   the spec is at fault; carries every diagnostic found
    ├── UsageError         2   the call is at fault: an unknown name, a bad option
    ├── TrainingFault      1   a run cannot go on: the loss is no number, the memory is too small
    └── EnvironmentFault   3   the machine is at fault: no CUDA, no disk, no renderer

Anything else that escapes is a bug of netspec (exit code 4).
"""

from __future__ import annotations

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


class TrainingFault(NetspecError):
    """A training run cannot go on as its recipe says."""

    exit_code = 1


class SpecError(NetspecError):
    """The spec is at fault. ``diagnostics`` holds what was found, in source order, and ``more`` counts the rest."""

    exit_code = 1

    def __init__(self, diagnostics: Iterable[Diagnostic], more: int = 0):
        super().__init__()
        self.diagnostics = sorted(diagnostics, key=lambda found: found.primary.span.order)
        self.more = more

    def __str__(self) -> str:
        from netspec.diagnostics.text import render_all

        return render_all(self.diagnostics, self.more)


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
        """What makes it the same fault as another: its id and its place."""
        span = self.primary.span
        return self.id, self.about, id(span.source), span.line, span.column


MOST_KEPT = 100
MOST_COUNTED = 400
"""After so many faults the rest is not looked for: a hostile file would take minutes."""


def counted(number: int, more: int) -> str:
    """A number of faults, ``more`` of them not kept: ``150``; ``at least 400`` where the search for them ended."""
    return f"at least {number}" if more >= MOST_COUNTED - MOST_KEPT else str(number)


class Report:
    """Collects diagnostics; the same fault at the same place counts once, and beyond ``MOST_KEPT`` they only count.

    Raises ``SpecError`` at once where there are more than ``MOST_COUNTED``.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.more = 0
        self._seen: set[tuple[object, ...]] = set()
        self._unreadable: set[tuple[object, ...]] = set()

    @property
    def count(self) -> int:
        """How many faults there are."""
        return len(self.diagnostics) + self.more

    def add(self, found: Diagnostic) -> None:
        span = found.primary.span
        place = (id(span.source), span.line, span.column)
        if found.key in self._seen or place in self._unreadable:
            return
        self._seen.add(found.key)
        if found.id.startswith("yaml-") or found.id in ("number-range", "duplicate-key"):
            self._unreadable.add(place)  # whatever else is wrong there follows from this
        if len(self.diagnostics) < MOST_KEPT:
            self.diagnostics.append(found)
            return
        self.more += 1
        if self.more + MOST_KEPT >= MOST_COUNTED:
            self.raise_if_any()

    def retract(self, span: Span) -> None:
        """Drop what was found at a place or behind it: it was read wrongly from there on."""
        kept = []
        for found in self.diagnostics:
            place = found.primary.span
            if place.source is not span.source or place.order < span.order:
                kept.append(found)
                continue
            self._seen.discard(found.key)
            self._unreadable.discard((id(place.source), place.line, place.column))
        self.diagnostics = kept

    def take(self, found: SpecError) -> None:
        """Add what another report collected."""
        for each in found.diagnostics:
            self.add(each)
        self.more += found.more

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
        about: str = "",
    ) -> None:
        self.add(Diagnostic(id, message, Label(span, label), secondary, trail, notes, help, about))

    def raise_if_any(self) -> None:
        if self.diagnostics:
            raise SpecError(self.diagnostics, self.more)
