"""Collecting diagnostics: each mistake once, all of them in one run."""

from __future__ import annotations

from netspec.diagnostics.base import MOST_COUNTED, MOST_KEPT, Diagnostic, Label, Span
from netspec.diagnostics.errors import SpecError


class Report:
    """A collection of diagnostics: a fault at a place counts once; beyond ``MOST_KEPT``, faults are only counted.

    Raises ``SpecError`` at once where there are more than ``MOST_COUNTED``.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.more = 0
        self._seen: set[tuple[object, ...]] = set()
        self._unreadable: set[tuple[object, ...]] = set()

    @property
    def count(self) -> int:
        """The number of faults, also of those that were not kept."""
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
