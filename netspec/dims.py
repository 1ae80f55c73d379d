"""Symbolic dimensions: exact integer arithmetic over names, printable as a person would write it.

A size is an ``int`` where it is known and a ``Dim`` where it is not. A ``Dim`` is a polynomial with integer
coefficients over atoms; an atom is a symbol (``N``, ``H``) or a floor division (``⌊(H + 1)/2⌋``). Arithmetic
keeps a canonical form, so that equal sizes compare equal: nested floors merge
(``⌊(⌊(H + 1)/2⌋ + 1)/2⌋`` is ``⌊(H + 3)/4⌋``, printed ``⌈H/4⌉``) and whatever turns out constant is an ``int``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Union, overload

Size = Union[int, "Dim"]
Shape = tuple[Size, ...]
Monomial = tuple[tuple["Atom", int], ...]

MAX_TERMS, MAX_DEPTH, MAX_DIVISIONS = 256, 100, 1000
"""The most terms of a product of sums, the most divisions inside each other, and the most that one may hold."""


class UndecidedError(Exception):
    """A comparison of symbolic sizes that holds for some values of the symbols and not for others."""


class InexactError(ArithmeticError):
    """A division of sizes that has no exact symbolic result."""


class TooComplexError(OverflowError):
    """A symbolic size beyond what anybody could read, or any machine should compute."""


class Floor:
    """The atom ``⌊numerator/divisor⌋``; made by ``floor_div`` alone, which normalises.

    ``depth`` and ``count`` say how deep divisions stand in it and how many it holds, itself included; ``order`` is
    what sorts the atoms of a product.
    """

    __slots__ = ("_hash", "count", "depth", "divisor", "numerator", "order")

    def __init__(self, numerator: Dim, divisor: int):
        self.numerator = numerator
        self.divisor = divisor
        inner = [atom for term in numerator.terms for atom, _ in term if isinstance(atom, Floor)]
        self.depth: int = 1 + max((atom.depth for atom in inner), default=0)
        self.count: int = 1 + sum(atom.count for atom in inner)
        if self.depth > MAX_DEPTH or self.count > MAX_DIVISIONS:
            many = f"{MAX_DEPTH} nested divisions" if self.depth > MAX_DEPTH else f"{MAX_DIVISIONS} divisions"
            raise TooComplexError(f"a symbolic size of more than {many}")
        self._hash = hash((numerator, divisor))
        self.order = _atom_text(self, ASCII)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Floor) and (self.divisor, self.numerator) == (other.divisor, other.numerator)

    def __hash__(self) -> int:
        return self._hash


Atom = Union[str, Floor]


class Dim:
    """A size that depends on symbolic dimensions. Immutable, hashable, never constant."""

    def __init__(self, terms: Mapping[Monomial, int]):
        self.terms = dict(terms)
        self._hash = 0  # not known before it is asked for: most sizes only lead to others

    @staticmethod
    def symbol(name: str) -> Dim:
        """Return the size that a symbolic dimension stands for."""
        return Dim({((name, 1),): 1})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and (self is other or (hash(self) == hash(other) and self.terms == other.terms))

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __add__(self, other: Size) -> Size:
        terms = dict(self.terms)
        for monomial, coefficient in _terms(other).items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _size(terms)

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, int):
            return Dim({monomial: other * a for monomial, a in self.terms.items()}) if other else 0
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                product = _multiply(left, right)
                terms[product] = terms.get(product, 0) + a * b
            if len(terms) > MAX_TERMS and isinstance(other, Dim) and len(other.terms) > 1:
                raise TooComplexError(f"a symbolic size of more than {MAX_TERMS} terms")
        return _size(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __pow__(self, power: int) -> Size:
        result: Size = 1
        for _ in range(power):
            result = result * self
        return result

    def __floordiv__(self, divisor: Size) -> Size:
        return floor_div(self, divisor) if isinstance(divisor, int) else exact_div(self, divisor)

    def __rfloordiv__(self, numerator: Size) -> Size:
        return exact_div(numerator, self)

    def __mod__(self, divisor: int) -> Size:
        return self - floor_div(self, divisor) * divisor

    def __repr__(self) -> str:
        return f"Dim({spell(self)})"

    def __str__(self) -> str:
        return pretty(self)

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The names it depends on."""
        names: set[str] = set()
        for monomial in self.terms:
            for atom, _ in monomial:
                names |= {atom} if isinstance(atom, str) else atom.numerator.symbols
        return frozenset(names)


def _terms(size: Size) -> Mapping[Monomial, int]:
    return size.terms if isinstance(size, Dim) else {(): size}


def _size(terms: dict[Monomial, int]) -> Size:
    """The canonical size: no zero terms, and a plain integer where nothing symbolic is left."""
    terms = {monomial: coefficient for monomial, coefficient in terms.items() if coefficient}
    return Dim(terms) if len(terms) > (() in terms) else terms.get((), 0)


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=_order))


