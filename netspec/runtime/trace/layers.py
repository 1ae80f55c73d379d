"""The layers that a trace compares, with how far two sides differ in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from netspec.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer on both sides. ``span`` is where the spec has it, if there is one.

    ``own`` is what the layer itself adds: max|Δ| / max|y| between what it gives on one side, and what the other side's
    layer makes of the same inputs. ``so_far`` is the same measure between the two sides' own values, with all that the
    layers before have added. ``bound`` is what ``own`` may be: the bound of the trace, or what rounding alone comes to
    in this layer if that is more. ``fault`` says what there is no number for.
    """

    path: str
    op: str
    span: Span | None
    own: float
    so_far: float
    bound: float
    fault: str = ""

    @property
    def parts(self) -> bool:
        """Return whether the two sides part in this layer."""
        return not self.own <= self.bound

    @property
    def place(self) -> str:
        """Return where the layer stands in the spec, as ``lenet.yaml:12``; nothing without a spec."""
        return "" if self.span is None else f"{PurePath(self.span.source.name).name}:{self.span.line}"

    def reason(self) -> str:
        """Return how the sides part, in a few words."""
        return self.fault or f"{self.own:.1e} on the same inputs (max|Δ|/max|y|; {self.bound:.0e} would do)"

    def told(self) -> str:
        """Return the layer, its place, and how the sides part: ``fc (linear, lenet.yaml:44): 1.0e+00 …``."""
        return f"`{self.path}` ({', '.join(filter(None, (self.op, self.place)))}): {self.reason()}"

    def record(self) -> dict[str, Any]:
        """Return the layer as plain values for JSON, which has no infinity."""
        numbers = {"difference": self.own, "so_far": self.so_far, "bound": self.bound}
        line = {} if self.span is None else {"file": self.span.source.name, "line": self.span.line}
        told = {"fault": self.fault} if self.fault else {}
        shown = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
        return {"path": self.path, "op": self.op, **line, **shown, "parts": self.parts, **told}


@dataclass(frozen=True, slots=True)
class Trace:
    """The layers of two sides in the order that they run in; ``sides`` are what these are called.

    ``unseen`` are the paths of those that one side has no value for, as runtimes may join layers: what they add counts
    with the next one that is seen. ``outputs`` is the difference of the networks' outputs, ``sizes`` what they ran at.
    """

    sides: tuple[str, str]
    layers: Sequence[Layer]
    bound: float
    outputs: float
    sizes: Mapping[str, int]
    unseen: Sequence[str] = ()

    @property
    def parting(self) -> list[Layer]:
        """Return the layers in which the sides part, the first one first."""
        return [layer for layer in self.layers if layer.parts]

    @property
    def first(self) -> Layer | None:
        """Return the first layer in which the sides part."""
        return next(iter(self.parting), None)

    @property
    def agrees(self) -> bool:
        """Return whether no layer parts."""
        return self.first is None

    def told(self) -> str:
        """Return the first layer that parts, in a sentence."""
        first, (one, other) = self.first, self.sides
        if first is None:
            if self.outputs <= self.bound:
                return f"{one} and {other} agree in all {len(self.layers)} layers"
            return (
                f"{one} and {other} agree in every layer on the same inputs; their outputs differ by "
                f"{self.outputs:.1e}, which the layers amplify or a runtime adds as it joins them"
            )
        where = f"{first.place}: " if first.place else ""
        more = len(self.parting) - 1
        others = f"; so do {more} more, from {self.parting[1].path} on" if more else ""
        return f"{where}{one} and {other} part first in `{first.path}` ({first.op}): {first.reason()}{others}"

    def record(self) -> dict[str, Any]:
        """Return the trace as plain values for JSON."""
        first = self.first
        return {
            "sides": [*self.sides],
            "sizes": dict(self.sizes),
            "bound": self.bound,
            "outputs": self.outputs if math.isfinite(self.outputs) else None,
            "first": None if first is None else first.path,
            "layers": [layer.record() for layer in self.layers],
            "unseen": [*self.unseen],
        }
