"""Layouts that are changed there and back again: what comes out of them is what went in."""

from __future__ import annotations

from typing import Any

from netspec.dims import Shape
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

VIEWS = frozenset({"view", "squeeze", "unsqueeze"})
TURNS = frozenset({"transpose", "permute"})
LONGEST_CHAIN = 8


class Layouts:
    """Remembers the calls that change only how elements lie; ``undone`` finds what a further one gives back."""

    def __init__(self) -> None:
        self.makers: dict[Any, ForeignCall] = {}

    def note(self, call: ForeignCall) -> None:
        """Remember a call."""
        if call.name in VIEWS or call.name in TURNS:
            self.makers[call.outputs[0]] = call

    def undone(self, call: ForeignCall) -> ForeignTensor | None:
        """Return the tensor that a call gives again, if it undoes the calls before it, or does nothing."""
        source = call.tensor("self")
        if source is None:
            return None
        if call.name in TURNS:
            return self._turned_back(call, source)
        shape = _shape_after(call, source)
        for _ in range(LONGEST_CHAIN):
            if shape is None or source is None:
                return None
            if source.shape == shape:
                return source
            maker = self.makers.get(source)
            source = maker.tensor("self") if maker is not None and maker.name in VIEWS else None
        return None

    def _turned_back(self, call: ForeignCall, source: ForeignTensor) -> ForeignTensor | None:
        order, plain = _order(call, source), list(range(len(source.shape)))
        if order == plain:
            return source
        maker = self.makers.get(source)
        first = maker.tensor("self") if maker is not None and maker.name in TURNS else None
        if maker is None or first is None:
            return None
        before = _order(maker, first)
        return first if [before[axis] for axis in order] == plain else None


def _order(call: ForeignCall, source: ForeignTensor) -> list[int]:
    """The input's dimensions in the order of the output."""
    if call.name == "permute":
        return list(call.arguments["dims"])
    order = list(range(len(source.shape)))
    first, second = call.arguments["dim0"], call.arguments["dim1"]
    order[first], order[second] = order[second], order[first]
    return order


def _shape_after(call: ForeignCall, source: ForeignTensor) -> Shape | None:
    """The shape that a call gives its input; ``None`` for a call that does more."""
    axis = call.arguments.get("dim")
    if call.name == "view":
        return tuple(call.arguments["size"])
    if call.name == "squeeze" and isinstance(axis, int):
        return (*source.shape[:axis], *source.shape[axis + 1 :])
    return (*source.shape[:axis], 1, *source.shape[axis:]) if call.name == "unsqueeze" else None
