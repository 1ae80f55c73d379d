"""The values of plain scalars by YAML 1.2's core schema, and what YAML 1.1 would have made of them.

Beyond the core schema, an integer may have its digits grouped by threes: ``10_000``, as in Python and in YAML 1.1.
"""

from __future__ import annotations

import math
import re

from netspec.dataclass import dataclass
from netspec.syntax.nodes import Scalar

MAX_INTEGER = 2**53

_CORE = {"null": None, "true": True, "false": False}
_WORDS = {"": None, "~": None} | {
    form(word): value for word, value in _CORE.items() for form in (str, str.title, str.upper)
}
_SMALL = re.compile(r"[1-9][0-9]{0,14}")  # nearly all integers; what YAML 1.1 misreads starts otherwise
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:_[0-9]{3})+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_STARTS = frozenset("+-.0123456789yYnNoO")
# What YAML 1.1 reads as something else. Its single letters (y, n) are left out: N is everyone's batch dimension.
_OLD_TRUE, _OLD_FALSE = re.compile("yes|Yes|YES|on|On|ON"), re.compile("no|No|NO|off|Off|OFF")
_OLD_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Trap:
    """Why a plain scalar is refused."""

    id: str
    message: str
    help: str | None = None


def resolve(text: str) -> Scalar | Trap:
    """A plain value by YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS:  # no number, and none of the words that YAML 1.1 reads as a boolean
        return text
    if _SMALL.fullmatch(text):
        return int(text)
    meaning = _old_meaning(text)
    if meaning:
        return Trap("yaml-trap", f"`{text}` is {meaning[0]} in YAML 1.1", meaning[1])
    if _GROUPED.fullmatch(text):
        text = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        number = int(text, 0) if text[1:2] in ("o", "x") else int(text) if len(text) < 400 else MAX_INTEGER + 1
        if abs(number) > MAX_INTEGER:
            return Trap(
                "number-range", "the number exceeds 2**53", "quote it if it is meant as a string; no size is that large"
            )
        return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            return Trap("number-range", "the number is too large for a float", "the largest is 1.8e308")
        return value
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def _old_meaning(text: str) -> tuple[str, str] | None:
    """Return what YAML 1.1 takes a plain value for where YAML 1.2 does not, and how to write either."""
    if _OLD_TRUE.fullmatch(text):
        return "true", f'write `true`, or quote it: "{text}"'
    if _OLD_FALSE.fullmatch(text):
        return "false", f'write `false`, or quote it: "{text}"'
    if _OLD_OCTAL.fullmatch(text):
        digits = text.replace("_", "")
        sign, rest = ("-" if digits[0] == "-" else ""), digits.lstrip("+-").lstrip("0") or "0"
        octal = f"{sign}{int(rest, 8)} or " if re.fullmatch("[0-7]{1,16}", rest) and len(rest) > 1 else ""
        return "an octal number", f'write {octal}{sign}{rest}, or quote it: "{text}"'
    if _SEXAGESIMAL.fullmatch(text):
        total = 0.0
        for part in text.lstrip("+-").replace("_", "").split(":"):
            total = total * 60 + float(part)
        sign = "-" if text[0] == "-" else ""
        return "a base-60 number", f'write {sign}{total:.15g}, or quote it: "{text}"'
    if _DATE.fullmatch(text):
        return "a date", f'quote it: "{text}"'
    return None
