"""Words within a text: identifiers around a column."""

from __future__ import annotations

import re

WORD = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")


def word_at(text: str, index: int) -> str | None:
    """The identifier that ``text[index]`` belongs to, or that ends right before it."""
    for found in WORD.finditer(text):
        if found.start() <= index <= found.end():
            return found.group()
    return None


def word_before(line: str, index: int) -> str:
    """The part of an identifier (with ``$`` and dots) that stands right before ``line[index]``."""
    found = re.search(r"[$A-Za-z0-9_.]*\Z", line[:index])
    return found.group() if found else ""
