"""The places of a text as a browser counts them: in code units of UTF-16, from the text's beginning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from netspec.diagnostics import Span


class Offsets:
    """Tells lines and columns (from 1, in characters) from offsets, and offsets from those."""

    def __init__(self, text: str):
        self.lines: Sequence[str] = text.split("\n")
        self._starts = [0, *accumulate(units(line) + 1 for line in self.lines)]

    def of(self, line: int, column: int) -> int:
        """Return the offset of a place; a place behind a line's end, or the text's, is that end."""
        if line > len(self.lines):
            return self._starts[-1] - 1
        return self._starts[line - 1] + units(self.lines[line - 1][: column - 1])

    def end_of(self, line: int) -> int:
        """Return the offset at which a line ends."""
        return self._starts[line] - 1

    def within(self, span: Span) -> tuple[int, int]:
        """Return the offsets at which a span begins and ends."""
        return self.of(span.line, span.column), self.of(span.end_line, span.end_column)

    def place(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset."""
        line = next((at for at, start in enumerate(self._starts) if start > offset), len(self.lines))
        line = max(1, min(line, len(self.lines)))
        rest, column = offset - self._starts[line - 1], 1
        for character in self.lines[line - 1]:
            if rest <= 0:
                break
            rest -= units(character)
            column += 1
        return line, column


def units(text: str) -> int:
    """Return the number of code units that a text has in UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
