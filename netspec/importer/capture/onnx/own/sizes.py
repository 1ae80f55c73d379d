"""Sizes as netspec's files spell them."""

from __future__ import annotations

import ast
from typing import Any

from netspec.dims import Dim, Size, ceil_div, floor_div

LONGEST_SIZE = 4_000


def size_of(text: str) -> Size:
    """Return the size that a text spells, as files have them: ``4*floor(H/16)``. Raises ``ValueError`` for others."""
    if len(text) > LONGEST_SIZE:
        raise ValueError("a size of so many letters is none")
    made: Size = _evaluated(ast.parse(text, mode="eval").body)
    return made


def _evaluated(node: Any) -> Any:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return Dim.symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if 0 < power < 9:
            made = base = _evaluated(left)
            for _ in range(power - 1):
                made = made * base
            return made
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluated(left) + _evaluated(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _evaluated(left) - _evaluated(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _evaluated(left) * _evaluated(right)
        case ast.Call(
            func=ast.Name(id="floor" | "ceil" as way),
            args=[ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=int(divisor)))],
        ):
            return (floor_div if way == "floor" else ceil_div)(_evaluated(left), divisor)
    raise ValueError("this is no size")
