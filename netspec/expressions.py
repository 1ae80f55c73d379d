"""The little expression language of a spec: ``4 * width``, ``2 if i > 0 else 1``, ``layer{i + 1}``.

Python's own syntax, cut down to arithmetic over names, so that whoever reads Python reads a spec. A text is split
into words and bounded first, then parsed by ``ast.parse``, then built once into nested closures: nothing of a spec
is ever given to ``eval``. What is accepted means what it means in Python, with two additions: sizes may be symbolic
(``Dim``), and tuples are lists.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial, reduce
from typing import Any

from netspec.diagnostics import did_you_mean
from netspec.dims import Dim, InexactError, UndecidedError, pretty, same

MAX_CHARACTERS = 512
MAX_BRACKETS = 32
MAX_UNARY = 16
MAX_NODES = 128
MAX_INTEGER = 2**53
MAX_ITEMS = 10_000
MAX_RANGE = 20_000
MAX_DIM_POWER = 16
MAX_DIGITS = 20
MAX_TEXT = 4096

Environment = Mapping[str, Any]
Evaluator = Callable[[Environment], Any]


class ExpressionError(Exception):
    """A fault in an expression, from character ``start`` to ``end`` of its text."""

    def __init__(self, message: str, start: int, end: int, help: str | None = None):
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help

    def moved(self, offset: int) -> ExpressionError:
        """The same fault in a text where the expression starts at ``offset``."""
        return ExpressionError(self.message, self.start + offset, self.end + offset, self.help)


class Expression:
    """A checked expression: ``names`` are the names that it reads, functions not among them."""

    __slots__ = ("_run", "names", "text")

    def __init__(self, text: str, names: frozenset[str], run: Evaluator):
        self.text, self.names, self._run = text, names, run

    def evaluate(self, env: Environment) -> Any:
        """Its value where the names have these values: int, float, bool, str, list or ``Dim``."""
        return self._run(env)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


class Template:
    """A text with expressions in braces; ``constant`` where it holds none."""

    __slots__ = ("constant", "names", "pieces", "text")

    def __init__(self, text: str, pieces: tuple[str | tuple[int, Expression], ...]):
        self.text, self.pieces = text, pieces
        expressions = [piece[1] for piece in pieces if not isinstance(piece, str)]
        self.names = frozenset[str]().union(*(expression.names for expression in expressions))
        self.constant = not expressions

    def evaluate(self, env: Environment) -> str:
        """The text with the value of each expression in its place."""
        out = "".join(piece if isinstance(piece, str) else self._fill(*piece, env) for piece in self.pieces)
        if len(out) > MAX_TEXT and not self.constant:
            raise ExpressionError(f"the text grows beyond {MAX_TEXT} characters", 0, len(self.text))
        return out

    def _fill(self, start: int, expression: Expression, env: Environment) -> str:
        try:
            value = expression.evaluate(env)
        except ExpressionError as found:
            raise found.moved(start) from None
        if type(value) not in (int, float, str):
            end = start + len(expression.text)
            raise ExpressionError(f"braces hold a number or a text, and this is {_show(value)}", start, end)
        return str(value)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression that a text holds; ``ExpressionError`` at the first thing in it that is not allowed."""
    _check_words(text)
    plain = re.sub(r"[\t\r\n]", " ", text)
    offset = len(plain) - len(plain.lstrip())
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except SyntaxError as found:
        raise _syntax_error(text, offset, found) from None
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    if len(nodes) > MAX_NODES:
        raise ExpressionError(
            f"the expression has {len(nodes)} parts, {MAX_NODES} are allowed", 0, len(text), "compute a part as a param"
        )
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = frozenset(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    return Expression(text, names, _Builder(offset).build(tree))


@lru_cache(maxsize=4096)
def parse_template(text: str) -> Template:
    """The text with its ``{expressions}`` parsed; ``{{`` and ``}}`` stand for the braces themselves."""
    pieces: list[str | tuple[int, Expression]] = []
    place = 0
    for found in _TEMPLATE.finditer(text):
        pieces.append(text[place : found.start()])
        place = found.end()
        match found.group():
            case "{{" | "}}" as doubled:
                pieces.append(doubled[0])
            case "{":
                raise ExpressionError("`{` is never closed", found.start(), place, "write `{{` for a brace itself")
            case "}":
                raise ExpressionError("`}` closes nothing", found.start(), place, "write `}}` for a brace itself")
            case held:
                if text[: found.start()].endswith("$"):
                    raise ExpressionError("`$` before a brace", found.start() - 1, place, f"write `{held}` without `$`")
                try:
                    pieces.append((found.start() + 1, parse(held[1:-1])))
                except ExpressionError as fault:
                    raise fault.moved(found.start() + 1) from None
    pieces.append(text[place:])
    return Template(text, tuple(piece for piece in pieces if piece))


# A quoted text inside braces may hold braces of its own.
_TEMPLATE = re.compile(r"""\{\{|\}\}|\{(?:'[^']*'|"[^"]*"|[^{}'"])*\}|\{|\}""")


# --- words: what is checked before Python's parser sees the text ---

_WORD = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<number>0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
        | (?:[0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>'[^'\\\r\n]*' | "[^"\\\r\n]*")
    | (?P<open>[(\[]) | (?P<close>[)\]])
    | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>,:])""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "True", "False"})
