"""The values of a standard block's parameters and its inputs, as far as a level has told them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from netspec.dataclass import dataclass
from netspec.expressions import ExpressionError, UnknownError, parse, parse_template
from netspec.importer.standard.blocks import StandardBlock, is_name
from netspec.importer.write.phrases import Wire

LARGEST_FACTOR = 64
TRIED = range(LARGEST_FACTOR + 1)


class Untold(Exception):
    """Tells that an expression reads a parameter that is not known yet."""


@dataclass(frozen=True, eq=False)
class Bindings:
    """The values of a block's parameters, and its inputs as wires; ``shape`` is that of its first input.

    ``let`` has the expressions of names in the body, each with the shape that it reads. ``prev`` is what the step
    before has made. Nothing changes one: what is told makes another.
    """

    block: StandardBlock
    shape: Sequence[int]
    values: Mapping[str, Any] = field(default_factory=dict)
    wires: Mapping[str, Wire] = field(default_factory=dict)
    let: Mapping[str, tuple[Any, Sequence[int]]] = field(default_factory=dict)
    prev: Wire | None = None

    def with_value(self, name: str, value: Any) -> Bindings | None:
        """Return the bindings with one value more; ``None`` where the parameter has another, or another type."""
        if name in self.values:
            return self if same(self.values[name], value) else None
        kind = self.block.params[name].type
        if isinstance(value, tuple) and not kind.startswith("list"):
            if len({*value}) > 1 and kind.startswith("pair"):
                return replace(self, values={**self.values, name: [*value]})
            if len({*value}) != 1:
                return None
            value = value[0]
        if kind == "float" and type(value) in (int, float):
            value = float(value)
        fits = {"int": int, "float": float, "bool": bool, "str": str}.get(kind.removeprefix("pair[").removesuffix("]"))
        if fits is not None and type(value) is not fits:
            return None
        return replace(self, values={**self.values, name: value})

    def with_wire(self, name: str, wire: Wire | None) -> Bindings | None:
        """Return the bindings with one input more; ``None`` where it is another wire."""
        if wire is None or self.wires.get(name, wire) is not wire:
            return None
        if any(each is wire and other != name for other, each in self.wires.items()):
            return None
        return replace(self, wires={**self.wires, name: wire})

    def evaluated(self, text: str, shape: Sequence[int]) -> Any:
        """Return the value of an expression. Raises ``Untold`` where it reads what is not known."""
        expression = parse(text)
        return expression.evaluate({name: self.named(name, shape) for name in expression.names})

    def named(self, name: str, shape: Sequence[int]) -> Any:
        """Return the value of a name. Raises ``Untold`` where it is not known."""
        if name == "shape":
            return [*shape]
        if name in self.let:
            text, seen = self.let[name]
            return self.evaluated(text, seen) if isinstance(text, str) else text
        if name not in self.values:
            raise Untold(name)
        value = self.values[name]
        return [value, value] if self.block.params[name].type.startswith("pair") and type(value) is int else value

    def defaults(self) -> dict[str, Any]:
        """Return what each parameter is by default, where that can be told from those before it."""
        known, found = self, {}
        for name, about in self.block.params.items():
            default = about.default
            try:
                if isinstance(default, str):
                    default = (
                        parse_template(default).evaluate({key: known.named(key, ()) for key in known.values})
                        if about.is_text
                        else known.evaluated(default, self.shape)
                    )
            except (Untold, ExpressionError, UnknownError, IndexError, TypeError):
                default = None
            found[name] = default
            if name not in known.values and default is not None:
                known = replace(known, values={**known.values, name: default})
        return found

    def told(self, said: Any, value: Any, shape: Sequence[int]) -> Iterator[Bindings]:
        """Yield the bindings under which what a block says of an argument is the value that a level has."""
        if isinstance(said, list):
            if isinstance(value, (list, tuple)) and len(value) == len(said):
                yield from self._told_each(said, value, shape)
            return
        if not isinstance(said, str):
            if same(said, value):
                yield self
            return
        if is_name(said) and said in self.block.params and said not in self.values:
            made = self.with_value(said, value)
            if made is not None:
                yield made
            return
        try:
            if same(self.evaluated(said, shape), value):
                yield self
        except Untold:
            yield from self._solved(said, value, shape)
        except (ExpressionError, UnknownError, IndexError, TypeError):
            return

    def _told_each(self, said: list[Any], values: Sequence[Any], shape: Sequence[int]) -> Iterator[Bindings]:
        if not said:
            yield self
            return
        first = [self] if -1 in (said[0], values[0]) else self.told(said[0], values[0], shape)
        for each in first:
            yield from each._told_each(said[1:], values[1:], shape)

    def _solved(self, said: str, value: Any, shape: Sequence[int]) -> Iterator[Bindings]:
        """Yield the bindings under which an expression with something unknown in it has a value."""
        tree = ast.parse(said, mode="eval").body
        if isinstance(tree, ast.IfExp):
            for part, holds in ((tree.body, True), (tree.orelse, False)):
                for each in self.assumed(ast.unparse(tree.test), holds, shape):
                    yield from each.told(ast.unparse(part), value, shape)
            return
        unknown = [*self._untold(said)]
        if len(unknown) != 1:
            yield self
            return
        (name,) = unknown
        for tried in self._guesses(name, said, value, shape):
            made = self.with_value(name, tried)
            if made is not None and same(made._value(said, shape), value):
                yield made
                return

    def _guesses(self, name: str, said: str, value: Any, shape: Sequence[int]) -> Iterator[Any]:
        """Yield what a parameter may be, so that an expression has a value."""
        default = self.defaults().get(name)
        if default is not None:
            yield default
        if type(value) is int:
            first, second = ((made := self.with_value(name, tried)) and made._value(said, shape) for tried in (1, 2))
            if type(first) is int and type(second) is int and second != first:
                yield 1 + (value - first) // (second - first)
        yield from TRIED
        if isinstance(value, (int, float)):
            yield from (value / size for size in shape if size)

    def _value(self, text: str, shape: Sequence[int]) -> Any:
        """Return the value of an expression; ``None`` where it has none."""
        try:
            return self.evaluated(text, shape)
        except (Untold, ExpressionError, UnknownError, IndexError, TypeError, ArithmeticError):
            return None

    def _untold(self, text: str) -> set[str]:
        """Return the parameters that an expression reads, itself or through names of the body, and that are unknown."""
        found: set[str] = set()
        for name in parse(text).names:
            if name in self.let:
                found |= self._untold(str(self.let[name][0]))
            elif name in self.block.params and name not in self.values:
                found.add(name)
        return found

    def assumed(self, test: Any, holds: bool, shape: Sequence[int]) -> Iterator[Bindings]:
        """Yield the bindings under which a condition holds, or does not; those at hand, where that is not known yet."""
        if isinstance(test, bool):
            yield from [self] if test is holds else []
            return
        try:
            yield from [self] if self.evaluated(test, shape) is holds else []
            return
        except (ExpressionError, UnknownError, IndexError, TypeError):
            return
        except Untold:
            tree = ast.parse(test, mode="eval").body
        if isinstance(tree, ast.Name) and tree.id in self.let:
            text, seen = self.let[tree.id]
            yield from self.assumed(text, holds, seen)
        elif isinstance(tree, ast.Name):
            yield from filter(None, [self.with_value(tree.id, holds)])
        elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
            yield from self.assumed(ast.unparse(tree.operand), not holds, shape)
        elif isinstance(tree, ast.Compare) and isinstance(tree.left, ast.Name):
            yield from self._compared(tree, tree.left.id, holds, shape)
        else:
            yield self

    def _compared(self, tree: ast.Compare, name: str, holds: bool, shape: Sequence[int]) -> Iterator[Bindings]:
        """Yield the bindings under which a name is equal to something, or is not more than nothing."""
        equal = isinstance(tree.ops[0], ast.Eq if holds else ast.NotEq)
        none = isinstance(tree.ops[0], ast.Gt) and not holds
        try:
            value = self.evaluated(ast.unparse(tree.comparators[0]), shape)
        except (Untold, ExpressionError, UnknownError, IndexError, TypeError):
            yield self
            return
        if name in self.block.params and (equal or none):
            yield from filter(None, [self.with_value(name, value)])
        else:
            yield self


def same(left: Any, right: Any) -> bool:
    """Return whether two arguments are the same; a pair of equal numbers is that number."""
    left, right = _single(left), _single(right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _single(value: Any) -> Any:
    alike = isinstance(value, (list, tuple)) and value and all(each == value[0] for each in value)
    return value[0] if alike else value
