"""Values: the operators and functions, which raise ``Refusal`` where a value does not fit."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from typing import Any

from netspec.dims import Dim, InexactError, UndecidedError, pretty, same
from netspec.expressions.base import (
    MAX_DIGITS,
    MAX_DIM_POWER,
    MAX_INTEGER,
    MAX_ITEMS,
    MAX_NODES,
    MAX_RANGE,
    Refusal,
)


def show(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, Dim):
        return f"the symbolic size {pretty(value)}"
    if isinstance(value, str):
        return f'the string "{value[:40]}"'
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _is_number(value: Any) -> bool:
    """Booleans are no numbers."""
    return type(value) is int or type(value) is float or isinstance(value, Dim)


def bounded(value: Any) -> Any:
    """A number within the bounds; anything else as it is."""
    if type(value) is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise Refusal("the number exceeds 2**53")
    if type(value) is float and not math.isfinite(value):
        raise Refusal("the number is not finite")
    if isinstance(value, Dim) and any(abs(coefficient) > MAX_INTEGER for coefficient in value.terms.values()):
        raise Refusal("the size has a factor that exceeds 2**53")
    return value


def _weight(value: Any) -> int:
    """Return how many items a value holds, lists in lists counted through; counting ends at the bound."""
    total, left = 0, [value]
    while left:
        item = left.pop()
        total += 1
        if isinstance(item, (list, tuple)):
            if total + len(item) > MAX_RANGE + 1:
                raise Refusal(f"the list has more than {MAX_RANGE} items")
            left.extend(item)
    return total - 1


def listed(items: Sequence[Any]) -> list[Any]:
    """A list of bounded weight; lists that hold no lists are bounded by how they were made."""
    if any(isinstance(item, (list, tuple)) for item in items):
        _weight(items)
    return list(items)


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if _weight(a) + _weight(b) > MAX_ITEMS:
            raise Refusal(f"the list has more than {MAX_ITEMS} items")
        return [*a, *b]
    return _calculate("+", operator.add, a, b)


def _multiply(a: Any, b: Any) -> Any:
    items, count = (b, a) if isinstance(b, (list, tuple)) else (a, b)
    if isinstance(items, (list, tuple)) and type(count) is int:
        if _weight(items) * count > MAX_ITEMS:
            raise Refusal(f"the list has more than {MAX_ITEMS} items")
        return list(items) * count
    return _calculate("*", operator.mul, a, b)


def _divide(a: Any, b: Any) -> Any:
    for size in (a, b):
        if isinstance(size, Dim):
            repair = "`a // b` rounds down, `(a + b - 1) // b` rounds up"
            raise Refusal(f"`/` takes known numbers, and this is {show(size)}", repair)
    return _calculate("/", operator.truediv, a, b)


def _remainder(a: Any, b: Any) -> Any:
    if isinstance(b, Dim):
        raise Refusal(f"`%` divides by a known number, and this is {show(b)}")
    return _calculate("%", operator.mod, a, b)


def _power(a: Any, b: Any) -> Any:
    if isinstance(b, Dim):
        raise Refusal(f"an exponent must be a known number, and this is {show(b)}")
    if isinstance(a, Dim) and not (type(b) is int and 0 <= b <= MAX_DIM_POWER):
        raise Refusal(f"the exponent of a symbolic size must be an integer from 0 to {MAX_DIM_POWER}")
    if type(a) is int and type(b) is int and abs(a) > 1 and (a.bit_length() - 1) * b > MAX_INTEGER.bit_length():
        raise Refusal("the number exceeds 2**53")
    return _calculate("**", operator.pow, a, b)


def _calculate(symbol: str, apply: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Arithmetic on numbers, and on symbolic sizes with whole numbers."""
    for value, other in ((a, b), (b, a)):
        if not _is_number(value):
            raise Refusal(f"`{symbol}` takes numbers, and this is {show(value)}")
        if isinstance(value, Dim) and type(other) is float:
            raise Refusal(f"{show(value)} can only be combined with integers, and this is {other}")
    try:
        result = apply(a, b)
    except InexactError as found:
        raise Refusal(str(found)) from None
    except ZeroDivisionError:
        divides = isinstance(a, Dim) and b != 0
        raise Refusal("a size can only be divided by a positive number" if divides else "division by zero") from None
    except OverflowError as found:
        raise Refusal(str(found) if isinstance(a, Dim) else "the number is not finite") from None
    if isinstance(result, complex):
        raise Refusal("root of a negative number")
    return bounded(result)


