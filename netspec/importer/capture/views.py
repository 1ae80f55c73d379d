"""Changes in place of a view, as changes of what it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.fx import Node

from netspec.ops.core.foreign import ForeignCall, ForeignTensor

RESHAPED = ("view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "flatten", "unflatten", "alias", "detach")
"""The views that hold all elements in their order."""


def looks_at(node: Any) -> Node | None:
    """Return the node whose memory a view is; ``None`` for what has memory of its own."""
    import torch

    if node.op != "call_function" or not node.args or not isinstance(node.args[0], Node):
        return None
    source = node.args[0]
    both = (node.meta.get("val"), source.meta.get("val"))
    if not all(isinstance(each, torch.Tensor) for each in both):
        return None
    return source if torch._C._is_alias_of(*both) else None  # type: ignore[attr-defined]


def written_back(
    name: str, arguments: Mapping[str, Any], source: ForeignTensor, changed: ForeignTensor
) -> ForeignCall | None:
    """Return the call that gives what a view looks at, changed where the view is; ``None`` where none does."""
    output = (ForeignTensor(source.shape, source.dtype),)
    if name in ("slice", "select"):
        plain = {key: value for key, value in arguments.items() if key != "self"}
        return ForeignCall(f"{name}_scatter", {"self": source, "src": changed, **plain}, output)
    if name in RESHAPED:
        return ForeignCall("view", {"self": changed, "size": [*source.shape]}, output)
    if name == "transpose":
        dims = {key: arguments[key] for key in ("dim0", "dim1")}
        return ForeignCall(name, {"self": changed, **dims}, output)
    if name == "permute":
        rank = len(source.shape)
        order = [dim % rank for dim in arguments["dims"]]
        return ForeignCall(name, {"self": changed, "dims": [order.index(axis) for axis in range(rank)]}, output)
    return None
