"""Long lists of numbers as expressions: what repeats is said once."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isclose, prod
from typing import Any

from netspec.expressions import ExpressionError, UnknownError, parse
from netspec.importer.write.phrases import Formula

SHORT = 16
"""A list with no more numbers is written as it is."""
SINGLE = 1e-6
"""The relative difference of numbers that are equal but for what single precision rounds."""
MOST_PIECES = 8
"""A list is no sum of more pieces."""
MOST_LOOPS = 4
"""A list is counted in no more loops within each other."""
LONGEST_PERIOD = 64
"""A pattern that repeats is no longer."""


def spell_list(value: Any) -> Any:
    """Return nested tuples of numbers as a formula, if it is short; else as lists of formulas, or as they are."""
    if not isinstance(value, tuple) or count_numbers(value) <= SHORT:
        return value
    text = _spelled(value)
    if text is not None and _means(text, value):
        return Formula(text)
    powers = _powers(value)
    if powers is not None:
        return Formula(powers)
    return tuple(map(spell_list, value))


def _powers(value: tuple[Any, ...]) -> str | None:
    """Return an expression for the powers of a number, as of speeds that fall from 1, equal in single precision."""
    count = len(value)
    if not all(isinstance(each, float) and each > 0 for each in value) or value[0] != 1 or value[1] == 1:
        return None
    for parts in (count, count - 1):
        base = float(f"{value[-1] ** (-parts / (count - 1)):.4g}")
        wanted = [base ** (-at / parts) for at in range(count)]
        if all(isclose(one, other, rel_tol=SINGLE) for one, other in zip(value, wanted)):
            number = int(base) if base.is_integer() else base
            return f"[{number} ** (-a / {parts}) for a in range({count})]"
    return None


def count_numbers(value: Any) -> int:
    """Return how many numbers are in nested tuples, which are equally long; none where formulas stand for them."""
    count = 1
    while isinstance(value, tuple) and value:
        count, value = count * len(value), value[0]
    return 0 if isinstance(value, Formula) else count


def _means(text: str, value: Any) -> bool:
    """Return whether the language takes an expression, and gives that value."""
    try:
        return bool(_lists(parse(text).evaluate({})) == value)
    except (ExpressionError, UnknownError, ValueError):
        return False


def _lists(value: Any) -> Any:
    return tuple(map(_lists, value)) if isinstance(value, (list, tuple, range)) else value


def _spelled(value: Any) -> str | None:
    """Return an expression for a value; ``None`` where it repeats too little."""
    if not isinstance(value, tuple):
        return repr(value)
    if len(value) > 3 and all(type(each) is int for each in value):
        step = value[1] - value[0]
        if step and all(right - left == step for left, right in pairwise(value)):
            return _range(value[0], step, len(value))
        found = [text for text in (_repeated(value), _counted(value)) if text is not None]
        return min(found, key=len, default=None)
    return _by_row_and_column(value) or _triangular(value) or _repeated(value)


def _range(start: int, step: int, length: int) -> str:
    if step == 1:
        return f"range({f'{start}, ' if start else ''}{start + length})"
    return f"range({start}, {start + step * length}, {step})"


def _counted(value: Sequence[int]) -> str | None:
    """Return an expression for whole numbers that rise by the same in loops within each other."""
    loops = _loops(value)
    if not 1 < len(loops) <= MOST_LOOPS:
        return None
    half = (len(loops) + 1) // 2
    parts = dict(zip("ab", (loops[:half], loops[half:])))  # two counters, as more would take more turns
    terms = [str(value[0])] if value[0] else []
    terms += [term for letter, part in parts.items() for term in _digits(letter, part)]
    ranges = "".join(f" for {letter} in range({prod(size for size, _ in part)})" for letter, part in parts.items())
    return f"[{' + '.join(terms).replace('+ -', '- ')}{ranges}]"


def _digits(letter: str, loops: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The terms of loops that one letter counts through."""
    for at, (size, step) in enumerate(loops):
        below = prod(size for size, _ in loops[at + 1 :])
        digit = f"{letter} // {below}" if below > 1 else letter
        digit = f"{digit} % {size}" if at else digit
        factor = {1: "", -1: "-"}.get(step, f"{step} * ")
        if step:
            yield f"{factor}({digit})" if digit != letter and factor else factor + digit


