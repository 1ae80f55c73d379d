"""Lines for a terminal: as wide as it is, and broken between words."""

from __future__ import annotations

import re
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WORD = r" *(?:`[^`\n]*`\S*|[^ ]+)"
"""A word with the spaces before it; what stands in backticks, as it is to be pasted, is one."""
PASTED = ("netspec ", "pip ", "python ", "torchrun ")
"""The first words of lines that are commands, which are whole or of no use."""


def wrapped(text: str, width: int, indent: int = 2) -> str:
    """Return a text in lines of at most ``width`` columns, as far as its words allow.

    What goes on in a line of its own is indented by ``indent`` columns, beside what the line begins with. Lines that
    are commands stay whole.
    """
    return "\n".join("\n".join(_broken(line, width, indent)) for line in text.split("\n"))


def _broken(line: str, width: int, indent: int) -> Iterator[str]:
    if columns(line) <= width or line.lstrip().startswith(PASTED):
        yield line
        return
    begun = len(line) - len(line.lstrip())
    margin = " " * (begun + indent)
    row, words = line[:begun], re.findall(WORD, line[begun:])
    while words:
        word = words.pop(0)
        space = width - columns(row)
        if columns(word) <= space or not row.strip():
            row += word
        elif "`" in word and len(pieces := re.findall(r" *[^ ]+", word)) > 1 and columns(word) > width - len(margin):
            words = pieces + words  # too long for any line
        else:
            yield row
            row = margin
            words.insert(0, word.lstrip())
    yield row


def columns(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
