"""The time of a step, by layer: the work of each op, at the times that a device was measured to take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from netspec.analysis.step_time.device import DeviceRecord
from netspec.analysis.step_time.work import OpWork, Work, elements
from netspec.dims import evaluate, evaluate_shape
from netspec.graph import Call, Graph, Level, Loop, Node, Step, Value
from netspec.graph.level import over_time
from netspec.ops import Op, Tensor

WEIGHED = ("convolution", "linear", "sequence")
"""The families whose backward pass is half for the input and half for the weights."""


class StepSeconds(NamedTuple):
    """The seconds of a forward pass in inference, and of a step of training: forward, backward, the optimizer's."""

    forward: float = 0.0
    step: float = 0.0


@dataclass
class _Flow:
    """What is known of the values of a level as it runs: which of them gradients flow to, which were read before."""

    needs: set[Value] = field(default_factory=set)
    read: set[Value] = field(default_factory=set)


class StepTime:
    """The times of a graph at its sizes, on a measured device, with an optimizer (``sgd``, ``momentum``, ``adam``, …).

    The loss is left out. A layer's step has its backward pass and the optimizer's update of its own parameters in it.
    """

    def __init__(self, graph: Graph, device: DeviceRecord, optimizer: str = "adam"):
        self.device, self.optimizer, self.sizes = device, optimizer, graph.sizes
        self._times: dict[str, StepSeconds] = {}
        self._level(graph.body, "", _Flow(), False, False, 1, 1, None)

    @property
    def total(self) -> StepSeconds:
        """The times of the whole network."""
        return self.at("")

    def at(self, path: str) -> StepSeconds:
        """Return the times of the step or the level at a path; zero for what takes none, as what is not there."""
        return self._times.get(path, StepSeconds())

    def _add(self, path: str, forward: float, step: float) -> None:
        parts = path.split(".")
        for place in ("", *(".".join(parts[: end + 1]) for end in range(len(parts)))):
            before = self.at(place)
            self._times[place] = StepSeconds(before.forward + forward, before.step + step)

    def _level(
        self, level: Level, prefix: str, flow: _Flow, frozen: bool, only: bool, ahead: int, run: int, loop: Loop | None
    ) -> None:
        """Add the times of a level's steps; ``ahead`` and ``run`` say how often they run, ``only`` in training only."""
        loop = level.loop or loop
        length = evaluate(loop.length, self.sizes) if loop is not None else 1
        for step in level.steps:
            path, phase = prefix + step.name, level.phases.get(step)
            training = only or step.training
            if isinstance(step, Node):
                stacked = loop if phase in ("before", "after") else None
                count = ahead if phase == "ahead" else max(1, run // length) if stacked is not None else run
                self._node(step, path, flow, frozen or step.frozen, training, count, stacked)
                continue
            inner_run = ahead if phase == "ahead" else run
            inside = _entered(step, flow)
            body_ahead, body_run = ahead if phase != "ahead" else inner_run, inner_run
            if step.body.loop is not None:
                body_ahead, body_run = inner_run, inner_run * evaluate(step.body.loop.length, self.sizes)
            inner_loop = None if phase == "ahead" else loop
            self._level(step.body, f"{path}.", inside, frozen or step.frozen, training, body_ahead, body_run, inner_loop)
            _left(step, flow, inside)

    def _node(
        self, node: Node, path: str, flow: _Flow, frozen: bool, only: bool, count: int, stacked: Loop | None
    ) -> None:
        inputs = tuple(None if each is None else self._tensor(each, stacked) for each in node.tensors)
        outputs = tuple(self._tensor(value.tensor, stacked) for value in node.outputs)
        run = OpWork(node.op, inputs, outputs)
        learned = list(self._learned(node))
        learns, needs = bool(learned) and not frozen, any(value in flow.needs for value in node.inputs)
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
        self._add(path, 0.0 if only else forward * count, step * count + update)

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


def _entered(call: Call, flow: _Flow) -> _Flow:
    """What is known of the inputs of a level that a call runs."""
    pairs = [*zip(call.inputs, call.body.inputs)]
    known = _Flow(
        {inner for outer, inner in pairs if outer in flow.needs}, {inner for outer, inner in pairs if outer in flow.read}
    )
    if call.body.loop is not None:
        states = call.body.loop.sequences, call.body.loop.sequences + call.body.loop.states
        known.needs.update(call.body.inputs[slice(*states)])
    return known


def _left(call: Call, flow: _Flow, inside: _Flow) -> None:
    """Note what a call has made and read."""
    flow.needs.update(outer for outer, inner in zip(call.outputs, call.body.outputs) if inner in inside.needs)
    flow.read.update(outer for outer, inner in zip(call.inputs, call.body.inputs) if inner in inside.read)
