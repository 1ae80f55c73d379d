"""A graph with other levels that the backward pass runs again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netspec.graph.graph import Graph
from netspec.graph.level import Call, Level, Step


def with_recomputed(graph: Graph, paths: Iterable[str], only: bool = False) -> Graph:
    """Return a graph in which the levels at these paths are recomputed too, or ``only`` these. What is equal is one."""
    known: dict[tuple[Level, frozenset[str]], Level] = {}

    def changed(level: Level, inside: frozenset[str]) -> Level:
        if not inside and not only:
            return level
        if (level, inside) not in known:
            known[level, inside] = anew(level, inside)
        return known[level, inside]

    def anew(level: Level, inside: frozenset[str]) -> Level:
        steps: list[Step] = []
        for step in level.steps:
            prefix = f"{step.name}."
            deeper = frozenset(path.removeprefix(prefix) for path in inside if path.startswith(prefix))
            if isinstance(step, Call) and (only or deeper or step.name in inside):
                recompute = (step.recompute and not only) or step.name in inside
                step = replace(step, body=changed(step.body, deeper), recompute=recompute)
            steps.append(step)
        phases = {new: level.phases[old] for old, new in zip(level.steps, steps) if old in level.phases}
        return replace(level, steps=tuple(steps), phases=phases)

    return replace(graph, body=changed(graph.body, frozenset(paths)))
