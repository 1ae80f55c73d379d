"""Control flow that is decided before a network runs: a branch is taken, a loop of known length is written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from netspec.ops.core.foreign import ForeignCall, ForeignTensor

Names = dict[str, Any]
ReadBody = Callable[[onnx.GraphProto, Names], list[Any]]
"""Reads a graph inside another, whose inputs are among the names; gives its outputs."""
Say = Callable[[ForeignCall], None]
"""Adds a call to the program."""

CONTROL = frozenset({"If", "Loop", "Scan"})
MOST_ITERATIONS = 10_000


class Undecided(Exception):
    """A branch or a loop that is decided only when the network runs; the message says which."""


class ControlReader:
    """Reads nodes of control flow; ``known`` tells the value of a tensor, ``None`` where it is none before it runs."""

    def __init__(self, body: ReadBody, say: Say, known: Callable[[ForeignTensor], Any]):
        self.body, self.say, self.known = body, say, known

    def read(self, kind: str, inputs: Sequence[Any], attributes: Mapping[str, Any], names: Names) -> list[Any]:
        """Return the outputs of a node. Raises ``Undecided``."""
        if kind == "If":
            return self.branch(inputs[0], attributes, names)
        if kind == "Loop":
            return self.loop(inputs, attributes["body"], names)
        return self.scan(inputs, attributes, names)

    def branch(self, condition: ForeignTensor, attributes: Mapping[str, Any], names: Names) -> list[Any]:
        """Return the outputs of the branch that is taken."""
        taken = self.truth(condition, "an If")
        return self.body(attributes["then_branch" if taken else "else_branch"], dict(names))

    def truth(self, tensor: ForeignTensor, whose: str) -> bool:
        """Return a condition's value."""
        value = self.known(tensor)
        if value is None or value.dtype == object or value.size != 1:
            raise Undecided(f"{whose} whose condition depends on the input")
        return bool(value.reshape(-1)[0])

    def loop(self, inputs: Sequence[Any], body: onnx.GraphProto, names: Names) -> list[Any]:
        """Return the states after a loop's last iteration, and what each left."""
        most, condition, *states = inputs
        count = MOST_ITERATIONS
        if most is not None:
            limit = self.known(most)
            if limit is None or limit.dtype == object:
                raise Undecided("a Loop whose length depends on the input")
            count = min(int(limit.reshape(-1)[0]), MOST_ITERATIONS)
        goes_on = condition is None or self.truth(condition, "a Loop")
        kept: list[list[Any]] = [[] for _ in range(len(body.output) - 1 - len(states))]
        for at in range(count):
            if not goes_on:
                break
            given = [_constant(np.array(at, np.int64)), _constant(np.array(True)), *states]
            following, *made = self.body(body, {**names, **_inputs(body, given)})
            states, left = made[: len(states)], made[len(states) :]
            for each, value in zip(kept, left):
                each.append(value)
            goes_on = self.truth(following, "a Loop")
        return [*states, *(self.stacked(each, 0) for each in kept)]

    def scan(self, inputs: Sequence[Any], attributes: Mapping[str, Any], names: Names) -> list[Any]:
        """Return the states after a scan's last iteration, and what each left."""
        body, count = attributes["body"], attributes["num_scan_inputs"]
        states, sequences = list(inputs[:-count]), inputs[-count:]
        axes = attributes.get("scan_input_axes", [0] * count)
        ways = attributes.get("scan_input_directions", [0] * count)
        length = sequences[0].shape[axes[0]]
        if not isinstance(length, int) or length > MOST_ITERATIONS:
            raise Undecided(f"a Scan over {length} steps")
        left_axes = attributes.get("scan_output_axes", [0] * (len(body.output) - len(states)))
        left_ways = attributes.get("scan_output_directions", [0] * len(left_axes))
        kept: list[list[Any]] = [[] for _ in left_axes]
        for at in range(length):
            places = [length - 1 - at if way else at for way in ways]
            steps = [self.selected(*each) for each in zip(sequences, axes, places)]
            made = self.body(body, {**names, **_inputs(body, [*states, *steps])})
            states, left = made[: len(states)], made[len(states) :]
            for each, value in zip(kept, left):
                each.append(value)
        ordered = [each[::-1] if way else each for each, way in zip(kept, left_ways)]
        return [*states, *map(self.stacked, ordered, left_axes)]

    def selected(self, sequence: ForeignTensor, axis: int, at: int) -> ForeignTensor:
        """Return one step of a sequence."""
        made = ForeignTensor((*sequence.shape[:axis], *sequence.shape[axis + 1 :]), sequence.dtype)
        self.say(ForeignCall("select", {"self": sequence, "dim": axis, "index": at}, (made,)))
        return made

    def stacked(self, values: Sequence[Any], axis: int) -> ForeignTensor:
        """Return what the iterations left, beside each other."""
        if not values:
            raise Undecided("a loop without iterations")
        made = ForeignTensor((), "float32")
        self.say(ForeignCall("stack", {"tensors": list(values), "dim": axis}, (made,)))
        return made


def _inputs(body: onnx.GraphProto, given: Sequence[Any]) -> Names:
    return dict(zip((each.name for each in body.input), given))


def _constant(value: Any) -> ForeignTensor:
    return ForeignTensor(value.shape, str(value.dtype), constant=value)
