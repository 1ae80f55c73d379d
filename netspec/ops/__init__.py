"""The ops: ``OPS`` maps each spec key to its class. A family is a file; an op is a class in it.

A family is imported when one of its ops is first asked for: most specs use few, and defining the classes of all takes
longer than checking most specs. Which ops a family has is read from its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from os.path import dirname, join

from netspec.ops.core.base import Op

FAMILIES = (
    "spatial.conv",
    "spatial.pool",
    "spatial.adaptive_pool",
    "norm.channel",
    "norm.feature",
    "linear",
    "activation.rectifier",
    "activation.smooth",
    "activation.dropout",
    "shape",
    "join",
    "arithmetic",
    "spatial.resize",
    "spatial.upsample",
    "pointwise",
    "compare",
    "reduce",
    "index",
    "create",
    "recurrent.sequence",
    "recurrent.cells",
    "attention",
    "recurrent.positions",
    "einsum",
)

_NAME = re.compile(r'^    name = "(\w+)"$', re.MULTILINE)


class Ops(Mapping[str, type[Op]]):
    """Every op by its spec key, in the order of the families and of their texts."""

    def __init__(self, families: Sequence[str]):
        self._families = {name: family for family in families for name in _names(family)}
        self._loaded: dict[str, type[Op]] = {}

    def __getitem__(self, name: str) -> type[Op]:
        if name not in self._loaded:
            family = import_module(f"netspec.ops.{self._families[name]}")
            self._loaded |= {each.name: each for each in vars(family).values() if _is_op(each)}
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._families

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        return len(self._families)


def _names(family: str) -> list[str]:
    """The names of the ops in a family's file."""
    with open(join(dirname(__file__), *family.split(".")) + ".py", encoding="utf-8") as file:
        return _NAME.findall(file.read())


def _is_op(value: object) -> bool:
    """Whether a module's value is an op's class, rather than a base of several."""
    return isinstance(value, type) and issubclass(value, Op) and "name" in vars(value)


OPS = Ops(FAMILIES)
