"""The lines of a table of text, and the character that separates their values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from netspec.train.data.base import DataFault

SEPARATORS = ",;\t|"
LOOKED_AT = 20
"""Lines that say which character separates the values."""

NumberedLine = tuple[int, list[str]]
"""The number of a line, from 1 on, and the values in it."""


def cut_lines(file: str, text: str, separator: str | None = None) -> list[NumberedLine]:
    """Return the lines of a table that are not blank, split into values. Raises ``DataFault`` for unfinished quotes.

    Without a ``separator`` it is the one that splits the first lines alike, into the most values; else the comma.
    """
    if separator is None:
        widths = {each: _width(text, each) for each in SEPARATORS}
        separator = max(SEPARATORS, key=lambda each: widths[each])  # the first of those that cut alike
    lines: list[NumberedLine] = []
    try:
        lines.extend(_cut(text, separator))
    except csv.Error as fault:
        number = lines[-1][0] + 1 if lines else 1
        raise DataFault(f"{file}, line {number}: {fault}") from None
    return lines


def _cut(text: str, separator: str) -> Iterator[NumberedLine]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield reader.line_num, row


def _width(text: str, separator: str) -> int:
    """Return the number of values in each of the first lines; 0 if they differ, or have one."""
    try:
        widths = {len(row) for _, row in islice(_cut(text, separator), LOOKED_AT)}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 and widths != {1} else 0