_PAIRS = {"(": ")", "[": "]"}
_INSTEAD = {
    "=": "`==` compares; functions take no keywords",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "^": "a power is `**`",
    "{": "write the bare expression, without braces",
    "$": "write the bare name, without `$`",
    "?": "write `a if condition else b`",
    "for": "there are no comprehensions; `range`, `[x] * n` and `+` make lists",
    "is": "write `==`",
    "None": "leave the key out where there is no value",
    "lambda": "there are no functions to define; add a param instead",
}


def _check_words(text: str) -> None:
    """Refuses what is too long, too deep, or no word of the language; brackets and quotes are closed afterwards."""
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text)} characters, {MAX_CHARACTERS} are allowed"
        raise ExpressionError(message, MAX_CHARACTERS, len(text), "compute a part of it as a param")
    if not text.strip(" \t\r\n"):
        raise ExpressionError("the expression is empty", 0, len(text))
    brackets: list[tuple[str, int]] = []
    unary = place = 0
    before = last = "space"
    while place < len(text):
        found = _WORD.match(text, place)
        if not found:
            raise _no_word(text, place)
        kind, word, end = found.lastgroup or "", found.group(), found.end()
        if kind in ("name", "string", "number") and before in ("name", "number"):
            start = _word_start(text, place)
            help = "write 12_000_000 for 12M" if before == "number" else "a text has no prefix; put a space between"
            raise ExpressionError(f"`{text[start:end]}` runs two words together", start, end, help)
        if kind == "name" and keyword.iskeyword(word) and word not in _KEYWORDS:
            raise ExpressionError(f"`{word}` is not part of an expression", place, end, _INSTEAD.get(word))
        if kind == "string" and text[end : end + 1] == word[0]:
            raise ExpressionError("a text takes one quote on each side", place, end + 1)
        if kind == "open":
            brackets.append((word, place))
            if len(brackets) > MAX_BRACKETS:
                raise ExpressionError(f"brackets are nested more than {MAX_BRACKETS} deep", place, end)
        elif kind == "close":
            if not brackets or _PAIRS[brackets[-1][0]] != word:
                raise ExpressionError(f"`{word}` closes nothing", place, end)
            brackets.pop()
        elif word == ":" and (not brackets or brackets[-1][0] != "["):
            raise ExpressionError("`:` stands only between the bounds of a slice, as in `sizes[1:]`", place, end)
        if kind != "space":
            unary = unary + 1 if word in ("+", "-", "not") else 0
            if unary > MAX_UNARY:
                raise ExpressionError(f"more than {MAX_UNARY} signs in a row", place, end)
            last = "operator" if word in _KEYWORDS - {"True", "False"} else kind
        before, place = kind, end
    if brackets:
        bracket, start = brackets[-1]
        raise ExpressionError(f"`{bracket}` is never closed", start, start + 1)
    if last == "operator" and not text.rstrip().endswith(","):
        raise ExpressionError("the expression ends too early", 0, len(text), "a part is missing at its end")


