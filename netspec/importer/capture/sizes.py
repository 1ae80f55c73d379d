"""Sizes of torch's symbolic shapes, which are formulas of sympy, as netspec's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from netspec.diagnostics import UsageError
from netspec.dims import Dim, Size, exact_div, floor_div, product, total
from netspec.ops.core.foreign import ForeignCall, ForeignTensor


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
        return self.formula(value.node.expr)

    def formula(self, formula: Any) -> Size:
        """Return a formula of sympy. Raises ``UnknownFormula``."""
        if formula.is_Integer:
            return int(formula)
        if formula.is_Symbol:
            return Dim.symbol(self.names.get(formula.name, formula.name))
        kind = type(formula).__name__
        if formula.is_Add:
            return total(map(self.formula, formula.args))
        if formula.is_Mul:
            return self._product(formula)
        if formula.is_Pow and formula.exp.is_Integer and formula.exp > 0:
            return product([self.formula(formula.base)] * int(formula.exp))
        if kind in ("FloorDiv", "CleanDiv"):
            return self._divided(*formula.args)
        if kind == "CeilToInt":
            return -self.floor_of(-formula.args[0])
        if kind in ("FloorToInt", "TruncToInt"):
            return self.floor_of(formula.args[0])
        if kind in ("Mod", "PythonMod"):
            whole, divisor = self.formula(formula.args[0]), self._divisor(formula.args[1])
            return whole - divisor * floor_div(whole, divisor)
        raise UnknownFormula(f"a size is {formula}, which no formula of a spec says: give its dimensions numbers")

    def _product(self, formula: Any) -> Size:
        """A product, one of whose factors may be a fraction that the others make whole."""
        numerator, denominator = formula.as_numer_denom()
        if denominator.is_Integer and denominator != 1:
            return floor_div(self.formula(numerator), int(denominator))
        return product(map(self.formula, formula.args))

    def floor_of(self, formula: Any) -> Size:
        """The floor of a quotient."""
        if type(formula).__name__ == "IntTrueDiv":
            return self._divided(*formula.args)
        return self._divided(*formula.as_numer_denom())

    def _divided(self, numerator: Any, denominator: Any) -> Size:
        """The floor of a quotient, whose divisor is a number, or goes without a rest: two of torch's symbols may have
        one name.
        """
        whole = self.formula(numerator)
        if denominator.is_Integer:
            return floor_div(whole, int(denominator))
        try:
            return exact_div(whole, self.formula(denominator))
        except ArithmeticError:
            return floor_div(whole, self._divisor(denominator))

    def _divisor(self, formula: Any) -> int:
        if not formula.is_Integer:
            raise UnknownFormula(f"a size is divided by {formula}, which no spec can say: give that dimension a number")
        return int(formula)


FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tanh")
"""The functions of a number that torch's formulas have, by ATen's names."""
ARITHMETIC = {"FloatTrueDiv": "div", "IntTrueDiv": "div", "FloatPow": "pow", "PowByNatural": "pow", "Pow": "pow"}
"""The formulas of two numbers by ATen's operators."""


class FractionReader:
    """Reads numbers that are not whole, and that sizes decide, such as 1/√H: as calls that make a tensor of each.

    ``say`` adds a call to the program.
    """

    def __init__(self, sizes: SizeReader, say: Callable[[ForeignCall], None]):
        self.sizes, self.say = sizes, say

    def tensor(self, value: Any) -> ForeignTensor:
        """Return the tensor without dimensions that holds a number of torch. Raises ``UnknownFormula``."""
        made = self._number(value.node.expr)
        assert isinstance(made, ForeignTensor)
        return made

    def _number(self, formula: Any) -> Any:
        """A formula's value: a plain number, or a tensor."""
        if formula.is_number:
            return int(formula) if formula.is_Integer else float(formula)
        kind = type(formula).__name__
        if formula.is_Symbol or kind == "ToFloat":
            return self._size(formula if formula.is_Symbol else formula.args[0])
        if formula.is_Add or formula.is_Mul:
            return reduce(lambda left, right: self._of_two("add" if formula.is_Add else "mul", left, right),
                          map(self._number, formula.args[::-1]))  # fmt: skip
        if kind in ARITHMETIC:
            return self._of_two(ARITHMETIC[kind], *map(self._number, formula.args))
        if (name := kind.removeprefix("OpaqueUnaryFn_")) in FUNCTIONS:
            return self._made(name, {"self": self._number(formula.args[0])})
        raise UnknownFormula(f"a number is {formula}, which no spec can say: give its dimensions numbers")

    def _size(self, formula: Any) -> ForeignTensor:
        """A size as a tensor of one number."""
        size = self.sizes.formula(formula)
        whole = ForeignTensor((1,), "int64")
        self.say(ForeignCall("arange", {"start": size, "end": size + 1}, (whole,)))
        single = ForeignTensor((), "int64")
        self.say(ForeignCall("squeeze", {"self": whole, "dim": 0}, (single,)))
        return self._made("to", {"self": single, "dtype": "float32"})

    def _of_two(self, name: str, left: Any, right: Any) -> ForeignTensor:
        return self._made(name, {"self": left, "exponent" if name == "pow" else "other": right})

    def _made(self, name: str, arguments: Mapping[str, Any]) -> ForeignTensor:
        output = ForeignTensor((), "float32")
        self.say(ForeignCall(name, arguments, (output,)))
        return output
