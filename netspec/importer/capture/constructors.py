"""The numbers of modules by the names that their constructors have for them: ``planes``, ``n_head``, ``growth_rate``.

Nothing is run: the text of ``__init__`` says which names stand where, and the modules that it made say which numbers
these are. ``self.conv = nn.Conv2d(inplanes, planes, 3)`` tells that ``planes`` is the convolution's ``out_channels``.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

from torch import nn

from netspec.importer.program import NamedNumber

LISTS = (nn.Sequential, nn.ModuleList)
Numbers = dict[str, NamedNumber]
"""The numbers of one module by their names."""


def named_numbers(module: nn.Module) -> dict[str, Mapping[str, NamedNumber]]:
    """Return, by the path of each module of a class of its own, what its constructor calls which number."""
    reader = _ConstructorReader()
    found = {path: reader.numbers(each) for path, each in module.named_modules() if not _is_torch(each)}
    found[""] = {**_settings(module), **found.get("", {})}
    telling = {path: _in_order(numbers, module.get_submodule(path)) for path, numbers in found.items()}
    return {path: numbers for path, numbers in telling.items() if numbers}


def _in_order(numbers: Numbers, module: nn.Module) -> Numbers:
    """The numbers with telling names: those of the constructor's parameters first, in their order."""
    names = dict.fromkeys([*(name for name in _parameters(type(module)) if name in numbers), *numbers])
    return {name: numbers[name] for name in names if _tells(name)}


def _is_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")


def _settings(module: nn.Module) -> Numbers:
    """The numbers of a module's configuration, as Hugging Face's modules have one."""
    values = getattr(getattr(module, "config", None), "__dict__", {})
    named = {name: value for name, value in values.items() if _is_number(value) and _tells(name)}
    return {name: NamedNumber(value, is_parameter=True) for name, value in named.items()}


