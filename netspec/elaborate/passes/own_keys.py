"""Steps and tensors with keys that lead away from their level's own names: each key is there once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from netspec.diagnostics import Label, clipped
from netspec.elaborate.passes.draft import Draft
from netspec.graph import Call, Level, Step, Visit, key_of, visits


def settle_keys(draft: Draft) -> None:
    """Report keys that two steps have, and mark the levels whose modules hold more than their own steps."""
    if not draft.body.has_keys:
        return
    owners: dict[str, Step] = {}
    levels: dict[str, str] = {}
    tensors: set[str] = set()
    reader = draft.reader
    for visit in visits(draft.body):
        for key, is_tensor in () if visit.shared else places(visit):
            if key in owners:
                labels = (
                    (Label(owners[key].span, "this one has it first"),) if owners[key].span != visit.step.span else ()
                )
                message, help = f"two steps have the key `{clipped(key)}`", "give one of them another key"
                reader.error("duplicate-name", message, visit.step.span, secondary=labels, help=help)
                reader.report.raise_if_any()
            owners[key] = visit.step
            levels[key] = key_of(visit.path.removesuffix(visit.step.name)).rstrip(".")
            tensors.update([key] if is_tensor else [])
    for key, tensor in ((path, each) for path in owners for each in around(path) if each in tensors):
        message = f"`{clipped(key)}` lies in `{clipped(tensor)}`, which is a tensor and holds nothing"
        labels = (Label(owners[tensor].span, "the tensor"),)
        reader.error("duplicate-name", message, owners[key].span, secondary=labels, help="give it another key")
        reader.report.raise_if_any()
    found = ((key, next((each for each in around(key) if each in owners), "")) for key in owners)
    holders = {holder for key, holder in found if holder != levels[key] and isinstance(owners[holder], Call)}
    draft.body = with_holders(draft.body, holders, "")


def places(visit: Visit) -> Iterator[tuple[str, bool]]:
    """Yield the keys of a step's module and of its tensors, each with whether it is a tensor's."""
    step = visit.step
    prefix = visit.path.removesuffix(step.name)
    if isinstance(step, Call):
        yield from [] if step.is_transparent else [(key_of(visit.path), False)]
        return
    inside = prefix.endswith(").")  # of a scan that is no level, what has no tensors makes no module
    if not (step.keys or "" in step.state or (inside and not step.state)):
        yield key_of(visit.path), False
    if step.state:
        yield from ((step.key(prefix, name), True) for name in step.state)


def around(key: str) -> Iterator[str]:
    """Yield the paths that a key begins with, the longest first."""
    while key := key.rpartition(".")[0]:
        yield key


def with_holders(level: Level, paths: Collection[str], prefix: str) -> Level:
    """Return a level where the levels at some paths are marked: their modules hold more than their own steps."""
    if not paths:
        return level
    steps = []
    for step in level.steps:
        path = prefix + (step.shares or step.name)
        if isinstance(step, Call) and step.is_transparent:
            body = with_holders(step.body, paths, prefix)
            step = step if body is step.body else replace(step, body=body)
        elif isinstance(step, Call):
            body = with_holders(step.body, {each for each in paths if each.startswith(f"{path}.")}, f"{path}.")
            body = replace(body, holds_more=True) if path in paths else body
            step = step if body is step.body else replace(step, body=body)
        steps.append(step)
    if all(old is new for old, new in zip(level.steps, steps)):
        return level
    phases = {new: level.phases[old] for old, new in zip(level.steps, steps) if old in level.phases}
    return replace(level, steps=tuple(steps), phases=phases)
