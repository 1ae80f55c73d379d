"""The differences between two networks as text and JSON; ``emit.diagram.pair`` draws them."""

from __future__ import annotations

from netspec.analysis.diff import Differences
from netspec.emit.diff.record import diff_json
from netspec.emit.diff.text import diff_text

__all__ = ["Diff"]


class Diff(Differences):
    """The differences between two networks, as people and programs read them."""

    def text(self, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
        """Return the differences in at most ``width`` columns; ``ascii`` keeps to the characters of ASCII."""
        return diff_text(self, width, colour, ascii)

    def to_json(self) -> str:
        """Return the differences row by row and key by key, as JSON."""
        return diff_json(self)
