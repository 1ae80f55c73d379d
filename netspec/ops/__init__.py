"""The ops: ``OPS`` maps each spec key to its class. A family is a file; an op is a class in it."""

from __future__ import annotations

from importlib import import_module

from netspec.ops.base import Op

FAMILIES = (
    "conv",
    "pool",
    "adaptive_pool",
    "norm",
    "feature_norm",
    "linear",
    "rectifier",
    "activation",
    "dropout",
    "shape",
    "join",
    "arithmetic",
    "resize",
    "upsample",
    "pointwise",
    "compare",
    "reduce",
    "index",
    "create",
    "sequence",
    "cells",
    "attention",
    "positions",
    "einsum",
)


def _concrete(kind: type[Op]) -> list[type[Op]]:
    found = [kind] if "name" in vars(kind) else []
    return found + [op for child in kind.__subclasses__() for op in _concrete(child)]


for _family in FAMILIES:
    import_module(f"netspec.ops.{_family}")

OPS: dict[str, type[Op]] = {op.name: op for op in _concrete(Op)}
