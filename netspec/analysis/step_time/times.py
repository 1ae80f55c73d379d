"""The time of a step, by layer: the work of each op, at the times that a device was measured to take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import NamedTuple

from netspec.analysis.step_time.device import OPTIMIZER_KINDS, DeviceRecord
from netspec.analysis.step_time.work import OpWork, Work, elements
from netspec.dataclass import dataclass
from netspec.dims import evaluate, evaluate_shape
from netspec.graph import ONCE, Call, ExecutionCount, Graph, Level, Loop, Node, Step, Value
from netspec.graph.level import over_time
from netspec.ops import Op, Tensor

WEIGHED = ("convolution", "linear", "sequence")
"""The families whose backward pass is half for the input and half for the weights."""


class StepSeconds(NamedTuple):
    """The seconds of a forward pass in inference, and of a step of training: forward, backward, the optimizer's."""

    forward: float = 0.0
    step: float = 0.0


class StepPlace(NamedTuple):
    """A step or a level at work: its path, how often it runs, in training only or frozen, and if a scan's iterations
    are all ``stacked`` in its tensors, that scan's loop."""

    path: str = ""
    executions: ExecutionCount = ONCE
    training: bool = False
    frozen: bool = False
    stacked: Loop | None = None

    def of(self, level: Level, step: Step) -> StepPlace:
        """Return the place of a step of the level that is here."""
        executions, stacked = self.executions.at(level, step), self.stacked
        if level.phases.get(step) in ("before", "after"):
            executions, stacked = ExecutionCount(executions.ahead, executions.ahead), level.loop
        path = f"{self.path}.{step.name}" if self.path else step.name
        return StepPlace(path, executions, self.training or step.training, self.frozen or step.frozen, stacked)

    def inside(self, body: Level) -> StepPlace:
        """Return the place of the level that the call here runs."""
        return self._replace(executions=self.executions.inside(body))


def optimizer_kind(graph: Graph) -> str:
    """Return which of the measured optimizers a graph is trained by; Adam where its spec names none, or another."""
    optimizer = None if graph.recipe is None else graph.recipe.optimizer
    if optimizer is None or optimizer.name not in OPTIMIZER_KINDS:
        return "adam"
    return "momentum" if getattr(optimizer, "momentum", 0) else optimizer.name


@dataclass
class ValueFlow:
    """The values of a level as it runs: which of them gradients flow to, which were read before."""

    needs: set[Value] = field(default_factory=set)
    read: set[Value] = field(default_factory=set)


class StepTime:
    """The times of a graph at its sizes, on a measured device, with an optimizer (``sgd``, ``momentum``, ``adam``, …).

    The loss is left out. A layer's step has its backward pass and the optimizer's update of its own parameters in it.
    """

    def __init__(self, graph: Graph, device: DeviceRecord, optimizer: str = "adam"):
        self.device, self.optimizer, self.sizes = device, optimizer, graph.sizes
        self._times: dict[str, StepSeconds] = {}
        self._level(graph.body, StepPlace(), ValueFlow())

    @property
    def total(self) -> StepSeconds:
        """The times of the whole network."""
        return self.at("")

    def of(self, paths: Iterable[str]) -> StepSeconds:
        """Return the times of several steps together."""
        found = [self.at(path) for path in paths]
        return StepSeconds(sum(each.forward for each in found), sum(each.step for each in found))

    def at(self, path: str) -> StepSeconds:
        """Return the times of the step or the level at a path; zero for what takes none, as what is not there."""
        return self._times.get(path, StepSeconds())

    def _add(self, path: str, forward: float, step: float) -> None:
        parts = path.split(".")
        for place in ("", *(".".join(parts[: end + 1]) for end in range(len(parts)))):
            before = self.at(place)
            self._times[place] = StepSeconds(before.forward + forward, before.step + step)

    def _level(self, level: Level, place: StepPlace, flow: ValueFlow) -> None:
        """Add the times of a level's steps."""
        for step in level.steps:
            own = place.of(level, step)
            if isinstance(step, Node):
                self._node(step, own, flow)
                continue
            inside = _entered(step, flow)
            self._level(step.body, own.inside(step.body), inside)
            _left(step, flow, inside)

    def _node(self, node: Node, place: StepPlace, flow: ValueFlow) -> None:
        stacked = place.stacked
        inputs = tuple(None if each is None else self._tensor(each, stacked) for each in node.tensors)
        outputs = tuple(self._tensor(value.tensor, stacked) for value in node.outputs)
        run = OpWork(node.op, inputs, outputs)
        learned = list(self._learned(node))
        learns, needs = bool(learned) and not place.frozen, any(value in flow.needs for value in node.inputs)
        if learns or needs:
            flow.needs.update(node.outputs)
        forward = sum(self._seconds(piece)[0] for piece in run.pieces(False))
        share = (learns + needs) / 2 if learned and node.op.family in WEIGHED else float(learns or needs)
        step = 0.0
        for piece in run.pieces(True):
            once, both = self._seconds(piece)
            once = min(once, both)
            step += once + share * (both - once)
        again = [value for value in node.inputs if value in flow.read and value in flow.needs]
        step += sum(self._seconds(Work("add", (elements(self._tensor(value.tensor, stacked)),)))[0] for value in again)
        flow.read.update(node.inputs)
        update = 0.0
        if learns and not node.shares:
            update = sum(self._update(size, tied, node.op) for size, tied in learned)
        count = evaluate(place.executions.run, self.sizes)
        self._add(place.path, 0.0 if place.training else forward * count, step * count + update)

    def _learned(self, node: Node) -> Iterator[tuple[int, bool]]:
        """The sizes of a node's parameters, and whether each is another's."""
        if type(node.op).parameters is not Op.parameters:
            tied = dict(node.ties)
            for name, shape in node.parameters.items():
                yield math.prod(evaluate_shape(shape, self.sizes)), name in tied

    def _update(self, size: int, tied: bool, op: Op) -> float:
        """The time that a parameter takes of its own: the optimizer's, and that of a gradient as large as it is."""
        gradient = self.device.seconds("relu", size).forward if op.name == "embedding" else 0.0
        if tied:
            return gradient + self.device.seconds("add", size).forward
        return gradient + self.device.seconds(self.optimizer, size).training

    def _seconds(self, piece: Work) -> tuple[float, float]:
        found = self.device.seconds(piece.kind, *piece.sizes).times(piece.count)
        return found.forward, found.training

    def _tensor(self, tensor: Tensor, stacked: Loop | None) -> Tensor:
        tensor = tensor if stacked is None else over_time(tensor, stacked.length)
        return Tensor(evaluate_shape(tensor.shape, self.sizes), tensor.dtype)


def _entered(call: Call, flow: ValueFlow) -> ValueFlow:
    """Return the flow with which a level starts that a call runs."""
    pairs = [*zip(call.inputs, call.body.inputs)]
    known = ValueFlow(
        {inner for outer, inner in pairs if outer in flow.needs},
        {inner for outer, inner in pairs if outer in flow.read},
    )
    if call.body.loop is not None:
        states = call.body.loop.sequences, call.body.loop.sequences + call.body.loop.states
        known.needs.update(call.body.inputs[slice(*states)])
    return known


def _left(call: Call, flow: ValueFlow, inside: ValueFlow) -> None:
    """Note what a call has made and read."""
    flow.needs.update(outer for outer, inner in zip(call.outputs, call.body.outputs) if inner in inside.needs)
    flow.read.update(outer for outer, inner in zip(call.inputs, call.body.inputs) if inner in inside.read)