class _ConstructorReader:
    """Reads constructors. ``known`` has the numbers of each module by its identity, ``texts`` what a class assigns."""

    def __init__(self) -> None:
        self.known: dict[int, Numbers] = {}
        self.texts: dict[type, list[tuple[str, ast.expr]]] = {}

    def numbers(self, module: nn.Module) -> Numbers:
        """Return what a module's constructor calls its numbers; none that it calls alike are different."""
        if id(module) not in self.known:
            self.known[id(module)] = {}  # of a module that holds itself
            self.known[id(module)] = _agreeing(self._told(module))
        return self.known[id(module)]

    def _told(self, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
        if _is_torch(module):
            for name in _parameters(type(module)):
                value: Any = getattr(module, name, None)
                if isinstance(value, tuple) and len({*value}) == 1:
                    value = value[0]
                if _is_number(value):
                    yield name, NamedNumber(value, frozenset((name,)), True)
            return
        parameters = _parameters(type(module))
        for name in parameters:
            value = getattr(module, name, None)
            if _is_number(value):
                yield name, NamedNumber(value, frozenset(), True)
        if type(module) not in self.texts:
            self.texts[type(module)] = _assignments(type(module))
        for name, expression in self.texts[type(module)]:
            for each, number in self._matched(expression, getattr(module, name, None), module):
                yield each, number._replace(is_parameter=each in parameters)

    def _matched(self, node: ast.expr, made: Any, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
        """Yield the names in an expression of a constructor with the numbers that they stand for in what it made."""
        if isinstance(node, ast.IfExp) and isinstance(made, nn.Module):
            for choice in (node.body, node.orelse):
                if isinstance(choice, ast.Call) and _called(choice) == type(made).__name__:
                    yield from self._call(choice, made, module)
        elif isinstance(made, nn.Module) and isinstance(node, ast.Call):
            yield from self._call(node, made, module)
        elif isinstance(made, LISTS) and isinstance(node, ast.ListComp):
            yield from self._loop(node, made, module)
        elif isinstance(made, LISTS) and isinstance(node, ast.List):
            for inner, part in zip(node.elts, made):
                yield from self._matched(inner, part, module)
        elif _is_number(made):
            yield from _solved(node, NamedNumber(made), module)

    def _call(self, node: ast.Call, made: nn.Module, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
        if isinstance(made, (*LISTS, nn.ModuleDict)) and _called(node) == type(made).__name__:
            yield from self._container(node, made, module)
            return
        known = getattr(sys.modules.get(type(module).__module__), _called(node), None)
        if isinstance(known, FunctionType) and isinstance(node.func, ast.Name):
            numbers, names = self._returned(known, made), [*inspect.signature(known).parameters]
        elif _called(node) == type(made).__name__ or (isinstance(node.func, ast.Name) and known is None):
            numbers, names = self.numbers(made), _parameters(type(made))
        else:
            return
        for name, argument in [*zip(names, node.args), *((each.arg or "", each.value) for each in node.keywords)]:
            if isinstance(argument, ast.Starred):
                return
            if name in numbers:
                yield from _solved(argument, numbers[name], module)

    def _container(self, node: ast.Call, made: Any, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
        """The names that modules in a list, or in a dictionary, are made with."""
        first = node.args[0] if len(node.args) == 1 else None
        first = first.value if isinstance(first, ast.Starred) else first
        if isinstance(made, nn.ModuleDict):
            parts = first.keywords if isinstance(first, ast.Call) and _called(first) == "dict" else []
            for each in parts:
                if each.arg is not None and each.arg in made:
                    yield from self._matched(each.value, made[each.arg], module)
        elif isinstance(first, (ast.List, ast.ListComp)):
            yield from self._matched(first, made, module)
        elif len(node.args) == len(made) and not any(isinstance(each, ast.Starred) for each in node.args):
            for argument, part in zip(node.args, made):
                yield from self._matched(argument, part, module)

    def _returned(self, function: FunctionType, made: nn.Module) -> Numbers:
        """The numbers of a module by the names of the function that made it, if it does no more than that."""
        body = _body(function)
        if not body or not isinstance(body[-1], ast.Return) or not isinstance(body[-1].value, ast.Call):
            return {}
        called = body[-1].value.func
        if isinstance(called, ast.Name) and called.id == function.__name__:
            return {}
        return _agreeing(self._matched(body[-1].value, made, made))

    def _loop(self, node: ast.ListComp, made: Any, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
        """The names that a list of modules is made with, but for what changes from one of them to the next."""
        (loop, *inner) = node.generators
        if inner or loop.ifs:
            return
        own = {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
        for part in made:
            yield from ((name, each) for name, each in self._matched(node.elt, part, module) if name not in own)
        turns = loop.iter
        if isinstance(turns, ast.Call) and _called(turns) == "range" and len(turns.args) == 1:
            yield from _solved(turns.args[0], NamedNumber(len(made), frozenset(("count",))), module)


def _agreeing(told: Iterable[tuple[str, NamedNumber]]) -> Numbers:
    """The names that stand for one number wherever they stand, with all the arguments that they are for."""
    found: Numbers = {}
    different = set()
    for name, number in told:
        before = found.get(name, number)
        if before.value != number.value or type(before.value) is not type(number.value):
            different.add(name)
        words = before.words | number.words
        found[name] = NamedNumber(number.value, words, before.is_parameter or number.is_parameter)
    return {name: number for name, number in found.items() if name not in different}


def _called(node: ast.Call) -> str:
    """The last name of what is called: ``Conv2d`` of ``nn.Conv2d``."""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _solved(node: ast.expr, number: NamedNumber, module: nn.Module) -> Iterator[tuple[str, NamedNumber]]:
    """Yield the name in an expression with its number: ``planes`` in ``planes * 4`` and ``planes * self.expansion``."""
    if isinstance(node, ast.Name):
        yield node.id, number
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and type(number.value) is int:
        for name, factor in ((node.left, node.right), (node.right, node.left)):
            known = _constant(factor, module)
            if isinstance(name, ast.Name) and known and number.value % known == 0:
                yield name.id, number._replace(value=number.value // known)


def _constant(node: ast.expr, module: nn.Module) -> int:
    """The whole number that a factor is, itself or as an attribute; 0 for anything else."""
    value: Any = node.value if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        value = getattr(module, node.attr, None)
    return value if type(value) is int else 0


def _parameters(kind: Any) -> list[str]:
    """The names of a constructor's parameters."""
    try:
        known = inspect.signature(kind.__init__).parameters.values()
    except (TypeError, ValueError):  # it is not written in Python
        return []
    return [
        each.name for each in known if each.name != "self" and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _assignments(kind: Any) -> list[tuple[str, ast.expr]]:
    """The attributes that a constructor gives the module, each with the expression of its value."""
    made: list[tuple[str, ast.expr]] = []
    for statement in _body(kind.__init__):
        for node in ast.walk(statement):
            if not isinstance(node, ast.Assign) or not isinstance(target := node.targets[0], ast.Attribute):
                continue
            if isinstance(target.value, ast.Name) and target.value.id == "self":
                made.append((target.attr, node.value))
    return made


def _body(function: Any) -> list[ast.stmt]:
    """The statements of a function; none where its text is not there."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):  # built in, or written by what left no file
        return []
    only = tree.body[0] if tree.body else None
    return only.body if isinstance(only, ast.FunctionDef) else []


def _is_number(value: Any) -> bool:
    return type(value) in (int, float, bool)


def _tells(name: str) -> bool:
    """Return whether a name tells something to a reader of a spec."""
    return len(name) > 1 and name.isidentifier() and name.isascii() and not name.startswith("_") and name.islower()