def _order(item: tuple[Atom, int]) -> str:
    atom = item[0]
    return atom if isinstance(atom, str) else atom.order


@overload
def total(sizes: Iterable[int]) -> int: ...
@overload
def total(sizes: Iterable[Size]) -> Size: ...
def total(sizes: Iterable[Size]) -> Size:
    """The sum of any number of sizes, in time that grows with their terms alone."""
    terms: dict[Monomial, int] = {}
    for size in sizes:
        for monomial, coefficient in _terms(size).items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
    return _size(terms)


def product(sizes: Iterable[Size]) -> Size:
    """The number of elements of a shape."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def floor_div(size: Size, divisor: int) -> Size:
    """``⌊size/divisor⌋`` for a positive divisor, in canonical form."""
    if divisor <= 0:
        raise ZeroDivisionError("a size can only be divided by a positive number")
    if isinstance(size, int):
        return size // divisor
    if all(coefficient < 0 for monomial, coefficient in size.terms.items() if monomial):
        return -ceil_div(-size, divisor)  # ⌊−A/d⌋ = −⌈A/d⌉
    shrink = math.gcd(divisor, *(coefficient for monomial, coefficient in size.terms.items() if monomial))
    if shrink > 1:  # ⌊(g·A + c)/(g·d)⌋ = ⌊(A + ⌊c/g⌋)/d⌋, as A is whole
        size = _size({monomial: coefficient // shrink for monomial, coefficient in size.terms.items()})
        divisor //= shrink
    if divisor == 1 or isinstance(size, int):
        return size // divisor if isinstance(size, int) else size
    whole, left = _divided(size, divisor)
    rest = _size(left)
    if isinstance(rest, int):
        return _size(whole)
    for monomial, coefficient in rest.terms.items():
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0][0], Floor) and monomial[0][1] == 1:
            inner = monomial[0][0]  # ⌊(⌊A/m⌋ + B)/d⌋ = ⌊(A + m·B)/(m·d)⌋
            others = rest - Dim({monomial: 1})
            return _size(whole) + floor_div(inner.numerator + others * inner.divisor, inner.divisor * divisor)
    return _size(whole) + Dim({((Floor(rest, divisor), 1),): 1})


def _divided(size: Dim, divisor: int) -> tuple[dict[Monomial, int], dict[Monomial, int]]:
    """Return the terms that come out of a floor whole, and those that are left in it.

    Of a floor within only a multiple of the divisor comes out, not a part: nested floors would double at every level.
    """
    whole, left = {}, {}
    for monomial, coefficient in size.terms.items():
        nested = any(isinstance(atom, Floor) for atom, _ in monomial)
        if nested and coefficient % divisor:
            left[monomial] = coefficient
        else:
            whole[monomial], left[monomial] = divmod(coefficient, divisor)
    return whole, left


def ceil_div(size: Size, divisor: int) -> Size:
    """``⌈size/divisor⌉`` for a positive divisor."""
    return floor_div(size + (divisor - 1), divisor)


def exact_div(size: Size, divisor: Size) -> Size:
    """``size/divisor`` where it is whole whatever the symbols are; else ``InexactError``."""
    if size == divisor:
        return 1
    parts = _terms(divisor)
    if len(parts) != 1 or divisor == 0:
        raise InexactError(f"{pretty(size)} is not a multiple of {pretty(divisor)}")
    ((below, by),) = parts.items()
    terms: dict[Monomial, int] = {}
    for monomial, coefficient in _terms(size).items():
        powers = dict(monomial)
        for atom, power in below:
            powers[atom] = powers.get(atom, 0) - power
        if coefficient % by or any(power < 0 for power in powers.values()):
            raise InexactError(f"{pretty(size)} is not a multiple of {pretty(divisor)}")
        terms[tuple(item for item in powers.items() if item[1])] = coefficient // by
    return _size(terms)


def same(left: Size, right: Size) -> bool:
    """Return whether two sizes are equal whatever the symbols are; ``UndecidedError`` where it depends on them."""
    if left == right:
        return True
    difference = left - right
    if isinstance(difference, int):
        return difference == 0
    raise UndecidedError(
        f"whether {pretty(left)} equals {pretty(right)} depends on {', '.join(sorted(difference.symbols))}"
    )


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """The number that a size is when its symbols have these values."""
    if isinstance(size, int):
        return size
    total = 0
    for monomial, coefficient in size.terms.items():
        for atom, power in monomial:
            value = sizes[atom] if isinstance(atom, str) else evaluate(atom.numerator, sizes) // atom.divisor
            coefficient *= value**power
        total += coefficient
    return total


def substitute(size: Size, sizes: Mapping[str, int]) -> Size:
    """The size where these symbols have these values, and the others stay."""
    if isinstance(size, int) or size.symbols.isdisjoint(sizes):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms.items():
        term: Size = coefficient
        for atom, power in monomial:
            if isinstance(atom, str):
                value: Size = sizes.get(atom, Dim.symbol(atom))
            else:
                value = floor_div(substitute(atom.numerator, sizes), atom.divisor)
            for _ in range(power):
                term = term * value
        total = total + term
    return total


def evaluate_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the numbers of a shape when its symbols have these values. Raises ``KeyError`` where one has none."""
    return tuple(evaluate(size, sizes) for size in shape)


