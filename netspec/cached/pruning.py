"""Halves without what nothing in them reads, and with the weights that then have no other owner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netspec.graph import Call, Level, Node, Step, Value, walk


def pruned(level: Level) -> Level:
    """Return a level of which everything leads to its outputs, its inputs too."""
    return _Pruner().level(level, tuple(range(len(level.outputs))))[0]


class _Pruner:
    """Rewrites levels, each once for the outputs that are read."""

    def __init__(self) -> None:
        self.known: dict[tuple[Level, tuple[int, ...]], tuple[Level, tuple[int, ...]]] = {}

    def level(self, level: Level, wanted: tuple[int, ...]) -> tuple[Level, tuple[int, ...]]:
        """Return a level that gives the outputs ``wanted`` alone, and the inputs that it then reads."""
        if (level, wanted) not in self.known:
            self.known[level, wanted] = self._level(level, wanted)
        return self.known[level, wanted]

    def _level(self, level: Level, wanted: tuple[int, ...]) -> tuple[Level, tuple[int, ...]]:
        if level.loop is not None:
            return level, tuple(range(len(level.inputs)))
        read = {level.outputs[at] for at in wanted}
        steps: list[Step] = []
        for step in reversed(level.steps):
            if read.isdisjoint(step.outputs):
                continue
            kept = self.call(step, read) if isinstance(step, Call) else step
            read.update(kept.inputs)
            steps.append(kept)
        steps = _owning(level, steps[::-1])
        have = tuple(at for at, value in enumerate(level.inputs) if value in read)
        made = replace(
            level,
            inputs=tuple(level.inputs[at] for at in have),
            input_names=tuple(level.input_names[at] for at in have),
            steps=tuple(steps),
            outputs=tuple(level.outputs[at] for at in wanted),
            output_names=tuple(level.output_names[at] for at in wanted),
        )
        return made, have

    def call(self, call: Call, read: Collection[Value]) -> Call:
        if call.body.loop is not None:
            return call
        wanted = tuple(at for at, value in enumerate(call.outputs) if value in read)
        body, have = self.level(call.body, wanted)
        outputs = tuple(call.outputs[at] for at in wanted)
        return replace(call, body=body, inputs=tuple(call.inputs[at] for at in have), outputs=outputs)


def _owning(level: Level, steps: list[Step]) -> list[Step]:
    """Have the first step that runs the module of one that is gone take its place."""
    names = {step.name for step in steps}
    made: list[Step] = []
    for step in steps:
        if step.shares and step.shares not in names:
            names.add(step.shares)
            step = replace(step, name=step.shares, shares="")
        made.append(step)
    return made


def with_owners(level: Level) -> Level:
    """Return a level in which the first of several parameters that are one has it, where its owner is gone."""
    if not level.has_ties:
        return level
    there = {f"{path}.{name}" for path, step, _ in walk(level) if isinstance(step, Node) for name in step.parameters}
    return _retied(level, "", there, {})


def _retied(level: Level, prefix: str, there: Collection[str], owners: dict[str, str]) -> Level:
    if not level.has_ties:
        return level
    steps: list[Step] = []
    for step in level.steps:
        path = prefix + step.name
        if isinstance(step, Call):
            body = _retied(step.body, f"{path}.", there, owners)
            steps.append(step if body is step.body else replace(step, body=body))
        elif step.ties:
            steps.append(replace(step, ties=_ties(step.ties, path, there, owners)))
        else:
            steps.append(step)
    return replace(level, steps=tuple(steps))


def _ties(
    ties: tuple[tuple[str, str], ...], path: str, there: Collection[str], owners: dict[str, str]
) -> tuple[tuple[str, str], ...]:
    made = []
    for name, target in ties:
        if target not in there:
            owner = owners.setdefault(target, f"{path}.{name}")
            if owner == f"{path}.{name}":
                continue
            target = owner
        made.append((name, target))
    return tuple(made)
