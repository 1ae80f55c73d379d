"""The spelling of counts and bytes, wherever a reader sees them."""

from __future__ import annotations

EXACT_BELOW = 1_000_000
"""Counts from here on are given in short where a column holds one."""


def number(value: int, short: bool = False) -> str:
    """``9,408``, or in short ``9.4k``; nothing for zero."""
    if not value:
        return ""
    if not short or value < 1000:
        return f"{value:,}"
    scaled = [(value / 1000**power, unit) for power, unit in enumerate("kMGTPE", 1)]
    return next((f"{size:.1f}{unit}" for size, unit in scaled if round(size, 1) < 1000), f"{value:.1e}")


def short_bytes(count: int) -> str:
    """``46.8 MB``; megabytes are 10⁶ bytes."""
    for limit, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count < 100 * limit else f"{count / limit:,.0f} {unit}"
    return f"{count} B"


def bytes_text(count: int) -> str:
    """The size of the weights: megabytes are 10⁶ bytes."""
    if count < 100_000:
        return f"{count:,} bytes as float32"
    if count >= 10**10:
        return f"{count / 1e9:,.1f} GB as float32 (GB = 10⁹ bytes)"
    return f"{count / 1e6:,.{1 if count >= 10_000_000 else 2}f} MB as float32 (MB = 10⁶ bytes)"