def _word_start(text: str, place: int) -> int:
    while place and (text[place - 1].isalnum() or text[place - 1] in "_."):
        place -= 1
    return place


def _no_word(text: str, place: int) -> ExpressionError:
    """What to say about a character that starts no word."""
    character = text[place]
    if character in "'\"":
        rest = text[place:].split("\n", 1)[0]
        if "\\" in rest:
            return ExpressionError("a text in an expression holds no backslash", place, place + len(rest))
        return ExpressionError("the quote is never closed", place, place + len(rest))
    if character == ".":
        attribute = re.compile(r"\.\s*\w*").match(text, place)
        end = attribute.end() if attribute else place + 1
        return ExpressionError("there is no attribute access in an expression", place, end, "write a name or x[0]")
    if not character.isprintable() or not character.isascii():
        what = f"U+{ord(character):04X}" + (f" `{character}`" if character.isprintable() else "")
        return ExpressionError(f"an expression is plain ASCII; here is {what}", place, place + 1)
    help = _INSTEAD.get(character)
    return ExpressionError(f"`{character}` has no meaning in an expression", place, place + 1, help)


def _syntax_error(text: str, offset: int, found: SyntaxError) -> ExpressionError:
    """Python's own complaint, in words that fit a text of one line."""
    start = min(offset + max((found.offset or 1) - 1, 0), len(text.rstrip()))
    word = _WORD.match(text, start)
    if not word:
        return ExpressionError("the expression is not complete", 0, len(text))
    end = word.end()
    if "leading zeros" in found.msg:
        return ExpressionError("a number has no leading zeros", start, end, "write 10 for 010, 0o10 for octal")
    if "expected 'else'" in found.msg:
        return ExpressionError("a choice needs its `else`", start, len(text), "write `a if condition else b`")
    if "forgot a comma" in found.msg:
        return ExpressionError("a comma or an operator is missing", start, len(text))
    return ExpressionError(f"`{word.group()}` is not expected here", start, end)


# --- values: operators and functions, which raise `_Refusal` where a value does not fit ---


