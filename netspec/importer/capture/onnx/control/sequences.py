"""Sequences of tensors: lists of those that there are, or what a loop has collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from netspec.importer.capture.control.scans import ScanMaker, Undecided
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

Known = Callable[[ForeignTensor], Any]
"""Tells the value of a tensor, ``None`` where it is none before the network runs."""


class CollectedSequence(NamedTuple):
    """The tensors that the iterations of a loop have added, as one along the second dimension."""

    whole: ForeignTensor


def read_sequence(
    kind: str, inputs: Sequence[Any], attributes: Mapping[str, Any], maker: ScanMaker, known: Known
) -> Any:
    """Return what a node that makes or reads a sequence gives. Raises ``Undecided``."""
    if kind == "SequenceEmpty":
        return []
    if kind == "SequenceConstruct":
        return [*inputs]
    sequence = inputs[0]
    if kind == "ConcatFromSequence":
        return _joined(sequence, attributes["axis"], bool(attributes.get("new_axis", 0)), maker)
    at = _number(inputs[-1], known) if len(inputs) > (2 if kind == "SequenceInsert" else 1) else None
    if kind == "SequenceAt" and at is not None:
        if isinstance(sequence, list):
            return sequence[at]
        return maker.selected(sequence.whole, min(1, len(sequence.whole.shape) - 1), at)
    if kind == "SequenceInsert" and isinstance(sequence, list):
        place = len(sequence) if at is None else at
        return [*sequence[:place], inputs[1], *sequence[place:]]
    raise Undecided("a sequence whose length depends on the input")


SEQUENCES = frozenset({"SequenceEmpty", "SequenceConstruct", "SequenceInsert", "SequenceAt", "ConcatFromSequence"})
"""The nodes that make and read sequences."""


def _number(place: ForeignTensor, known: Known) -> int:
    value = known(place)
    if value is None or value.dtype == object:
        raise Undecided("a place in a sequence that depends on the input")
    return int(value.reshape(-1)[0])


def _joined(sequence: Any, axis: int, apart: bool, maker: ScanMaker) -> ForeignTensor:
    """The tensors of a sequence joined along a dimension, or stacked along a new one."""
    made = ForeignTensor((), "float32")
    if isinstance(sequence, list):
        if not sequence:
            raise Undecided("a sequence that is empty")
        maker.say(ForeignCall("stack" if apart else "cat", {"tensors": [*sequence], "dim": axis}, (made,)))
        return made
    if apart:
        return maker.placed(sequence.whole, axis, False)
    axis %= len(sequence.whole.shape) - 1
    whole = maker.placed(sequence.whole, axis, False)
    maker.say(ForeignCall("flatten", {"self": whole, "start_dim": axis, "end_dim": axis + 1}, (made,)))
    return made
