"""The names that an op's PyTorch may use: torch's, and the modules of torchvision and of ops of one's own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from netspec.diagnostics import EnvironmentFault
from netspec.ops import Op

VISION = "torchvision"


def op_scope(op: Op, **variables: Any) -> dict[str, Any]:
    """Return what the lines of an op see: torch, its own modules, and these variables."""
    scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": F}
    import_modules(op.modules())
    for name in op.modules():
        root = name.partition(".")[0]
        scope[root] = import_module(root)
    if op.definition:
        exec(op.definition, scope)
    return scope | variables


def import_modules(names: Iterable[str]) -> None:
    """Import modules. Raises ``EnvironmentFault`` where torchvision does not go with this torch."""
    for name in names:
        if name.partition(".")[0] == VISION:
            _import_torchvision()
        import_module(name)


def _import_torchvision() -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may lack its decoders of images
            fits = import_module(f"{VISION}.extension")._has_ops()
    except RuntimeError:
        fits = False
    if not fits:
        raise EnvironmentFault(
            f"torchvision does not go with torch {torch.__version__}: it was built for another one, and its operators "
            "do not load; install both with one command of pip"
        )