class _Refusal(Exception):
    """A value that does not fit; the builder adds where."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help


def _show(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, Dim):
        return f"the symbolic size {pretty(value)}"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"{value}"


def _is_number(value: Any) -> bool:
    """Booleans are no numbers."""
    return type(value) is int or type(value) is float or isinstance(value, Dim)


def _bounded(value: Any) -> Any:
    """A number within the bounds; anything else as it is."""
    if type(value) is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise _Refusal("the number is beyond 2**53")
    if type(value) is float and not math.isfinite(value):
        raise _Refusal("the number is not finite")
    if isinstance(value, Dim) and any(abs(coefficient) > MAX_INTEGER for coefficient in value.terms.values()):
        raise _Refusal("the size has a factor beyond 2**53")
    return value


def _weight(value: Any) -> int:
    """How many items a value holds, lists in lists counted through; counting ends at the bound."""
    total, left = 0, [value]
    while left:
        item = left.pop()
        total += 1
        if isinstance(item, (list, tuple)):
            if total + len(item) > MAX_RANGE + 1:
                raise _Refusal(f"the list grows beyond {MAX_RANGE} items")
            left.extend(item)
    return total - 1


def _listed(items: Sequence[Any]) -> list[Any]:
    """A list of bounded weight; lists that hold no lists are bounded by how they were made."""
    if any(isinstance(item, (list, tuple)) for item in items):
        _weight(items)
    return list(items)


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if _weight(a) + _weight(b) > MAX_ITEMS:
            raise _Refusal(f"the list grows beyond {MAX_ITEMS} items")
        return [*a, *b]
    return _calculate("+", operator.add, a, b)


def _multiply(a: Any, b: Any) -> Any:
    items, count = (b, a) if isinstance(b, (list, tuple)) else (a, b)
    if isinstance(items, (list, tuple)) and type(count) is int:
        if _weight(items) * count > MAX_ITEMS:
            raise _Refusal(f"the list grows beyond {MAX_ITEMS} items")
        return list(items) * count
    return _calculate("*", operator.mul, a, b)


def _divide(a: Any, b: Any) -> Any:
    for size in (a, b):
        if isinstance(size, Dim):
            help = "`a // b` rounds down, `(a + b - 1) // b` rounds up"
            raise _Refusal(f"`/` takes known numbers, and this is {_show(size)}", help)
    return _calculate("/", operator.truediv, a, b)


def _remainder(a: Any, b: Any) -> Any:
    if isinstance(b, Dim):
        raise _Refusal(f"`%` divides by a known number, and this is {_show(b)}")
    return _calculate("%", operator.mod, a, b)


def _power(a: Any, b: Any) -> Any:
    if isinstance(b, Dim):
        raise _Refusal(f"a power is a known number, and this is {_show(b)}")
    if isinstance(a, Dim) and not (type(b) is int and 0 <= b <= MAX_DIM_POWER):
        raise _Refusal(f"the power of a symbolic size is a whole number from 0 to {MAX_DIM_POWER}")
    if type(a) is int and type(b) is int and abs(a) > 1 and (a.bit_length() - 1) * b > MAX_INTEGER.bit_length():
        raise _Refusal("the number is beyond 2**53")
    return _calculate("**", operator.pow, a, b)


def _calculate(symbol: str, apply: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Arithmetic on numbers, and on symbolic sizes with whole numbers."""
    for value, other in ((a, b), (b, a)):
        if not _is_number(value):
            raise _Refusal(f"`{symbol}` takes numbers, and this is {_show(value)}")
        if isinstance(value, Dim) and type(other) is float:
            raise _Refusal(f"{_show(value)} is calculated with whole numbers only, and this is {other}")
    try:
        result = apply(a, b)
    except InexactError as found:
        raise _Refusal(str(found)) from None
    except ZeroDivisionError:
        divides = isinstance(a, Dim) and b != 0
        raise _Refusal("a size is divided by a positive number" if divides else "division by zero") from None
    except OverflowError as found:
        raise _Refusal(str(found) if isinstance(a, Dim) else "the number is not finite") from None
    if isinstance(result, complex):
        raise _Refusal("the root of a negative number")
    return _bounded(result)


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
    """Whether the test holds for an item; undecided only where no other item decides it."""
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
    raise _Refusal(f"`in` looks in a list, and this is {_show(items)}")


