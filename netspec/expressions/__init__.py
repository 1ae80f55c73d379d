"""The little expression language of a spec: ``4 * width``, ``2 if i > 0 else 1``, ``layer{i + 1}``.

Python's own syntax, cut down to arithmetic over names, so that whoever reads Python reads a spec. A text is split
into words and bounded first, then parsed by ``ast.parse``, then built once into nested closures: nothing of a spec
is ever given to ``eval``. What is accepted means what it means in Python, with two additions: sizes may be symbolic
(``Dim``), and tuples are lists.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

from netspec.expressions.base import (
    MAX_NODES,
    MAX_TEXT,
    UNKNOWN_VALUE,
    Environment,
    Evaluator,
    ExpressionError,
    UnknownError,
)
from netspec.expressions.build import ExpressionBuilder, free_names
from netspec.expressions.values import FUNCTIONS, show
from netspec.expressions.words import check_words, syntax_error

__all__ = [
    "FUNCTIONS",
    "UNKNOWN_VALUE",
    "Expression",
    "ExpressionError",
    "Template",
    "UnknownError",
    "parse",
    "parse_template",
]


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
            raise ExpressionError(f"the string has more than {MAX_TEXT} characters", 0, len(self.text))
        return out

    def _fill(self, start: int, expression: Expression, env: Environment) -> str:
        try:
            value = expression.evaluate(env)
        except ExpressionError as found:
            raise found.moved(start) from None
        if type(value) not in (int, float, str):
            end = start + len(expression.text)
            raise ExpressionError(f"braces must contain a number or a string, and this is {show(value)}", start, end)
        return str(value)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression that a text holds; ``ExpressionError`` at the first thing in it that is not allowed."""
    check_words(text)
    plain = re.sub(r"[\t\r\n]", " ", text)
    offset = len(plain) - len(plain.lstrip())
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except SyntaxError as found:
        raise syntax_error(text, offset, found) from None
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    if len(nodes) > MAX_NODES:
        raise ExpressionError(
            f"the expression has {len(nodes)} parts; at most {MAX_NODES} are allowed",
            0,
            len(text),
            "compute a part of it as a parameter",
        )
    return Expression(text, free_names(tree), ExpressionBuilder(offset).build(tree))


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
                raise ExpressionError("`{` is never closed", found.start(), place, "write `{{` for a literal brace")
            case "}":
                raise ExpressionError(
                    "`}` has no matching bracket", found.start(), place, "write `}}` for a literal brace"
                )
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