def _loops(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return the loops within each other, by their lengths and steps, that give numbers, but for the first of them.

    There are too many where there are none.
    """
    if len(values) < 2:
        return []
    step, count = values[1] - values[0], 2
    while count < len(values) and values[count] - values[count - 1] == step:
        count += 1
    firsts = values[::count]
    if list(values) != [first + step * at for first in firsts for at in range(count)]:
        return [(1, 0)] * (MOST_LOOPS + 1)
    return [*_loops(firsts), (count, step)]


def _by_row_and_column(rows: tuple[Any, ...]) -> str | None:
    """Return an expression for rows whose numbers grow by the same from row to row, and from column to column."""
    widths = {len(row) if isinstance(row, tuple) else 0 for row in rows}
    if (
        len(rows) < 2
        or len(widths) != 1
        or min(widths) < 2
        or any(type(each) is not int for row in rows for each in row)
    ):
        return None
    first, down, across = rows[0][0], rows[1][0] - rows[0][0], rows[0][1] - rows[0][0]
    if not down or not across:
        return None
    for at, row in enumerate(rows):
        if any(each != first + down * at + across * column for column, each in enumerate(row)):
            return None
    terms = f"{first}" if first else ""
    for factor, name in ((down, "row"), (across, "column")):
        sign = " + " if factor > 0 else " - "
        terms += (sign if terms else sign.strip(" +")) + (name if abs(factor) == 1 else f"{abs(factor)} * {name}")
    columns = f"for column in range({len(rows[0])})"
    return f"[[{terms} {columns}] for row in range({len(rows)})]"


def _triangular(rows: tuple[Any, ...]) -> str | None:
    """Return an expression for a matrix with one number below a diagonal and another one above it, as masks are."""
    if len(rows) < 3 or not isinstance(rows[0], tuple) or not rows[0] or isinstance(rows[0][0], tuple):
        return None
    height, width, low, high = len(rows), len(rows[0]), rows[-1][0], rows[0][-1]
    first = rows[0].count(low)
    if low == high or first + height - 1 > width:
        return None
    if any(row != (low,) * (first + at) + (high,) * (width - first - at) for at, row in enumerate(rows)):
        return None
    below = f"(a + {first})" if first else "a"
    return f"[[{low!r}] * {below} + [{high!r}] * ({width - first} - a) for a in range({height})]"


def _repeated(value: tuple[Any, ...]) -> str | None:
    """Return an expression for a list as a pattern several times, or as a sum of such."""
    pieces: list[tuple[tuple[Any, ...], int]] = []
    at = 0
    while at < len(value):
        pattern, times = _best_pattern(value, at)
        if times == 1 and pieces and pieces[-1][1] == 1:
            pieces[-1] = (*pieces[-1][0], *pattern), 1
        else:
            pieces.append((pattern, times))
        at += len(pattern) * times
    if len(pieces) > MOST_PIECES:
        return None
    texts = []
    for pattern, times in pieces:
        if len(pattern) > SHORT:
            return None
        text = _pattern(pattern)
        if text is None:
            return None
        texts.append(text if times == 1 else f"({text}) * {times}" if _is_sum(text) else f"{text} * {times}")
    return " + ".join(texts)


def _is_sum(text: str) -> bool:
    """Return whether an expression is a sum, so that a factor needs it in parentheses."""
    tree = ast.parse(text, mode="eval").body
    return isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add)


def _pattern(pattern: tuple[Any, ...]) -> str | None:
    """Return an expression for a pattern, in which the same thing may stand several times in a row."""
    texts: list[list[Any]] = []
    for each in pattern:
        if texts and texts[-1][0] == each:
            texts[-1][1] += 1
        else:
            texts.append([each, 1])
    if len(texts) > MOST_PIECES and any(isinstance(each, tuple) for each in pattern):
        return None
    runs = [(_spelled(each), times) for each, times in texts]
    if any(text is None for text, _ in runs):
        return None
    if all(times == 1 for _, times in runs):
        return f"[{', '.join(text for text, _ in runs if text)}]"
    return " + ".join(f"[{text}]" if times == 1 else f"[{text}] * {times}" for text, times in runs)


def _best_pattern(value: tuple[Any, ...], start: int) -> tuple[tuple[Any, ...], int]:
    """Return the pattern that covers most of a list from a place on, and how often it stands there."""
    best: tuple[tuple[Any, ...], int] = (value[start : start + 1], 1)
    for length in range(1, min(LONGEST_PERIOD, (len(value) - start) // 2) + 1):
        pattern = value[start : start + length]
        times = 1
        while value[start + times * length : start + (times + 1) * length] == pattern:
            times += 1
        if times > 1 and times * length > len(best[0]) * best[1]:
            best = pattern, times
    return best
