"""The bounds and the error that every part of the expression language shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MAX_CHARACTERS = 512
MAX_BRACKETS = 32
MAX_UNARY = 16
MAX_NODES = 128
MAX_INTEGER = 2**53
MAX_ITEMS = 10_000
MAX_RANGE = 20_000
MAX_TURNS = 5_000
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


class UnknownError(Exception):
    """An expression reads a value that is unknown because of a fault that has been reported."""


UNKNOWN_VALUE: Any = type("Unknown", (), {"__repr__": lambda self: "unknown"})()
"""Stands in an environment for a value that could not be made."""


class LoopEnvironment(dict[str, Any]):
    """The names inside a comprehension; ``left`` counts the turns and items that may still be made in it."""

    __slots__ = ("left",)

    def __init__(self, around: Environment):
        super().__init__(around)
        self.left: list[int] = around.left if isinstance(around, LoopEnvironment) else [MAX_TURNS]

    def charge(self, count: int) -> None:
        """Count turns or items. Raises ``Refusal`` where there are too many."""
        self.left[0] -= count
        if self.left[0] < 0:
            raise Refusal(f"the comprehension makes more than {MAX_TURNS:,} turns and items")


class Refusal(Exception):
    """A value that does not fit; the builder adds where."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help
