"""Amounts with a unit, read and written: ``61,706``, ``417k``, ``1.81G``, ``20 kB``, ``3 GiB``.

There is one spelling of numbers: exact with commas, or to three significant digits with the prefixes of SI, which are
powers of a thousand, of bytes too. ``formulas.js`` has the same for pages.
"""

from __future__ import annotations

import re

QUANTITY = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*(?:\.[0-9]+)?)\s*(?:([kKMGT]i?)?(B|bytes)?)\Z")
SCALES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
SCALES |= {"ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
UNITS = "GiB, MiB, KiB, GB, MB, kB and B"


def quantity(text: str, of_bytes: bool) -> int | None:
    """The whole number that a text with a unit or with commas means; ``None`` where it is no such text.

    A count has no bytes: ``12M`` is one, ``12MB`` is none. Of bytes the ``B`` may be left out.
    """
    found = QUANTITY.match(text.strip())
    if found is None or (found[3] and not of_bytes) or not (found[2] or found[3] or "," in found[1]):
        return None
    return round(float(re.sub("[_,]", "", found[1])) * SCALES[(found[2] or "").replace("K", "k")])


EXACT_BELOW = 1_000_000
"""Counts from here on are given in short where a column holds one."""

PREFIXES = {"k": "10³", "M": "10⁶", "G": "10⁹", "T": "10¹²", "P": "10¹⁵", "E": "10¹⁸"}


def short(count: int) -> str:
    """Return a count to three significant digits: ``847``, ``9.41k``, ``118M``, ``1.81G``."""
    if abs(count) < 1000:
        return str(count)
    for power, prefix in enumerate(PREFIXES, 1):
        for decimals in (2, 1, 0):
            digits = (2 * abs(count) * 10**decimals + 1000**power) // (2 * 1000**power)
            if digits < 1000:
                return f"{'-' * (count < 0)}{digits / 10**decimals:g}{prefix}"
    return f"{count:.2e}"


def number(count: int, brief: bool = False) -> str:
    """Return ``9,408``, or in short ``9.41k``; nothing for zero."""
    if not count:
        return ""
    return short(count) if brief else f"{count:,}"


def short_bytes(count: int) -> str:
    """Return ``46.8 MB``; megabytes are 10⁶ bytes."""
    text = short(count)
    return f"{text[:-1]} {text[-1]}B" if text[-1] in PREFIXES else f"{text} B"


def bytes_text(count: int) -> str:
    """Return the size of weights, with its unit explained: ``46.8 MB as float32 (MB = 10⁶ bytes)``."""
    if count < 1000:
        return f"{count} bytes as float32"
    text = short_bytes(count)
    prefix = text[-2]
    return f"{text} as float32 ({prefix}B = {PREFIXES[prefix]} bytes)"


def short_seconds(seconds: float) -> str:
    """Return a time to three significant digits: ``2.37 µs``, ``96.5 ms``, ``1.54 s``; nothing for zero."""
    if not seconds:
        return ""
    for unit, scale in (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        digits = f"{float(f'{seconds / scale:.3g}'):#.3g}".rstrip(".")
        if float(digits) < 1000:
            return f"{digits} {unit}"
    return f"{seconds:,.0f} s"
