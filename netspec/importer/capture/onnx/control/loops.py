"""A Loop of ONNX that runs as often as a symbolic size says: a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.importer.capture.control.scans import ScanMaker, Undecided, all_of_one, guard_alike
from netspec.importer.capture.onnx.control.sequences import CollectedSequence
from netspec.importer.program import ForeignLoop, ForeignStep
from netspec.ops.core.foreign import ForeignTensor

if TYPE_CHECKING:
    import onnx

ReadBody = Callable[["onnx.GraphProto", dict[str, Any]], list[Any]]
"""Reads a graph inside another, whose inputs are among the names; gives its outputs."""
Condition = Callable[[ForeignTensor, str], bool]
"""Tells whether a condition holds, and whose it is, in words."""
Same = Mapping[ForeignTensor, ForeignTensor]
"""Tensors that stand for others."""


class CountedLoop:
    """Reads the body of a loop once. ``count`` is the number of the iteration in it, ``carried`` its states, where a
    sequence that grows is empty.
    """

    def __init__(self, maker: ScanMaker, length: Any, states: Sequence[Any]):
        self.maker, self.length, self.states = maker, length, states
        self.count = ForeignTensor((), "int64")
        self.carried: list[Any] = [
            [] if isinstance(each, list) else ForeignTensor(each.shape, each.dtype) for each in states
        ]
        self.grown = [at for at, each in enumerate(states) if isinstance(each, list)]

    def outputs(
        self,
        body: onnx.GraphProto,
        names: Mapping[str, Any],
        read: ReadBody,
        holds: Callable[[ForeignTensor, str], bool],
    ) -> list[Any]:
        """Return the states after the last iteration, and what all have left, where ``read`` reads the body and
        ``holds`` tells a condition's value. Raises ``Undecided``.
        """
        steps, first = self.maker.steps, len(self.maker.steps)
        true = ForeignTensor((), "bool", constant=np.array(True))
        given = dict(zip((each.name for each in body.input), [self.count, true, *self.carried]))
        goes_on, *made = read(body, {**names, **given})
        if not holds(goes_on, "a Loop"):
            raise Undecided("a Loop that ends at once")
        after, left = made[: len(self.states)], made[len(self.states) :]
        inside = steps[first:]
        del steps[first:]
        return self._scanned(inside, after, left)

    def _scanned(self, inside: list[ForeignStep], after: Sequence[Any], left: Sequence[Any]) -> list[Any]:
        """The outputs of the scan that is put in the place of the body's steps."""
        tensors = [at for at in range(len(self.states)) if at not in self.grown]
        same = {self.carried[at]: self.states[at] for at in tensors if after[at] is self.carried[at]}
        kept = [at for at in tensors if self.carried[at] not in same]
        gathered = [*(_last_one(self.states[at], after[at]) for at in self.grown), *left]
        following = [after[at] for at in kept]
        for at in kept:
            guard_alike(self.states[at], after[at])
        inside, elements = self._elements([_reading(step, same) for step in inside], [*gathered, *following])
        self._guard_own([*gathered, *following], inside, elements)
        collected = [all_of_one(each, self.length) for each in gathered]
        finals = [ForeignTensor(self.states[at].shape, self.states[at].dtype) for at in kept]
        begins = (
            [*elements, *(self.states[at] for at in kept)],
            [*elements.values(), *(self.carried[at] for at in kept)],
        )
        first = len(self.maker.steps)
        self.maker.steps += inside
        loop = ForeignLoop(self.length, len(elements), len(kept))
        self.maker.mark(loop, first, begins, ([*gathered, *following], [*collected, *finals]))
        made = {**dict(zip(kept, finals)), **dict(zip(self.grown, map(CollectedSequence, collected)))}
        results = [made.get(at, state) for at, state in enumerate(self.states)]
        return [*results, *(self.maker.placed(each, 0, False) for each in collected[len(self.grown) :])]

    def _elements(
        self, inside: list[ForeignStep], given: Sequence[Any]
    ) -> tuple[list[ForeignStep], dict[ForeignTensor, ForeignTensor]]:
        """The steps that stay, and the sequences of which the others read one step each, with these steps."""
        made = {id(each) for step in inside for each in step.call.outputs} | {*map(id, self.carried)}
        kept: list[ForeignStep] = []
        found: dict[ForeignTensor, ForeignTensor] = {}
        known: dict[tuple[ForeignTensor, int], ForeignTensor] = {}
        same: dict[ForeignTensor, ForeignTensor] = {}
        for step in inside:
            step = _reading(step, same)
            whole, dim, one = self._element(step)
            if whole is None or one is None or id(whole) in made:
                kept.append(step)
            elif (whole, dim) in known:
                same[one] = known[whole, dim]
            else:
                known[whole, dim] = one
                found[self.maker.along(whole, dim, False)] = one
        reads = [each for step in kept if step.reading is not None for each in step.reading.inputs]
        if not found or any(each is self.count for each in (*reads, *given)):
            found[self.maker.counted(self.length)] = self.count
        return kept, found

    def _element(self, step: ForeignStep) -> tuple[ForeignTensor | None, int, ForeignTensor | None]:
        """The sequence of which a step reads the iteration's own, along which dimension, and what it gives."""
        if step.op == "take" and step.reading is not None and step.reading.inputs[1] is self.count:
            whole, dim = step.reading.inputs[0], step.reading.arguments.get("dim")
            if whole is not None and dim is not None and whole.shape[dim] == self.length:
                return whole, dim % len(whole.shape), step.reading.outputs[0]
        return None, 0, None

    def _guard_own(
        self, given: Sequence[Any], inside: Sequence[ForeignStep], elements: Mapping[ForeignTensor, ForeignTensor]
    ) -> None:
        """Guard: what an iteration gives is its own. Raises ``Undecided``."""
        own = {id(each) for step in inside if step.reading is not None for each in step.reading.outputs}
        own |= {id(each) for each in (*elements.values(), *self.carried)}
        if any(id(each) not in own for each in given):
            raise Undecided("a Loop that gives what it has not made")


def _reading(step: ForeignStep, same: Same) -> ForeignStep:
    """The step with other tensors in the place of some that it reads."""
    if step.reading is None or not any(each in same for each in step.reading.inputs if each is not None):
        return step
    inputs = tuple(each if each is None else same.get(each, each) for each in step.reading.inputs)
    return replace(step, reading=step.reading._replace(inputs=inputs))


def _last_one(before: list[Any], after: Any) -> ForeignTensor:
    """Return the tensor that an iteration adds to a sequence, which was empty before the loop."""
    if before or not isinstance(after, list) or len(after) != 1:
        raise Undecided("a Loop that does more with a sequence than to add one tensor in each iteration")
    tensor: ForeignTensor = after[0]
    return tensor
