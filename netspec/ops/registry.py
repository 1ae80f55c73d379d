"""The registry of the ops: ``OPS`` maps each spec key to its class. A family is a file; an op is a class in it.

A family is imported when one of its ops is first asked for: most specs use few, and defining the classes of all takes
longer than checking most specs. Which ops a family has is read from its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from os.path import dirname, join
from types import ModuleType
from typing import get_args

from netspec.diagnostics import UsageError
from netspec.ops.core.op import Op
from netspec.ops.core.roles.signature import Family

FAMILIES = (
    "spatial.conv",
    "spatial.conv_transpose",
    "spatial.filter",
    "pool.max_pool",
    "pool.average_pool",
    "pool.adaptive_pool",
    "pool.adaptive_max_pool",
    "pool.global_pool",
    "pool.power_pool",
    "pool.unpool",
    "spatial.patches",
    "spatial.grid",
    "norm.batch",
    "norm.frozen_batch",
    "norm.instance",
    "norm.response",
    "norm.feature",
    "linear.linear",
    "activation.rectifier",
    "activation.slope",
    "activation.exponential",
    "activation.smooth",
    "activation.hard",
    "activation.shrink",
    "activation.sigmoid",
    "activation.softmax",
    "activation.dropout",
    "activation.channel_dropout",
    "activation.alpha_dropout",
    "tensors.reshape",
    "tensors.axes",
    "tensors.join",
    "math.arithmetic",
    "math.extremes",
    "spatial.resize",
    "spatial.upsample",
    "math.pointwise",
    "math.rounding",
    "math.elementary",
    "math.division",
    "math.bitwise",
    "math.compare",
    "math.reduce",
    "math.statistics",
    "math.cumulative",
    "embedding.embedding",
    "tensors.index",
    "tensors.split",
    "tensors.order",
    "tensors.scatter",
    "tensors.repeat",
    "tensors.held",
    "tensors.create",
    "tensors.fill",
    "tensors.noise",
    "tensors.diagonal",
    "recurrent.sequence",
    "recurrent.cells",
    "attention.dot_product",
    "attention.multihead",
    "attention.masks",
    "attention.positions",
    "attention.rotary",
    "attention.bias",
    "linear.einsum",
    "linear.distance",
    "linear.bilinear",
    "embedding.bag",
    "signal.fourier",
    "signal.short_time",
    "signal.planes",
    "vision.boxes",
    "vision.regions",
    "vision.deformable",
)

UNLISTED = {"opaque": "opaque"}
"""The ops that a structure alone makes, which no spec calls by their names."""

_NAME = re.compile(rb'\n    name = "(\w+)"(?=\r?\n)')  # bytes that begin with a fixed text are found five times as fast


class Ops(Mapping[str, type[Op]]):
    """Every op by its spec key, in the order of the families and of their texts."""

    def __init__(self, families: Sequence[str]):
        self._families = {name: family for family in families for name in names_in(_file(family))}
        self._loaded: dict[str, type[Op]] = {}

    def __getitem__(self, name: str) -> type[Op]:
        if name not in self._loaded:
            family = import_module(f"netspec.ops.{UNLISTED.get(name) or self._families[name]}")
            self._loaded |= {each.name: each for each in ops_in(family)}
        return self._loaded[name]

    def add(self, kind: type[Op]) -> None:
        """Add an op from outside. Raises ``UsageError`` where it lacks something, or its name is there already."""
        lacking = _lacking(kind)
        if lacking:
            raise UsageError(f"the op `{kind.__name__}` of {kind.__module__} cannot be used: {lacking}")
        if kind.name in self._families and self._loaded.get(kind.name) is not kind:
            raise UsageError(f"{kind.__module__} brings an op `{kind.name}`, which already exists")
        self._families[kind.name], self._loaded[kind.name] = kind.__module__, kind

    def forget(self, modules: Sequence[str]) -> None:
        """Drop the ops that were added from these modules."""
        for name in [name for name, module in self._families.items() if module in modules]:
            del self._families[name], self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._families

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        return len(self._families)


def _lacking(kind: type[Op]) -> str:
    """Return what an op's class does not say, but must; empty where nothing is missing."""
    if not isinstance(kind.name, str) or not kind.name.isidentifier():
        return f"its `name` is {kind.name!r}, but a name in a spec consists of letters, digits and `_`"
    if getattr(kind, "family", None) not in get_args(Family):
        return f"its `family` must be one of {', '.join(get_args(Family))}"
    if kind.main is not None and kind.main not in kind.model_fields:
        return f"its `main` is `{kind.main}`, which is not one of its arguments"
    written = kind.torch or kind.functional or kind.call is not Op.call or kind.statements is not Op.statements
    if not written:
        return "it needs `torch` or `functional`, or a method `call` or `statements`, to be written in PyTorch"
    return ""


def _file(family: str) -> str:
    """The file of a family."""
    return join(dirname(__file__), *family.split(".")) + ".py"


def names_in(path: str) -> list[str]:
    """Return the spec keys of the classes in a file, by their lines ``name = "conv2d"``; the file is not imported."""
    with open(path, "rb", buffering=0) as file:
        return [name.decode() for name in _NAME.findall(file.read())]


def ops_in(module: ModuleType) -> list[type[Op]]:
    """The ops' classes in a module's sight; one without a ``name`` of its own is a base of several."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Op)]
    return [value for value in classes if "name" in vars(value)]


OPS = Ops(FAMILIES)
