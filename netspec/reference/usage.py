"""The uses of a word: the networks of the zoo whose files have it."""

from __future__ import annotations

import re
from functools import cache

from netspec import zoo


def used_in(word: str, key: bool = False) -> tuple[str, ...]:
    """Return the zoo's files that have a word as a step or a value, or as a key, by name."""
    place = rf"(?:^|[\s{{,])(?:- )?{re.escape(word)}:" if key else rf"[\s{{\[,]{re.escape(word)}\b(?=[\s:,}}\]]|$)"
    pattern = re.compile(place, re.MULTILINE)
    return tuple(name for name, text in _texts().items() if pattern.search(text))


@cache
def _texts() -> dict[str, str]:
    """Each file's text without its comments and documentation."""
    return {
        path.stem: re.sub(r"#.*|^\s*doc:.*", "", path.read_text("utf-8"), flags=re.MULTILINE) for path in zoo.files()
    }
