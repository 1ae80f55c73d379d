"""The names that an op's PyTorch may use: torch's, and the modules of ops of one's own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from netspec.ops import Op


def op_scope(op: Op, **variables: Any) -> dict[str, Any]:
    """Return what the lines of an op see: torch, its own modules, and these variables."""
    scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": F}
    for name in op.modules():
        import_module(name)
        root = name.partition(".")[0]
        scope[root] = import_module(root)
    return scope | variables
