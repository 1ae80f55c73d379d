"""Symbolic sizes as the expressions of a spec."""

from __future__ import annotations

from netspec.dims import Dim, Floor, Monomial, Size
from netspec.importer.write.phrases import Formula


def spell_size(size: Size) -> int | Formula:
    """Return a size as a number, or as an expression over the symbolic dimensions."""
    return size if isinstance(size, int) else Formula(_sum(size))


def _sum(size: Dim) -> str:
    terms = sorted(size.terms.items(), key=lambda term: (not term[0], term[1] < 0))
    text = ""
    for monomial, coefficient in terms:
        sign = (" - " if text else "-") if coefficient < 0 else (" + " if text else "")
        text += sign + _term(monomial, abs(coefficient))
    return text


def _term(monomial: Monomial, coefficient: int) -> str:
    factors = [] if coefficient == 1 and monomial else [str(coefficient)]
    for atom, power in monomial:
        text = atom if isinstance(atom, str) else _floor(atom, alone=len(monomial) == 1 and coefficient == power == 1)
        factors.append(text if power == 1 else f"{text} ** {power}")
    return " * ".join(factors)


def _floor(atom: Floor, alone: bool) -> str:
    inner = _sum(atom.numerator)
    text = f"{f'({inner})' if ' ' in inner else inner} // {atom.divisor}"
    return text if alone else f"({text})"
