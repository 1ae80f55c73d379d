"""The form of a table: how its file is written, and the numbers in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

LIKE_A_NUMBER = re.compile(r"[-+]?\d[\d.,'_ ]*%?")
"""Digits with marks between them, which may be those of a number."""
MARKS = str.maketrans("\u00a0\u202f\u2009’−", "   '-")
"""Spaces, apostrophes and minus signs of typesetters, by those of a keyboard."""
THOUSANDS = (".", ",", "'", " ")
"""The marks between thousands, as the key ``thousands`` has them."""
NEVER_DECIMAL = ("'", " ")


@dataclass(frozen=True, slots=True)
class TableForm:
    """The keys of a data set that say how its files are written. Without a ``separator`` it is the one that cuts the
    lines alike, without ``thousands`` the mark that a column's numbers prove; ``na_values`` stand for no value, as the
    usual spellings do. ``fixed`` marks the form of a network that is trained, whose keys cannot be said anew.
    """

    separator: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str | None = None
    na_values: tuple[str, ...] = ()
    fixed: bool = False

    @staticmethod
    def of(keys: Mapping[str, Any], fixed: bool = False) -> TableForm:
        """Return the form that the keys of a data set say, among others."""
        names = {each.name for each in fields(TableForm)} - {"fixed"}
        own = {name: value for name, value in keys.items() if name in names and value is not None}
        return TableForm(**{**own, "na_values": tuple(map(str, own.get("na_values", ()))), "fixed": fixed})


USUAL_FORM = TableForm()


def number_of(value: Any, decimal: str = ".", thousands: str | None = None) -> float | None:
    """Return the number that a value is, or spells; ``None`` for others. Between thousands may be that mark alone."""
    if isinstance(value, str):
        value = value.strip().translate(MARKS)
        if thousands is not None and thousands in value:
            value = value.replace(thousands, "") if _grouped(decimal, thousands).fullmatch(value) else "_"
        if "_" in value or not value.isascii() or (decimal != "." and "." in value):
            return None
        value = value.replace(decimal, ".")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def thousands_in(values: Iterable[Any], decimal: str) -> str | None:
    """Return the mark between thousands that the numbers of a column have; ``None`` if there is none, or it may as well
    stand before decimals: `1,234` does not tell, and `1,234,567` or `1,234.5` does.
    """
    texts = [value.strip().translate(MARKS) for value in values if isinstance(value, str)]
    texts = [text for text in texts if LIKE_A_NUMBER.fullmatch(text)]  # others are told for what they are
    for mark in THOUSANDS:
        with_mark = [text for text in texts if mark in text] if mark != decimal else []
        if with_mark and all(map(_grouped(decimal, mark).fullmatch, with_mark)):
            proves = mark in NEVER_DECIMAL or any(text.count(mark) > 1 or decimal in text for text in with_mark)
            return mark if proves else None
    return None


def _grouped(decimal: str, thousands: str) -> re.Pattern[str]:
    """The pattern of a number with marks between all of its thousands."""
    return re.compile(rf"[-+]?[1-9]\d{{0,2}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?", re.ASCII)
