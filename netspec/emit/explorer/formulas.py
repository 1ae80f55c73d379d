"""Sizes as the page has them: formulas that ``formulas.js`` works out."""

from __future__ import annotations

from typing import Any

from netspec.dims import Floor, Size

EXACT = 2**53
"""Whole numbers from here on are not exact in JSON as browsers read it, and are written as text."""


def formula(size: Size) -> Any:
    """A size for JSON: a number, or a list of terms, each its coefficient and then ``[atom, power]`` pairs.

    An atom is a name, or ``[formula, divisor]`` for a floor.
    """
    if isinstance(size, int):
        return _number(size)
    return [[_number(factor), *([_atom(a), power] for a, power in term)] for term, factor in size.terms.items()]


def _atom(atom: str | Floor) -> Any:
    return atom if isinstance(atom, str) else [formula(atom.numerator), _number(atom.divisor)]


def _number(number: int) -> int | str:
    return number if abs(number) < EXACT else str(number)
