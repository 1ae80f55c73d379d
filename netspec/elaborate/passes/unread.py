"""The steps that nothing reads are left out of the network: neither computed nor exported, their weights not there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netspec.elaborate.passes.draft import Draft
from netspec.graph import Call, Level, Node, Step, levels_in


def leave_out_unread(draft: Draft) -> None:
    """Drop the steps of every level whose results no output of the level depends on; the level keeps them as unread.

    A step stays whose module, or a parameter in it, is another's too.
    """
    steps = [step for level in levels_in(draft.body) for step in level.steps]
    paths = {step.shares for step in steps} | {key for step in steps if isinstance(step, Node) for _, key in step.ties}
    draft.body = _trimmed(draft.body, {name for path in paths for name in path.split(".")}, {})


def _trimmed(level: Level, lent: Collection[str], known: dict[Level, Level]) -> Level:
    """The level with what its outputs depend on; itself, where that is all of it."""
    if level in known:
        return known[level]
    needed = {*level.outputs}
    kept: list[tuple[Step, Step]] = []
    unread: list[Step] = []
    for step in reversed(level.steps):
        if needed.isdisjoint(step.outputs) and step.name not in lent:
            unread.append(step)
            continue
        needed.update(step.inputs)
        new: Step = step
        if isinstance(step, Call):
            body = _trimmed(step.body, lent, known)
            new = step if body is step.body else replace(step, body=body)
        kept.append((step, new))
    if unread or any(old is not new for old, new in kept):
        steps = tuple(new for _, new in reversed(kept))
        phases = {new: level.phases[old] for old, new in kept if old in level.phases}
        known[level] = replace(level, steps=steps, phases=phases, unread=(*level.unread, *reversed(unread)))
    return known.setdefault(level, level)
