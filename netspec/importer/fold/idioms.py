"""Levels and steps that a person writes as something shorter that does the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase, Wire


def shortened(body: Sequence[Phrase]) -> list[Phrase]:
    """Return the steps of a level, with what is shorter in the place of levels that do no more."""
    made: list[Phrase] = []
    for phrase in body:
        if isinstance(phrase, GroupPhrase):
            phrase = _op_of(phrase) or phrase
            made += _joined_before(phrase) if isinstance(phrase, GroupPhrase) else []
        made.append(phrase)
    _join_step_by_step(made)
    return made


def _op_of(group: GroupPhrase) -> CallPhrase | None:
    """Return a level as the op that it is: one step, or a norm between permutations that it needs none of."""
    steps = group.body
    if len(steps) not in (1, 3) or len(group.takes) != len(group.reads) or len(group.makes) != 1 or not group.name:
        return None
    op, arguments = steps[len(steps) // 2], {}
    if not isinstance(op, CallPhrase) or not op.keys or any(name != key for name, key in op.keys.items()):
        return None
    if len(steps) == 3:
        axis = _moved_last(steps[0], steps[2])
        if axis is None or op.word not in ("layer_norm", "rms_norm") or "dim" in op.arguments:
            return None
        if op.reads[:1] != steps[0].makes or steps[2].reads != op.makes or steps[0].reads != group.takes:
            return None
        arguments = {"dim": axis}
    elif op.reads != group.takes:
        return None
    call = CallPhrase(group.name, True, group.reads, group.makes, word=op.word, ports=op.ports, tied=op.tied)
    call.arguments = {**op.arguments, **arguments}
    for wire in call.makes:
        wire.maker = call
    return call


def _moved_last(before: Phrase, after: Phrase) -> int | None:
    """Return the dimension that one permutation makes the last, and another puts back."""
    first, second = _permutation(before), _permutation(after)
    if first is None or second is None or len(first) != len(second):
        return None
    axis = first[-1]
    moved = [*(at for at in range(len(first)) if at != axis), axis]
    return axis if [*first] == moved and [first[at] for at in second] == [*range(len(first))] else None


def _permutation(phrase: Phrase) -> Sequence[int] | None:
    if not isinstance(phrase, CallPhrase) or phrase.word != "permute":
        return None
    dims: Any = phrase.arguments.get("dims")
    return tuple(at % len(dims) for at in dims) if isinstance(dims, (list, tuple)) else None


def _joined_before(group: GroupPhrase) -> list[Phrase]:
    """Let a level read one tensor that it would join of several first; return the steps that join them before it."""
    first = group.body[0]
    joins = isinstance(first, CallPhrase) and first.word == "concat" and first.reads == group.takes
    if not joins or len(group.takes) < 2 or len(group.reads) != len(group.takes):
        return []
    if any(wire in group.takes for phrase in group.body[1:] for wire in phrase.reads) or len(group.body) < 2:
        return []
    assert isinstance(first, CallPhrase)
    inside, outside = first.makes[0], Wire(first.makes[0].tensor, first)
    inside.maker = None
    first.reads, first.makes = group.reads, [outside]
    group.takes, group.reads, group.body = [inside], [outside], group.body[1:]
    return [first]


def _join_step_by_step(body: Sequence[Phrase]) -> None:
    """Let what joins the same tensors as an earlier step, and one more, begin with what that has made."""
    known: dict[Any, Wire] = {}
    for phrase in body:
        if not isinstance(phrase, CallPhrase) or phrase.word != "concat":
            continue
        reads, dim = tuple(phrase.reads), phrase.arguments.get("dim")
        before = known.get((reads[:-1], dim))
        known[reads, dim] = phrase.makes[0]
        if before is not None:
            phrase.reads = [before, reads[-1]]
