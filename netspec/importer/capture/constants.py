"""The part of a program that depends on no input and no weight, computed once."""

from __future__ import annotations

from typing import Any

import torch


class Constants:
    """The tensors of an exported graph that are known before it runs, by their nodes."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}

    def knows(self, values: Any) -> bool:
        """Return whether an argument, or all in its lists, is known."""
        if isinstance(values, torch.fx.Node):
            return values in self.values
        if isinstance(values, (list, tuple)):
            return all(map(self.knows, values))
        return not isinstance(values, torch.SymInt)

    def compute(self, node: torch.fx.Node) -> bool:
        """Run a node where all that it reads is known; return whether it was."""
        if _makes_same(node) and all(isinstance(size, int) for size in node.meta["val"].shape):
            self.values[node] = _made(node)
            return True
        if _draws(node) or not (self.knows(node.args) and self.knows([*node.kwargs.values()])):
            return False
        with torch.no_grad():
            self.values[node] = node.target(*self._at(node.args), **self._at(dict(node.kwargs)))  # type: ignore[operator]
        return True

    def _at(self, value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            return self.values[value]
        if isinstance(value, dict):
            return {name: self._at(each) for name, each in value.items()}
        return type(value)(map(self._at, value)) if isinstance(value, (list, tuple)) else value


def _makes_same(node: torch.fx.Node) -> bool:
    """Return whether a node reads nothing of its input but the size and the dtype: ``new_zeros``, ``ones_like``."""
    return _filled(node) is not None


def _filled(node: torch.fx.Node) -> Any:
    name = str(getattr(node.target, "_schema", node.target)).partition("(")[0].partition("::")[2].partition(".")[0]
    known = {"new_zeros": 0, "zeros_like": 0, "new_ones": 1, "ones_like": 1, "new_empty": 0, "empty_like": 0}
    if name in ("new_full", "full_like"):
        value = node.args[2 if name == "new_full" else 1]
        return value if isinstance(value, (bool, int, float)) else None
    return known.get(name)


def _made(node: torch.fx.Node) -> torch.Tensor:
    value = node.meta["val"]
    return torch.full(tuple(value.shape), _filled(node), dtype=value.dtype)


def _draws(node: torch.fx.Node) -> bool:
    """Return whether a node gives something else each time."""
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
