"""Holds the layers of a network against another side's, each on the inputs that it had on that side.

A layer whose inputs differ already gives something else on the two sides, though it is right. So each layer of the
graph is run again on what the other side's layers have given: what differs then is its own doing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from netspec.graph import Graph, Level, Node, Step
from netspec.runtime.interpret import Held
from netspec.runtime.trace.layers import Layer, Trace
from netspec.runtime.trace.runs import LayerValues, Recorder, TracedStep, Walker

TOLERANCE = 2e-5
"""The most that a layer may add in single precision: no errors come together in it as they do in a network."""
ROUNDINGS = 8


def trace_layers(
    graph: Graph,
    state: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    other: LayerValues,
    sides: tuple[str, str],
    sizes: Mapping[str, int],
    coarsest: torch.dtype = torch.float32,
    bound: float | None = None,
) -> Trace:
    """Return how the layers of a graph, with the weights ``state``, differ from those of another side on these inputs.

    ``coarsest`` is the dtype that the other side computes in: by default a layer may differ by some of its roundings.
    The outputs' difference is that of what the last layers give.
    """
    bound = max(TOLERANCE, ROUNDINGS / 2 * torch.finfo(coarsest).eps) if bound is None else bound
    state = _as_real(state, torch.float32)
    inputs = _as_real(inputs, torch.float32)
    free = Recorder(state)
    wanted = free.run(graph, inputs)
    replay = _Replay(state, other, free.values, bound, torch.finfo(coarsest).eps / torch.finfo(torch.float32).eps)
    given = replay.run(graph, inputs)
    outputs = [
        relative(want, got)
        for name, want, got in zip(graph.body.output_names, wanted, given)
        if want is not None and got is not None and not graph.outputs[name].training
    ]
    layers = [each.layer(bound) for each in replay.met.values()]
    return Trace(sides, layers, bound, max(outputs, default=0.0), sizes, [*replay.unseen])


def _as_real(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors on the CPU, real ones in this dtype."""
    return {
        name: each.detach().to("cpu", dtype if each.is_floating_point() else None) for name, each in tensors.items()
    }


def relative(want: Tensor, got: Tensor) -> float:
    """max|Δ| / max|want|; infinite where one has numbers that are not finite and the other has not."""
    gap = Gap()
    gap.add(want, got)
    return gap.relative


@dataclass(slots=True)
class Gap:
    """The difference of two values, of all iterations: its largest number, beside the largest number there is."""

    apart: float = 0.0
    scale: float = 0.0
    fault: str = ""

    def add(self, want: Tensor, got: Tensor) -> float:
        """Take in two values; return their difference alone, relative to their own scale."""
        if want.shape != got.shape:
            self.fault = self.fault or f"gives {list(got.shape)} in place of {list(want.shape)}"
            return math.inf
        want, got = want.double(), got.double()
        finite = want.isfinite() & got.isfinite()
        alike = (want == got) | (want.isnan() & got.isnan())
        if not bool((finite | alike).all()):
            self.fault = self.fault or _told(want[~finite & ~alike], got[~finite & ~alike])
            return math.inf
        apart = float((want - got)[finite].abs().max()) if finite.any() else 0.0
        scale = float(want[finite].abs().max()) if finite.any() else 0.0
        self.apart, self.scale = max(self.apart, apart), max(self.scale, scale)
        return apart / max(scale, 1e-30)

    @property
    def relative(self) -> float:
        """Return the difference relative to the scale."""
        return math.inf if self.fault else self.apart / max(self.scale, 1e-30)


def _told(want: Tensor, got: Tensor) -> str:
    """Say which numbers are not finite on one side alone, of values that are alike nowhere."""
    if got.isnan().any():
        return "gives no numbers (NaN) where the other side has some"
    if got.isinf().any():
        least = want[got.isinf()].abs().min()
        return "gives infinite numbers" + (f", where {least:.1e} is wanted" if math.isfinite(least) else "")
    return "gives numbers where the other side has none that are finite"


@dataclass
class _Met:
    """A layer that the replay has met, over all iterations; the gaps and roundings are those of its outputs."""

    path: str
    step: Step
    own: dict[int, Gap] = field(default_factory=dict)
    so_far: dict[int, Gap] = field(default_factory=dict)
    rounding: dict[int, float] = field(default_factory=dict)

    def layer(self, bound: float) -> Layer:
        """Return what was found of it: its worst output."""

        def excess(at: int) -> float:
            return self.own[at].relative / allowed(at)

        def allowed(at: int) -> float:
            return max(bound, self.rounding.get(at, 0.0) / max(self.own[at].scale, 1e-30))

        at = max(self.own, key=excess)
        step = self.step
        kind = step.op.name if isinstance(step, Node) else step.body.title or step.body.kind
        so_far = max(gap.relative for gap in self.so_far.values()) if self.so_far else math.nan
        return Layer(self.path, kind, step.span, self.own[at].relative, so_far, allowed(at), self.own[at].fault)


class _Replay(Walker):
    """Runs a graph's layers on what another side's have given. ``free`` has what they give by themselves."""

    def __init__(
        self, state: Mapping[str, Tensor], other: LayerValues, free: LayerValues, bound: float, coarser: float
    ):
        super().__init__(state)
        self.other, self.free, self.bound, self.coarser = other, free, bound, coarser
        self.met: dict[str, _Met] = {}
        self.unseen: dict[str, None] = {}
        self._exact: Walker | None = None

    def seen(
        self, run: TracedStep, step: Step, level: Level, inputs: Sequence[Held], made: Sequence[Held]
    ) -> Sequence[Held]:
        """Hold what a layer makes of the other side's inputs against that side's outputs, which go on."""
        got = self.other(run)
        pairs = [
            (at, want, each)
            for at, (want, each) in enumerate(zip(made, got or ()))
            if want is not None and each is not None
        ]
        if not pairs:
            if isinstance(step, Node):
                self.unseen[run.path] = None
            return made
        met = self.met.setdefault(run.path, _Met(run.path, step))
        free = self.free(run) or [None] * len(made)
        goes_on = [*made]
        for at, want, each in pairs:
            difference = met.own.setdefault(at, Gap()).add(want, each)
            if (own := free[at]) is not None:
                met.so_far.setdefault(at, Gap()).add(own, each)
            if self.bound < difference < math.inf and isinstance(step, Node):
                rounding = self.rounding(step, inputs, run.home, level, made)[at]
                met.rounding[at] = max(met.rounding.get(at, 0.0), rounding)
            goes_on[at] = each.to(want.dtype) if want.shape == each.shape else want
        return goes_on

    def rounding(
        self, node: Node, inputs: Sequence[Held], home: str, level: Level, made: Sequence[Held]
    ) -> list[float]:
        """Return what rounding may come to in each output of a layer, from what it makes in double precision."""
        if self._exact is None:
            self._exact = Walker(_as_real(self.state, torch.float64))
        doubled = [each.double() if each is not None and each.is_floating_point() else each for each in inputs]
        exact = self._exact.node(node, doubled, home, level)
        return [
            0.0 if want is None or better is None else ROUNDINGS * self.coarser * _apart(better, want)
            for want, better in zip(made, exact)
        ]


def _apart(one: Tensor, other: Tensor) -> float:
    apart = (one.double() - other.double()).abs()
    return float(apart[apart.isfinite()].max()) if apart.isfinite().any() else 0.0
