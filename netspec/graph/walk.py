"""Walks over a graph's steps, with their paths and how often each runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netspec.dims import Shape, Size
from netspec.graph.level import Call, Level, Node, Step


class ExecutionCount(NamedTuple):
    """The number of times that steps of a level run in one pass of the network: as a rule, and if they run ahead."""

    run: Size = 1
    ahead: Size = 1

    def at(self, level: Level, step: Step) -> ExecutionCount:
        """Return how often a step of the level runs."""
        return ExecutionCount(self.ahead, self.ahead) if level.phases.get(step) == "hoisted" else self

    def inside(self, body: Level) -> ExecutionCount:
        """Return how often the steps run in a level that a step of this count runs."""
        return self if body.loop is None else ExecutionCount(self.run * body.loop.length, self.run)


ONCE = ExecutionCount()


class Visit(NamedTuple):
    """A step on a walk: its path, if it runs in training only, how often, if its weights are another's or frozen."""

    path: str
    step: Step
    training: bool
    executions: ExecutionCount
    shared: bool
    frozen: bool


def visits(
    level: Level,
    prefix: str = "",
    training: bool = False,
    executions: ExecutionCount = ONCE,
    shared: bool = False,
    frozen: bool = False,
) -> Iterator[Visit]:
    """Every step of a level, and of those that it calls; levels before what is in them."""
    for step in level.steps:
        path, only = prefix + step.name, training or step.training
        own = executions.at(level, step) if level.phases else executions
        visit = Visit(path, step, only, own, shared or bool(step.shares), frozen or step.frozen)
        yield visit
        if isinstance(step, Call):
            yield from visits(step.body, path + ".", only, own.inside(step.body), visit.shared, visit.frozen)


def walk(level: Level) -> Iterator[tuple[str, Step, bool]]:
    """Every step with its path and whether it runs in training only, levels before what is in them."""
    return (visit[:3] for visit in visits(level))


def levels_in(level: Level) -> Iterator[Level]:
    """Every level that a level runs, itself first, each once."""
    waiting, seen = [level], {level}
    while waiting:
        here = waiting.pop()
        yield here
        for step in here.steps:
            if isinstance(step, Call) and step.body not in seen:
                seen.add(step.body)
                waiting.append(step.body)


def walk_parameters(level: Level) -> Iterator[tuple[str, Node, str, str]]:
    """Every learned parameter: its node's path, the node, its torch name, and its ``state_dict`` key."""
    for path, step, _, _, shared, _ in visits(level):
        if isinstance(step, Node) and not shared:
            for name in step.parameters:
                yield path, step, name, step.key(path.removesuffix(step.name), name)


def walk_state(level: Level) -> Iterator[tuple[str, Shape]]:
    """Every key of the ``state_dict`` with its shape: parameters and buffers, node by node."""
    for path, step, _, _, shared, _ in visits(level):
        if isinstance(step, Node) and not shared:
            for name, shape in step.state.items():
                yield step.key(path.removesuffix(step.name), name), shape
