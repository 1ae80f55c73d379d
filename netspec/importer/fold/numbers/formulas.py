"""Expressions over names, made of others."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from netspec.expressions import parse
from netspec.importer.write.phrases import Formula


def substituted(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a value in which names stand for other values: a number, if it is nothing but a name or known then."""
    if isinstance(value, tuple):
        return tuple(substituted(item, values) for item in value)
    if not isinstance(value, Formula):
        return value
    if value in values:
        return values[value]
    used = {name: values[name] for name in names_of(value) if name in values}
    if not used:
        return value
    texts = {name: spelled(each) for name, each in used.items()}
    tree = _Substitution(texts).visit(ast.parse(str(value), mode="eval"))
    return simplified(ast.unparse(tree))


def spelled(value: Any) -> str:
    """Return a value as it stands in an expression."""
    return str(value) if isinstance(value, Formula) else repr(list(value) if isinstance(value, tuple) else value)


@lru_cache(maxsize=4096)
def names_of(text: str) -> frozenset[str]:
    """Return the names that an expression reads."""
    return frozenset(node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))


@lru_cache(maxsize=4096)
def simplified(text: str) -> Any:
    """Return an expression, or its value where it reads no names."""
    if names_of(text):
        return Formula(text)
    value = parse(text).evaluate({})
    return tuple(value) if isinstance(value, list) else value


class _Substitution(ast.NodeTransformer):
    def __init__(self, texts: Mapping[str, str]):
        self.texts = texts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(self.texts[node.id], mode="eval").body if node.id in self.texts else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Leave out a choice between equal values."""
        self.generic_visit(node)
        return node.body if ast.dump(node.body) == ast.dump(node.orelse) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Work out what reads no names, and a number times a number times something else; leave out a sum with 0, a
        product with 1 and what is taken 0 times.
        """
        self.generic_visit(node)
        if isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant):
            return ast.Constant(parse(ast.unparse(node)).evaluate({}))
        right = node.right
        if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant) and node.left.value in (0, 1):
            return right if node.left.value else node.left
        if isinstance(node.op, ast.Add) and isinstance(node.left, ast.Constant) and node.left.value == 0:
            return right
        if not isinstance(node.op, ast.Mult) or not isinstance(right, ast.BinOp) or not isinstance(right.op, ast.Mult):
            return node
        if not isinstance(node.left, ast.Constant) or not isinstance(right.left, ast.Constant):
            return node
        return ast.BinOp(ast.Constant(node.left.value * right.left.value), ast.Mult(), right.right)  # type: ignore[operator]


def times(factor: Any, value: Any) -> Any:
    """Return a product; ``factor`` is a number."""
    if not isinstance(value, Formula):
        return factor * value
    return Formula(f"{factor} * {grouped(value)}")


def divided(value: Any, divisor: int) -> Any:
    """Return a quotient, rounded down."""
    if not isinstance(value, Formula):
        return value // divisor
    return Formula(f"{grouped(value)} // {divisor}")


def grouped(value: Any) -> str:
    """Return a number or a formula as a factor."""
    if not isinstance(value, Formula):
        return str(value)
    node = ast.parse(str(value), mode="eval").body
    return str(value) if isinstance(node, (ast.Name, ast.Subscript)) else f"({value})"
