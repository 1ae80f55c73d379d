"""Sizes of torch's symbolic shapes, which are formulas of sympy, as netspec's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import UsageError
from netspec.dims import Dim, Size, exact_div, floor_div, product, total


class UnknownFormula(UsageError):
    """A size whose formula has no counterpart here."""


class SizeReader:
    """Reads sizes; ``names`` has the symbols of torch (``s77``) by the names that they have in the spec."""

    def __init__(self, names: Mapping[str, str]):
        self.names = names

    def size(self, value: Any) -> Size:
        """Return an integer of torch, which may be a formula. Raises ``UnknownFormula``."""
        if isinstance(value, int):
            return value
        return self._formula(value.node.expr)

    def _formula(self, formula: Any) -> Size:
        if formula.is_Integer:
            return int(formula)
        if formula.is_Symbol:
            return Dim.symbol(self.names.get(formula.name, formula.name))
        kind = type(formula).__name__
        if formula.is_Add:
            return total(map(self._formula, formula.args))
        if formula.is_Mul:
            return self._product(formula)
        if formula.is_Pow and formula.exp.is_Integer and formula.exp > 0:
            return product([self._formula(formula.base)] * int(formula.exp))
        if kind in ("FloorDiv", "CleanDiv"):
            return self._divided(*formula.args)
        if kind == "CeilToInt":
            return -self.floor_of(-formula.args[0])
        if kind in ("FloorToInt", "TruncToInt"):
            return self.floor_of(formula.args[0])
        if kind in ("Mod", "PythonMod"):
            whole, divisor = self._formula(formula.args[0]), self._divisor(formula.args[1])
            return whole - divisor * floor_div(whole, divisor)
        raise UnknownFormula(f"a size is {formula}, which no formula of a spec says: give its dimensions numbers")

    def _product(self, formula: Any) -> Size:
        """A product, one of whose factors may be a fraction that the others make whole."""
        numerator, denominator = formula.as_numer_denom()
        if denominator.is_Integer and denominator != 1:
            return floor_div(self._formula(numerator), int(denominator))
        return product(map(self._formula, formula.args))

    def floor_of(self, formula: Any) -> Size:
        """The floor of a quotient."""
        if type(formula).__name__ == "IntTrueDiv":
            return self._divided(*formula.args)
        return self._divided(*formula.as_numer_denom())

    def _divided(self, numerator: Any, denominator: Any) -> Size:
        """The floor of a quotient, whose divisor is a number, or goes without a rest: two of torch's symbols may have
        one name.
        """
        whole = self._formula(numerator)
        if denominator.is_Integer:
            return floor_div(whole, int(denominator))
        try:
            return exact_div(whole, self._formula(denominator))
        except ArithmeticError:
            return floor_div(whole, self._divisor(denominator))

    def _divisor(self, formula: Any) -> int:
        if not formula.is_Integer:
            raise UnknownFormula(f"a size is divided by {formula}, which no spec can say: give that dimension a number")
        return int(formula)