def symbols(shape: Iterable[Size]) -> frozenset[str]:
    """The symbols that a shape depends on."""
    return frozenset().union(*(size.symbols for size in shape if isinstance(size, Dim)))


class _Style:
    """The spelling of sizes: for people (``4·⌊H/16⌋``) or for machines (``4*floor(H/16)``)."""

    def __init__(self, times: str, floor: tuple[str, str], ceil: tuple[str, str], minus: str, powers: bool):
        self.times, self.floor, self.ceil, self.minus, self.powers = times, floor, ceil, minus, powers


UNICODE = _Style("·", ("⌊", "⌋"), ("⌈", "⌉"), " − ", True)
ASCII = _Style("*", ("floor(", ")"), ("ceil(", ")"), " - ", False)
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LONGEST_TEXT = 120


def pretty(size: Size) -> str:
    """For people: ``⌈H/2⌉``, ``4·⌊H/16⌋``, ``H·W``; of what is too long to be read, the two ends."""
    text = str(size) if isinstance(size, int) else _sum_text(size, UNICODE)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]}…{text[-LONGEST_TEXT // 4 :]}"


def spell(size: Size) -> str:
    """For files: ``ceil(H/2)``, ``4*floor(H/16)``, ``H*W``."""
    return str(size) if isinstance(size, int) else _sum_text(size, ASCII)


def pretty_shape(shape: Shape) -> str:
    """For messages: ``[N, 64, ⌈H/2⌉, ⌈W/2⌉]``."""
    return "[" + ", ".join(pretty(size) for size in shape) + "]"


def times_shape(shape: Shape) -> str:
    """For tables and diagrams: ``N×64×⌈H/2⌉×⌈W/2⌉``; a lone size stays alone, a scalar is ``()``."""
    return "×".join(f"({text})" if " " in _BRACKETED.sub("", text) else text for text in map(pretty, shape)) or "()"


_BRACKETED = re.compile(r"[⌊⌈].*[⌋⌉](?=[^⌋⌉]*$)")


def plain_shape(shape: Shape) -> list[int | str]:
    """For JSON: ``["N", 64, "ceil(H/2)", "ceil(W/2)"]``."""
    return [size if isinstance(size, int) else spell(size) for size in shape]


def _sum_text(size: Dim, style: _Style) -> str:
    constant = size.terms.get((), 0)
    rest = {monomial: coefficient for monomial, coefficient in size.terms.items() if monomial}
    if constant and len(rest) == 1:
        ((monomial, coefficient),) = rest.items()
        atom, power = monomial[0]
        if coefficient == 1 and len(monomial) == 1 and power == 1 and isinstance(atom, Floor) and not _is_ceil(atom):
            shifted = atom.numerator + constant * atom.divisor  # ⌊A/d⌋ + c reads better as ⌊(A + c·d)/d⌋
            return _division_text(shifted, atom.divisor, style.floor, style)
    texts = sorted(
        ((term_text(monomial, abs(coefficient), style), coefficient < 0) for monomial, coefficient in rest.items()),
        key=lambda item: (item[1], item[0]),
    )
    if constant:
        texts.append((str(abs(constant)), constant < 0))
    first, negative = texts[0]
    text = f"-{first}" if negative else first
    return text + "".join((style.minus if minus else " + ") + term for term, minus in texts[1:])


def term_text(monomial: Monomial, coefficient: int, style: _Style) -> str:
    """Return a term of a sum: ``4·H·W²``, or ``4*H*W**2``, by the style."""
    factors = [] if coefficient == 1 else [str(coefficient)]
    for atom, power in monomial:
        text = _atom_text(atom, style)
        if power > 1:
            text += str(power).translate(_SUPERSCRIPT) if style.powers else f"**{power}"
        factors.append(text)
    return style.times.join(factors)


def _is_ceil(atom: Floor) -> bool:
    return atom.numerator.terms.get((), 0) == atom.divisor - 1


def _atom_text(atom: Atom, style: _Style) -> str:
    if isinstance(atom, str):
        return atom
    if _is_ceil(atom):
        return _division_text(atom.numerator - (atom.divisor - 1), atom.divisor, style.ceil, style)
    return _division_text(atom.numerator, atom.divisor, style.floor, style)


def _division_text(numerator: Size, divisor: int, brackets: tuple[str, str], style: _Style) -> str:
    text = str(numerator) if isinstance(numerator, int) else _sum_text(numerator, style)
    inner = f"({text.replace(' ', '')})" if " " in text else text
    return f"{brackets[0]}{inner}/{divisor}{brackets[1]}"