def _equal(a: Any, b: Any) -> bool:
    """Python's equality, with symbolic sizes compared whatever their symbols are."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and not _some(lambda pair: not _equal(*pair), zip(a, b))
    if isinstance(a, Dim) or isinstance(b, Dim):
        a, b = (int(side) if type(side) is float and side.is_integer() else side for side in (a, b))
        whole = all(type(side) is int or isinstance(side, Dim) for side in (a, b))
        return whole and same(a, b)
    return bool(a == b)


def _some(test: Callable[[Any], bool], items: Iterable[Any]) -> bool:
    """Return whether the test holds for an item; undecided only where no other item decides it."""
    undecided: UndecidedError | None = None
    for item in items:
        try:
            if test(item):
                return True
        except UndecidedError as found:
            undecided = found
    if undecided:
        raise undecided
    return False


def _contains(item: Any, items: Any) -> bool:
    if isinstance(items, (list, tuple)):
        return _some(lambda other: _equal(item, other), items)
    if isinstance(items, str) and isinstance(item, str):
        return item in items
    raise Refusal(f"`in` searches a list, and this is {show(items)}")


def _ordered(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison of numbers; of symbolic sizes where their difference is known."""

    def run(a: Any, b: Any) -> bool:
        for value in (a, b):
            if not _is_number(value):
                raise Refusal(f"`{symbol}` compares numbers, and this is {show(value)}")
        if not isinstance(a, Dim) and not isinstance(b, Dim):
            return compare(a, b)
        if type(a) is float or type(b) is float:
            raise Refusal(f"`{symbol}` compares a symbolic size with integers only")
        difference = a - b
        if isinstance(difference, Dim):
            names = ", ".join(sorted(difference.symbols))
            raise UndecidedError(f"whether {pretty(a)} {symbol} {pretty(b)} depends on {names}")
        return compare(difference, 0)

    return run


