"""The steps that nothing reads are left out of the network: neither computed nor exported, their weights not there.

So are the outputs of a level that none of the steps which run it is read for, and what only they depend on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from netspec.elaborate.passes.draft import Draft
from netspec.graph import Call, Level, Node, Step, levels_in


def leave_out_unread(draft: Draft) -> None:
    """Drop the steps of every level whose results no output of the level depends on; the level keeps them as unread.

    A step stays whose module, or a parameter in it, is another's too.
    """
    if draft.body.is_read:
        return
    steps = [step for level in levels_in(draft.body) for step in level.steps]
    paths = {step.shares for step in steps} | {key for step in steps if isinstance(step, Node) for _, key in step.ties}
    lent = {name for path in paths for name in path.split(".")} | _lent(steps, paths)
    levels = [*_callers_first(draft.body)]
    wanted: dict[Level, set[int]] = {draft.body: {*range(len(draft.body.outputs))}}
    dead = {level: _unread(level, lent, wanted) for level in levels if level in wanted}
    known: dict[Level, Level] = {}
    for level in reversed([*dead]):  # a level after those that it calls
        known[level] = _trimmed(level, dead[level], wanted, known)
    draft.body = known[draft.body]


def _lent(steps: Iterable[Step], paths: Iterable[str]) -> set[str]:
    """Return the names of steps whose names are paths, or with keys for their tensors, that some paths hold."""
    marked = [f".{path}." for path in paths]
    keys = ((step, [step.name, *(key for _, key in getattr(step, "keys", ()))]) for step in steps)
    special = ((step, own) for step, own in keys if len(own) > 1 or "." in step.name)
    return {step.name for step, own in special if any(f".{key}." in path for key in own for path in marked)}


def _callers_first(body: Level) -> list[Level]:
    """Return every level, each before those that its steps call."""
    found: list[Level] = []
    waiting: list[tuple[Level, Iterator[Step]]] = [(body, iter(body.steps))]
    seen = {body}
    while waiting:
        level, steps = waiting[-1]
        inner = next((s.body for s in steps if isinstance(s, Call) and s.body not in seen), None)
        if inner is None:
            found.append(level)
            waiting.pop()
        else:
            seen.add(inner)
            waiting.append((inner, iter(inner.steps)))
    return found[::-1]


def _unread(level: Level, lent: Collection[str], wanted: dict[Level, set[int]]) -> set[Step]:
    """Return the steps that nothing reads, given the outputs that are wanted; tells which those of the others are."""
    needed = {level.outputs[number] for number in wanted[level]}
    unread: set[Step] = set()
    for step in reversed(level.steps):
        if needed.isdisjoint(step.outputs) and step.name not in lent:
            unread.add(step)
            continue
        if isinstance(step, Call):
            whole = step.body.loop is not None or step.name in lent or bool(step.shares)
            read = (number for number, value in enumerate(step.outputs) if whole or value in needed)
            wanted.setdefault(step.body, set()).update(read)
        needed.update(step.inputs)
    return unread


def _trimmed(level: Level, unread: set[Step], wanted: dict[Level, set[int]], known: dict[Level, Level]) -> Level:
    """Return the level with what its wanted outputs depend on; itself, where that is all of it."""
    kept = [(step, _with_trimmed_body(step, wanted, known)) for step in level.steps if step not in unread]
    numbers = sorted(wanted[level])
    if not unread and len(numbers) == len(level.outputs) and all(old is new for old, new in kept):
        return level
    return replace(
        level,
        steps=tuple(new for _, new in kept),
        outputs=tuple(level.outputs[number] for number in numbers),
        output_names=tuple(level.output_names[number] for number in numbers),
        phases={new: level.phases[old] for old, new in kept if old in level.phases},
        unread=(*level.unread, *(step for step in level.steps if step in unread)),
    )


def _with_trimmed_body(step: Step, wanted: dict[Level, set[int]], known: dict[Level, Level]) -> Step:
    """Return a step that runs what is left of its level."""
    if not isinstance(step, Call) or known[step.body] is step.body:
        return step
    outputs = tuple(step.outputs[number] for number in sorted(wanted[step.body]))
    return replace(step, body=known[step.body], outputs=outputs)
