"""Control flow: a branch that is decided before a network runs is taken, a loop is written out or becomes a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from netspec.dims import Dim
from netspec.importer.capture.control.scans import ScanMaker, Undecided, all_of_one, guard_alike, one_of_all
from netspec.importer.capture.onnx.control.loops import CountedLoop, ReadBody
from netspec.importer.capture.onnx.control.sequences import SEQUENCES, read_sequence
from netspec.importer.program import ForeignLoop, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

Names = dict[str, Any]
Say = Callable[[ForeignCall], None]
"""Adds a call to the program."""

CONTROL = frozenset({"If", "Loop", "Scan"}) | SEQUENCES
MOST_ITERATIONS, MOST_WRITTEN = 10_000, 64
"""The most iterations of a loop, and how many are written out rather than a scan."""
MOST_DOUBLED = 100
"""The most branches that are computed beside each other."""


class ControlReader(ScanMaker):
    """Reads nodes of control flow; ``known`` tells the value of a tensor, ``None`` where it is none before it runs.

    ``doubled`` gets the names of the nodes both of whose branches are computed.
    """

    def __init__(
        self,
        body: ReadBody,
        say: Say,
        known: Callable[[ForeignTensor], Any],
        steps: list[ForeignStep],
        doubled: list[str],
    ):
        super().__init__(say, steps)
        self.body, self.known, self.doubled = body, known, doubled

    def read(
        self, kind: str, inputs: Sequence[Any], attributes: Mapping[str, Any], names: Names, name: str = ""
    ) -> list[Any]:
        """Return the outputs of a node of this ``name``. Raises ``Undecided``."""
        if kind in SEQUENCES:
            return [read_sequence(kind, inputs, attributes, self, self.known)]
        if kind == "If":
            return self.branch(inputs[0], attributes, names, name)
        if kind == "Loop":
            return self.loop(inputs, attributes["body"], names)
        return self.scan(inputs, attributes, names)

    def branch(self, condition: ForeignTensor, attributes: Mapping[str, Any], names: Names, name: str) -> list[Any]:
        """Return the outputs of the branch that is taken; where the input decides, both are computed."""
        value = self.known(condition)
        if value is not None and value.dtype != object:
            taken = self.truth(condition, "an If")
            return self.body(attributes["then_branch" if taken else "else_branch"], dict(names))
        if value is not None:
            raise Undecided("an If whose condition depends on a size of the input: give that dimension a number")
        self.doubled.append(name or "If")
        if len(self.doubled) > MOST_DOUBLED:
            raise Undecided(f"more than {MOST_DOUBLED} branches that the input decides")
        yes, no = (self.body(attributes[name], dict(names)) for name in ("then_branch", "else_branch"))
        return [self.chosen(condition, *each, "an If") for each in zip(yes, no)]

    def truth(self, tensor: ForeignTensor, whose: str) -> bool:
        """Return a condition's value."""
        value = self.known(tensor)
        if value is None or value.dtype == object or value.size != 1:
            raise Undecided(f"{whose} whose condition depends on the input")
        return bool(value.reshape(-1)[0])

    def loop(self, inputs: Sequence[Any], body: onnx.GraphProto, names: Names) -> list[Any]:
        """Return the states after a loop's last iteration, and what each left."""
        most, condition, *states = inputs
        limit = self.known(most) if most is not None else None
        if most is not None and limit is None:
            raise Undecided("a Loop whose length depends on the input")
        goes_on = condition is None or self.truth(condition, "a Loop")
        length = None if limit is None else limit.reshape(-1)[0]
        if isinstance(length, Dim):
            if not goes_on:
                return self.written_out(0, states, body, names)
            return CountedLoop(self, length, states).outputs(body, names, self.body, self.truth)
        count = MOST_ITERATIONS + 1 if length is None else int(length)
        if length is not None and goes_on and MOST_WRITTEN < count <= MOST_ITERATIONS:
            first = len(self.steps)
            try:
                return CountedLoop(self, count, states).outputs(body, names, self.body, self.truth)
            except Undecided:  # such as one whose states grow
                del self.steps[first:]
        return self.written_out(count if goes_on else 0, states, body, names)

    def written_out(self, count: int, states: Sequence[Any], body: onnx.GraphProto, names: Names) -> list[Any]:
        """Return what a loop gives whose iterations follow each other, so many at most."""
        kept: list[list[Any]] = [[] for _ in range(len(body.output) - 1 - len(states))]
        for at in range(count):
            if at == MOST_ITERATIONS:
                raise Undecided(f"a Loop of more than {MOST_ITERATIONS} iterations")
            given = [_constant(np.array(at, np.int64)), _constant(np.array(True)), *states]
            following, *made = self.body(body, {**names, **_inputs(body, given)})
            states, left = made[: len(states)], made[len(states) :]
            for each, value in zip(kept, left):
                each.append(value)
            if not self.truth(following, "a Loop"):
                break
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
    ) -> list[Any]:
        """Return the last states of a scan, and what it collects, along the second dimension; ``wholes`` are sequences
        along theirs.
        """
        first = len(self.steps)
        elements = [one_of_all(each) for each in wholes]
        carried = [ForeignTensor(each.shape, each.dtype) for each in states]
        made = self.body(body, {**names, **_inputs(body, [*carried, *elements])})
        following, left = made[: len(states)], made[len(states) :]
        for before, after in zip(states, following):
            guard_alike(before, after)
        collected = [all_of_one(each, length) for each in left]
        finals = [ForeignTensor(each.shape, each.dtype) for each in states]
        loop = ForeignLoop(length, len(wholes), len(states), reverse)
        ends = [*left, *following], [*collected, *finals]
        self.mark(loop, first, ([*wholes, *states], [*elements, *carried]), ends)
        return [*finals, *collected]

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


def _constant(value: Any) -> ForeignTensor:
    return ForeignTensor(value.shape, str(value.dtype), constant=value)
