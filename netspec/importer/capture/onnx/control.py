"""Control flow: a branch that is decided before a network runs is taken, a loop is written out or becomes a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from netspec.importer.program import SCAN, SCAN_END, ForeignLoop, ForeignStep, common_scopes
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading

Names = dict[str, Any]
ReadBody = Callable[[onnx.GraphProto, Names], list[Any]]
"""Reads a graph inside another, whose inputs are among the names; gives its outputs."""
Say = Callable[[ForeignCall], None]
"""Adds a call to the program."""

Marked = tuple[Sequence[ForeignTensor], Sequence[ForeignTensor]]
"""The tensors that a mark of a scan reads, and those that it gives."""

CONTROL = frozenset({"If", "Loop", "Scan"})
MOST_ITERATIONS = 10_000


class Undecided(Exception):
    """A branch or a loop that is decided only when the network runs; the message says which."""


class ControlReader:
    """Reads nodes of control flow; ``known`` tells the value of a tensor, ``None`` where it is none before it runs."""

    def __init__(self, body: ReadBody, say: Say, known: Callable[[ForeignTensor], Any], steps: list[ForeignStep]):
        self.body, self.say, self.known, self.steps = body, say, known, steps

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
        handed = handed_on(body, len(inputs) - count)
        if handed:
            return self.without_handed(handed, inputs, attributes, names)
        states, sequences = list(inputs[:-count]), inputs[-count:]
        axes = attributes.get("scan_input_axes", [0] * count)
        ways = attributes.get("scan_input_directions", [0] * count)
        length = sequences[0].shape[axes[0]]
        left_axes = attributes.get("scan_output_axes", [0] * (len(body.output) - len(states)))
        left_ways = attributes.get("scan_output_directions", [0] * len(left_axes))
        if not isinstance(length, int) or length > 1:
            wholes = [self.along(each, axis, way != ways[0]) for each, axis, way in zip(sequences, axes, ways)]
            made = self.marked(body, names, states, wholes, bool(ways[0]), length)
            finals, left = made[: len(states)], made[len(states) :]
            turned = [way != ways[0] for way in left_ways]
            return [*finals, *(self.placed(each, axis, turn) for each, axis, turn in zip(left, left_axes, turned))]
        steps = [self.selected(*each) for each in zip(sequences, axes, [0] * count)]
        made = self.body(body, {**names, **_inputs(body, [*states, *steps])})
        return [*made[: len(states)], *(self.stacked([each], a) for each, a in zip(made[len(states) :], left_axes))]

    def without_handed(
        self, handed: Sequence[int], inputs: Sequence[Any], attributes: Mapping[str, Any], names: Names
    ) -> list[Any]:
        """Return the outputs of a scan some of whose states stay as they are: its body reads them from outside."""
        whole, body = attributes["body"], onnx.GraphProto()
        body.CopyFrom(whole)
        for at in reversed(handed):
            del body.input[at], body.output[at]
        outside = {**names, **{whole.input[at].name: inputs[at] for at in handed}}
        rest = [each for at, each in enumerate(inputs) if at not in handed]
        made = self.scan(rest, {**attributes, "body": body}, outside)
        for at in handed:
            made.insert(at, inputs[at])
        return made

    def marked(
        self,
        body: onnx.GraphProto,
        names: Names,
        states: Sequence[ForeignTensor],
        wholes: Sequence[ForeignTensor],
        reverse: bool,
        length: Any,
        leading: Sequence[Any] = (),
    ) -> list[Any]:
        """Return the last states of a scan, and what it collects, along the second dimension; ``wholes`` are sequences
        along theirs. ``leading`` are inputs of the body before the states, ``None`` for the steps of the sequences.
        """
        first = len(self.steps)
        elements = [_one(each) for each in wholes]
        carried = [ForeignTensor(each.shape, each.dtype) for each in states]
        given = [*leading, *carried] if leading else [*carried, *elements]
        given = [elements[0] if each is None else each for each in given]
        made = self.body(body, {**names, **_inputs(body, given)})[bool(leading) :]
        following, left = made[: len(states)], made[len(states) :]
        for before, after in zip(states, following):
            if before.shape != after.shape or before.dtype != after.dtype:
                raise Undecided("a loop whose states change their shape")
        collected = [_all(each, length) for each in left]
        finals = [ForeignTensor(each.shape, each.dtype) for each in states]
        loop = ForeignLoop(length, len(wholes), len(states), reverse)
        mark_scan(
            self.steps,
            loop,
            first,
            ([*wholes, *states], [*elements, *carried]),
            ([*left, *following], [*collected, *finals]),
        )
        return [*finals, *collected]

    def along(self, sequence: ForeignTensor, axis: int, turned: bool) -> ForeignTensor:
        """Return a sequence along its second dimension, turned round if it is read the other way."""
        rank = len(sequence.shape)
        made = self.moved(sequence, axis % rank, min(1, rank - 1))
        return self.flipped(made, min(1, rank - 1)) if turned else made

    def placed(self, collected: ForeignTensor, axis: int, turned: bool) -> ForeignTensor:
        """Return what is collected along the dimension that the node has it in."""
        rank = len(collected.shape)
        made = self.flipped(collected, min(1, rank - 1)) if turned else collected
        return self.moved(made, min(1, rank - 1), axis % rank)

    def moved(self, tensor: ForeignTensor, old: int, new: int) -> ForeignTensor:
        """Return a tensor with a dimension at another place."""
        if old == new:
            return tensor
        order = [at for at in range(len(tensor.shape)) if at != old]
        order.insert(new, old)
        made = ForeignTensor(tuple(tensor.shape[at] for at in order), tensor.dtype)
        self.say(ForeignCall("permute", {"self": tensor, "dims": order}, (made,)))
        return made

    def flipped(self, tensor: ForeignTensor, axis: int) -> ForeignTensor:
        """Return a tensor turned round."""
        made = ForeignTensor(tensor.shape, tensor.dtype)
        self.say(ForeignCall("flip", {"self": tensor, "dims": [axis]}, (made,)))
        return made

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


def handed_on(body: onnx.GraphProto, states: int) -> list[int]:
    """Return the numbers of the states that each iteration of a scan hands on as they are."""
    same = {node.output[0]: node.input[0] for node in body.node if node.op_type == "Identity" and not node.domain}
    return [at for at in range(states) if same.get(body.output[at].name, body.output[at].name) == body.input[at].name]


def _inputs(body: onnx.GraphProto, given: Sequence[Any]) -> Names:
    return dict(zip((each.name for each in body.input), given))


def mark_scan(steps: list[ForeignStep], loop: ForeignLoop, first: int, begins: Marked, ends: Marked) -> None:
    """Put the marks of a scan around the steps from a number on."""
    for op, (inputs, outputs), at in ((SCAN_END, ends, len(steps)), (SCAN, begins, first)):
        said = OpReading({}, tuple(inputs), {}, tuple(outputs))
        steps.insert(at, ForeignStep(ForeignCall(op, {}, tuple(outputs)), (), "", op, said, loop))


def place_scans(steps: Sequence[ForeignStep], dotted: bool) -> None:
    """Say of the marks of scans in which modules' calls they stand: those that all steps between them are in.

    With ``dotted`` names, a step's own is the last of the calls that it is in.
    """
    begun: list[int] = []
    for at, step in enumerate(steps):
        if step.op == SCAN:
            begun.append(at)
        elif step.op == SCAN_END:
            first = begun.pop()
            inside = [each.scopes for each in steps[first + 1 : at]]
            steps[first].scopes = step.scopes = common_scopes([each[:-1] for each in inside] if dotted else inside)


def _one(whole: ForeignTensor) -> ForeignTensor:
    """Return one step of a sequence along its second dimension."""
    axis = min(1, len(whole.shape) - 1)
    return ForeignTensor((*whole.shape[:axis], *whole.shape[axis + 1 :]), whole.dtype)


def _all(one: ForeignTensor, length: Any) -> ForeignTensor:
    """Return what all iterations leave, along the second dimension."""
    axis = min(1, len(one.shape))
    return ForeignTensor((*one.shape[:axis], length, *one.shape[axis:]), one.dtype)


def _constant(value: Any) -> ForeignTensor:
    return ForeignTensor(value.shape, str(value.dtype), constant=value)
