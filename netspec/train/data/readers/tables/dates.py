"""Dates of a table: the format that a column's values have, and the times that they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
DAY = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?=$|[T ])")
"""The day of a date by numbers, with or without a time behind it."""
SHORT = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2}")
"""The day of a date by numbers of two digits, which do not say which is the year."""
NAMED = re.compile(r"\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4}")
"""The day of a date with the name of its month."""
FORMATS = {
    "/": ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"),
    "-": ("%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y"),
    ".": ("%Y.%m.%d", "%d.%m.%Y"),  # with points, no country writes the month first
    "": ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%d-%B-%Y", "%B %d, %Y", "%B %d %Y"),
}
"""The formats of days by the mark between their numbers."""
CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")


def formats_of(texts: Sequence[str]) -> Sequence[str]:
    """Return the formats in which all texts are dates: none where they are others, and several where days may be
    months.
    """
    if all(when_of(text) is not None for text in texts):
        return FORMATS["-"][:1]
    other = next((text.strip() for text in texts if when_of(text) is None), "")
    by_numbers = DAY.match(other)
    if by_numbers is None and NAMED.match(other) is None:
        return ()
    formats = FORMATS["" if by_numbers is None else by_numbers[1]]
    found = [each for each in formats if all(when_of(text, each) is not None for text in texts)]
    return found if by_numbers is not None else found[:1]  # May is the short name and the long one


def when_of(value: Any, format: str | None = None) -> datetime | None:
    """Return the time that a value is, or spells by ISO 8601 or by ``format``, with a clock's time behind it or not; a
    day's is its midnight, and ``None`` stands for no time.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = str(value).strip()
    if ISO.fullmatch(text):
        with suppress(ValueError):  # the 31st of a short month
            return datetime.fromisoformat(text)
    found = None if format is None else _by_format(text, format)
    return _by_format(text, "%Y-%m-%d") if found is None and DAY.match(text) else found


def _by_format(text: str, format: str) -> datetime | None:
    found = _parsed(text, format)
    if found is not None:
        return found
    for gap in re.finditer("[T ]+", text):
        day, clock = _parsed(text[: gap.start()], format), _clock_of(text[gap.end() :])
        if day is not None and clock is not None:
            return datetime.combine(day, clock)
    return None


@lru_cache(2**16)
def _parsed(text: str, format: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.strptime(text, format)
    return None


@lru_cache(2**16)
def _clock_of(text: str) -> time | None:
    with suppress(ValueError):
        return time.fromisoformat(text)
    return next((found.time() for each in CLOCKS if (found := _parsed(text.upper(), each)) is not None), None)
