"""The steps around a scan: its marks, and what brings sequences and collected values into the dimension that is wanted.

A scan reads sequences along their second dimension, and collects along it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netspec.importer.program import SCAN, SCAN_END, ForeignLoop, ForeignStep, common_scopes
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading

Marked = tuple[Sequence[ForeignTensor], Sequence[ForeignTensor]]
"""The tensors that a mark of a scan reads, and those that it gives."""


class Undecided(Exception):
    """A branch or a loop that is decided only when the network runs; the message says which."""


class ScanMaker:
    """Writes what stands around scans; ``say`` adds a call to the program, whose ``steps`` there are so far."""

    def __init__(self, say: Callable[[ForeignCall], None], steps: list[ForeignStep]):
        self.say, self.steps = say, steps

    def along(self, sequence: ForeignTensor, axis: int, turned: bool) -> ForeignTensor:
        """Return a sequence along its second dimension, turned round if it is read the other way."""
        rank = len(sequence.shape)
        made = self.moved(sequence, axis % rank, min(1, rank - 1))
        return self.flipped(made, min(1, rank - 1)) if turned else made

    def placed(self, collected: ForeignTensor, axis: int, turned: bool) -> ForeignTensor:
        """Return what is collected along the dimension that it is wanted in."""
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

    def counted(self, length: Any) -> ForeignTensor:
        """Return the numbers of the iterations."""
        made = ForeignTensor((length,), "int64")
        self.say(ForeignCall("arange", {"end": length}, (made,)))
        return made

    def chosen(self, condition: ForeignTensor, yes: Any, no: Any, whose: str) -> ForeignTensor:
        """Return one of two tensors, both of which are computed. Raises ``Undecided`` where they are not alike."""
        if yes is no and isinstance(yes, ForeignTensor):
            return yes
        guard_alike(yes, no, f"{whose} whose branches give different shapes")
        made = ForeignTensor(yes.shape, yes.dtype)
        self.say(ForeignCall("where", {"condition": condition, "self": yes, "other": no}, (made,)))
        return made

    def mark(self, loop: ForeignLoop, first: int, begins: Marked, ends: Marked) -> None:
        """Put the marks of a scan around the steps from a number on."""
        for op, (inputs, outputs), at in ((SCAN_END, ends, len(self.steps)), (SCAN, begins, first)):
            said = OpReading({}, tuple(inputs), {}, tuple(outputs))
            self.steps.insert(at, ForeignStep(ForeignCall(op, {}, tuple(outputs)), (), "", op, said, loop))


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


def guard_alike(one: Any, other: Any, told: str = "a loop whose states change their shape") -> None:
    """Guard: two values are tensors of one shape and dtype. Raises ``Undecided``."""
    both = isinstance(one, ForeignTensor) and isinstance(other, ForeignTensor)
    if not both or one.shape != other.shape or one.dtype != other.dtype:
        raise Undecided(told)


def one_of_all(whole: ForeignTensor) -> ForeignTensor:
    """Return one step of a sequence along its second dimension."""
    axis = min(1, len(whole.shape) - 1)
    return ForeignTensor((*whole.shape[:axis], *whole.shape[axis + 1 :]), whole.dtype)


def all_of_one(one: ForeignTensor, length: Any) -> ForeignTensor:
    """Return what all iterations leave, along the second dimension."""
    axis = min(1, len(one.shape))
    return ForeignTensor((*one.shape[:axis], length, *one.shape[axis:]), one.dtype)