def _extreme(name: str, before: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    """``min`` or ``max`` of several numbers or of one list."""

    def run(*values: Any) -> Any:
        items = _items(name, values[0]) if len(values) == 1 else values
        if not items:
            raise Refusal(f"`{name}` of an empty list")
        best, *others = items
        if not _is_number(best):
            raise Refusal(f"`{name}` compares numbers, and this is {show(best)}")
        for item in others:
            if before(item, best):
                best = item
        return best

    return run


def _items(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise Refusal(f"`{name}` takes a list, and this is {show(value)}")
    return value


def _known(name: str, value: Any, *, whole: bool = False) -> Any:
    if isinstance(value, Dim):
        raise Refusal(f"`{name}` takes known numbers, and this is {show(value)}")
    if not _is_number(value) or (whole and type(value) is not int):
        raise Refusal(f"`{name}` takes {'whole ' if whole else ''}numbers, and this is {show(value)}")
    return value


def _whole(name: str, apply: Callable[[Any], int]) -> Callable[[Any], Any]:
    """``ceil`` or ``floor``; a symbolic size is whole already."""

    def run(value: Any) -> Any:
        return value if isinstance(value, Dim) else apply(bounded(_known(name, value)))

    return run


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None and abs(_known("round", digits, whole=True)) > MAX_DIGITS:
        raise Refusal(f"`round` keeps at most {MAX_DIGITS} digits")
    return value if isinstance(value, Dim) else round(bounded(_known("round", value)), digits)


def _real(name: str, apply: Callable[..., float]) -> Callable[..., float]:
    """``sqrt``, ``exp`` or ``log`` of known numbers."""

    def run(*values: Any) -> float:
        try:
            return apply(*[bounded(_known(name, value)) for value in values])
        except ValueError:
            wanted = "numbers of at least 0" if name == "sqrt" else "positive numbers"
            raise Refusal(f"`{name}` takes {wanted}, and this is {', '.join(map(show, values))}") from None
        except ZeroDivisionError:
            raise Refusal("`log` takes a base other than 1") from None
        except OverflowError:
            raise Refusal("the number is not finite") from None

    return run


def _divisible(value: Any, divisor: Any, least: Any = None) -> int:
    """Return the multiple of ``divisor`` nearest to ``value``, but at least ``least`` and nine tenths of ``value``."""
    value = bounded(_known("make_divisible", value))
    if _known("make_divisible", divisor, whole=True) < 1:
        raise Refusal(f"`make_divisible` divides by a positive number, and this is {show(divisor)}")
    least = divisor if least is None else _known("make_divisible", least, whole=True)
    made: int = max(least, int(value + divisor / 2) // divisor * divisor)
    return made if made >= 0.9 * value else made + divisor


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(_items("len", value))


def _sum(items: Any) -> Any:
    if any(isinstance(item, Dim) for item in _items("sum", items)):
        return reduce(_add, items)
    return sum(_known("sum", item) for item in items)


def _range(*bounds: Any) -> list[int]:
    if len(bounds) == 3 and bounds[2] == 0:
        raise Refusal("`range` takes a nonzero step")
    numbers = range(*(_known("range", bound, whole=True) for bound in bounds))
    if len(numbers) > MAX_RANGE:
        raise Refusal(f"`range` gives {len(numbers)} numbers; at most {MAX_RANGE} are allowed")
    return list(numbers)


def item_of(items: Any, index: Any) -> Any:
    """Return ``items[index]``, counted from 0; a negative index counts from the end. Raises ``Refusal``."""
    if not isinstance(items, (list, tuple, str)):
        raise Refusal(f"only a list has items, and this is {show(items)}")
    if type(index) is not int:
        raise Refusal(f"an index must be an integer, and this is {show(index)}")
    if not -len(items) <= index < len(items):
        raise Refusal(f"index {index} is out of range for {show(items)}")
    return items[index]


def slice_of(items: Any, *bounds: Any) -> Any:
    """Return ``items[start:stop:step]``. Raises ``Refusal`` where it has no items, or a bound is no integer."""
    if not isinstance(items, (list, tuple, str)):
        raise Refusal(f"only a list has items, and this is {show(items)}")
    for bound in bounds:
        if bound is not None and type(bound) is not int:
            raise Refusal(f"the bound of a slice must be an integer, and this is {show(bound)}")
    if bounds[2] == 0:
        raise Refusal("a slice takes a nonzero step")
    part = items[slice(*bounds)]
    return part if isinstance(part, str) else list(part)


def _signed(symbol: str, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if not _is_number(value):
            raise Refusal(f"`{symbol}` takes numbers, and this is {show(value)}")
        return apply(value)

    return run


# Each function with the least and the most arguments that it takes.
TABLE: dict[str, tuple[Callable[..., Any], int, int]] = {
    "min": (_extreme("min", _ordered("<", operator.lt)), 1, MAX_NODES),
    "max": (_extreme("max", _ordered(">", operator.gt)), 1, MAX_NODES),
    "ceil": (_whole("ceil", math.ceil), 1, 1),
    "floor": (_whole("floor", math.floor), 1, 1),
    "round": (_round, 1, 2),
    "abs": (lambda value: abs(_known("abs", value)), 1, 1),
    "sqrt": (_real("sqrt", math.sqrt), 1, 1),
    "exp": (_real("exp", math.exp), 1, 1),
    "log": (_real("log", math.log), 1, 2),
    "make_divisible": (_divisible, 2, 3),
    "len": (_length, 1, 1),
    "sum": (_sum, 1, 1),
    "range": (_range, 1, 3),
    "reversed": (lambda value: list(reversed(_items("reversed", value))), 1, 1),
}
FUNCTIONS = frozenset(TABLE)

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _add,
    ast.Sub: partial(_calculate, "-", operator.sub),
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.FloorDiv: partial(_calculate, "//", operator.floordiv),
    ast.Mod: _remainder,
    ast.Pow: _power,
}
# What needs no checks on two known integers but for the bound of the result.
QUICK: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: _signed("-", operator.neg),
    ast.UAdd: _signed("+", lambda value: value),
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda a, b: not _equal(a, b),
    ast.Lt: _ordered("<", operator.lt),
    ast.LtE: _ordered("<=", operator.le),
    ast.Gt: _ordered(">", operator.gt),
    ast.GtE: _ordered(">=", operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda a, b: not _contains(a, b),
}


# --- building: a checked tree becomes nested closures, once ---