def _ordered(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison of numbers; of symbolic sizes where their difference is known."""

    def run(a: Any, b: Any) -> bool:
        for value in (a, b):
            if not _is_number(value):
                raise _Refusal(f"`{symbol}` compares numbers, and this is {_show(value)}")
        if not isinstance(a, Dim) and not isinstance(b, Dim):
            return compare(a, b)
        if type(a) is float or type(b) is float:
            raise _Refusal(f"`{symbol}` compares a symbolic size with whole numbers only")
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
            raise _Refusal(f"`{name}` of an empty list")
        best, *others = items
        if not _is_number(best):
            raise _Refusal(f"`{name}` compares numbers, and this is {_show(best)}")
        for item in others:
            if before(item, best):
                best = item
        return best

    return run


def _items(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise _Refusal(f"`{name}` takes a list, and this is {_show(value)}")
    return value


def _known(name: str, value: Any, *, whole: bool = False) -> Any:
    if isinstance(value, Dim):
        raise _Refusal(f"`{name}` takes known numbers, and this is {_show(value)}")
    if not _is_number(value) or (whole and type(value) is not int):
        raise _Refusal(f"`{name}` takes {'whole ' if whole else ''}numbers, and this is {_show(value)}")
    return value


def _whole(name: str, apply: Callable[[Any], int]) -> Callable[[Any], Any]:
    """``ceil`` or ``floor``; a symbolic size is whole already."""

    def run(value: Any) -> Any:
        return value if isinstance(value, Dim) else apply(_bounded(_known(name, value)))

    return run


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None and abs(_known("round", digits, whole=True)) > MAX_DIGITS:
        raise _Refusal(f"`round` keeps at most {MAX_DIGITS} digits")
    return value if isinstance(value, Dim) else round(_bounded(_known("round", value)), digits)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(_items("len", value))


def _sum(items: Any) -> Any:
    if any(isinstance(item, Dim) for item in _items("sum", items)):
        return reduce(_add, items)
    return sum(_known("sum", item) for item in items)


def _range(*bounds: Any) -> list[int]:
    if len(bounds) == 3 and bounds[2] == 0:
        raise _Refusal("`range` takes a step other than 0")
    numbers = range(*(_known("range", bound, whole=True) for bound in bounds))
    if len(numbers) > MAX_RANGE:
        raise _Refusal(f"`range` of {len(numbers)} numbers, {MAX_RANGE} are allowed")
    return list(numbers)


def _item(items: Any, index: Any) -> Any:
    if not isinstance(items, (list, tuple, str)):
        raise _Refusal(f"only a list has items, and this is {_show(items)}")
    if type(index) is not int:
        raise _Refusal(f"an index is a whole number, and this is {_show(index)}")
    if not -len(items) <= index < len(items):
        raise _Refusal(f"index {index} is outside {_show(items)}")
    return items[index]


def _slice(items: Any, *bounds: Any) -> Any:
    if not isinstance(items, (list, tuple, str)):
        raise _Refusal(f"only a list has items, and this is {_show(items)}")
    for bound in bounds:
        if bound is not None and type(bound) is not int:
            raise _Refusal(f"the bound of a slice is a whole number, and this is {_show(bound)}")
    if bounds[2] == 0:
        raise _Refusal("a slice takes a step other than 0")
    part = items[slice(*bounds)]
    return part if isinstance(part, str) else list(part)


def _signed(symbol: str, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if not _is_number(value):
            raise _Refusal(f"`{symbol}` takes numbers, and this is {_show(value)}")
        return apply(value)

    return run


# Each function with the least and the most arguments that it takes.
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "min": (_extreme("min", _ordered("<", operator.lt)), 1, MAX_NODES),
    "max": (_extreme("max", _ordered(">", operator.gt)), 1, MAX_NODES),
    "ceil": (_whole("ceil", math.ceil), 1, 1),
    "floor": (_whole("floor", math.floor), 1, 1),
    "round": (_round, 1, 2),
    "abs": (lambda value: abs(_known("abs", value)), 1, 1),
    "len": (_length, 1, 1),
    "sum": (_sum, 1, 1),
    "range": (_range, 1, 3),
    "reversed": (lambda value: list(reversed(_items("reversed", value))), 1, 1),
}
FUNCTIONS = frozenset(_FUNCTIONS)

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _add,
    ast.Sub: partial(_calculate, "-", operator.sub),
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.FloorDiv: partial(_calculate, "//", operator.floordiv),
    ast.Mod: _remainder,
    ast.Pow: _power,
}
# What needs no checks on two known integers but for the bound of the result.
_QUICK: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: _signed("-", operator.neg),
    ast.UAdd: _signed("+", lambda value: value),
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
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


class _Builder:
    """Turns each node into a closure that knows where it stands in the text."""

    def __init__(self, offset: int):
        self.offset = offset

    def fault(self, node: ast.expr, message: str, help: str | None = None) -> ExpressionError:
        end = node.end_col_offset or node.col_offset
        return ExpressionError(message, self.offset + node.col_offset, self.offset + end, help)

    def placed(self, node: ast.expr, run: Callable[..., Any]) -> Callable[..., Any]:
        """``run``, with what it refuses placed at ``node``."""

        def apply(*values: Any) -> Any:
            try:
                return run(*values)
            except _Refusal as found:
                raise self.fault(node, found.message, found.help) from None
            except UndecidedError as found:
                raise self.fault(node, str(found), "give the dimension a number in `inputs`") from None

        return apply

    def applied(self, node: ast.expr, run: Callable[..., Any], parts: Sequence[ast.expr]) -> Evaluator:
        """``run`` of the values of the parts."""
        apply, built = self.placed(node, run), [self.build(part) for part in parts]
        return lambda env: apply(*[part(env) for part in built])

    def build(self, node: ast.expr) -> Evaluator:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                self.placed(node, _bounded)(value)
                return lambda env: value
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self.applied(node, lambda *values: _listed(values), items)
            case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
                return self.arithmetic(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test = self.condition(operand, "not")
                return lambda env: not test(env)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
                return self.applied(node, _SIGNS[type(op)], [operand])
            case ast.BoolOp(op=op, values=values):
                return self.combined(isinstance(op, ast.And), values)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.comparison(node, [left, *others], [_COMPARISONS[type(op)] for op in ops])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                choose, then, other = self.condition(test, "if"), self.build(body), self.build(orelse)
                return lambda env: then(env) if choose(env) else other(env)
            case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=step)):
                bounds = [bound or ast.Constant(None) for bound in (lower, upper, step)]
                return self.applied(node, _slice, [value, *bounds])
            case ast.Subscript(value=value, slice=index):
                return self.applied(node, _item, [value, index])
            case ast.Call(func=function, args=arguments):
                return self.call(node, function, arguments)
            case ast.Constant(value=None):  # an omitted bound of a slice: the word itself is refused before
                return lambda env: None
            case ast.Starred():
                raise self.fault(node, "`*` does not unpack here", "`+` joins lists")
            case ast.Slice():
                raise self.fault(node, "a list takes one index or one slice")
        raise self.fault(node, "this is not part of an expression")

    def name(self, node: ast.expr, name: str) -> Evaluator:
        def evaluate(env: Environment) -> Any:
            if name in env:
                value = env[name]
                return list(value) if type(value) is tuple else value
            if name in FUNCTIONS:
                raise self.fault(node, f"`{name}` is a function", f"call it: `{name}(…)`")
            raise self.fault(node, f"unknown name `{name}`", did_you_mean(name, [*env, "True", "False", *FUNCTIONS]))

        return evaluate

    def arithmetic(self, node: ast.BinOp) -> Evaluator:
        left, right = self.build(node.left), self.build(node.right)
        general, quick = self.placed(node, _ARITHMETIC[type(node.op)]), _QUICK.get(type(node.op))

        def evaluate(env: Environment) -> Any:
            a, b = left(env), right(env)
            if quick and type(a) is int and type(b) is int and -MAX_INTEGER <= (result := quick(a, b)) <= MAX_INTEGER:
                return result
            return general(a, b)

        return evaluate

    def condition(self, node: ast.expr, word: str) -> Evaluator:
        run = self.build(node)

        def evaluate(env: Environment) -> bool:
            value = run(env)
            if isinstance(value, bool):
                return value
            message = f"`{word}` takes a condition, and this is {_show(value)}"
            raise self.fault(node, message, "compare it: `x > 0`, `x == y`")

        return evaluate

    def combined(self, every: bool, nodes: Sequence[ast.expr]) -> Evaluator:
        """``and`` or ``or``: later operands are read only where the earlier ones leave it open."""
        tests = [self.condition(node, "and" if every else "or") for node in nodes]
        if every:
            return lambda env: all(test(env) for test in tests)
        return lambda env: any(test(env) for test in tests)

    def comparison(
        self, node: ast.expr, nodes: Sequence[ast.expr], compares: Sequence[Callable[[Any, Any], bool]]
    ) -> Evaluator:
        """``a < b <= c``: later operands are read only where the earlier ones hold."""
        first, *others = [self.build(part) for part in nodes]
        steps = [(self.placed(node, compare), part) for compare, part in zip(compares, others)]

        def evaluate(env: Environment) -> bool:
            left = first(env)
            for compare, part in steps:
                right = part(env)
                if not compare(left, right):
                    return False
                left = right
            return True

        return evaluate

    def call(self, node: ast.expr, function: ast.expr, arguments: Sequence[ast.expr]) -> Evaluator:
        if not isinstance(function, ast.Name):
            raise self.fault(function, "only functions are called, by name")
        if function.id not in _FUNCTIONS:
            help = did_you_mean(function.id, FUNCTIONS) or "the functions are " + ", ".join(_FUNCTIONS)
            raise self.fault(function, f"unknown function `{function.id}`", help)
        run, least, most = _FUNCTIONS[function.id]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} or more" if most == MAX_NODES else f"{least} to {most}"
            message = f"`{function.id}` takes {wanted} argument{'s' * (wanted != '1')}, here are {len(arguments)}"
            raise self.fault(node, message)
        return self.applied(node, lambda *values: _bounded(run(*values)), arguments)
