"""The paths of steps that an item of the page stands for, or that are open or frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.graph import Call, Level, Step, visits
from netspec.view.folding import Box, Item


def frozen_paths(body: Level) -> list[str]:
    """The outermost steps whose parameters are not trained: all that is in them is frozen too."""
    found: list[str] = []
    for visit in visits(body):  # levels before what is in them
        if visit.step.frozen and not visit.shared and not (found and visit.path.startswith(f"{found[-1]}.")):
            found.append(visit.path)
    return found


def covered_paths(steps: Sequence[Step], path: str) -> Iterator[str]:
    """The paths of all steps that an item stands for: copies, and what follows an op on its card.

    The item's own path says how deep they lie, in levels that hold nothing else.
    """
    first, rest = steps[0], path[len(steps[0].name) + 1 :]
    if not rest or not isinstance(first, Call):
        yield from (step.name for step in steps)
        return
    for step in steps:
        yield from (f"{step.name}.{inner}" for inner in covered_paths(first.body.steps, rest))


def open_paths(items: Sequence[Item]) -> Iterator[str]:
    """The paths of the levels that stand open in the diagram."""
    for item in items:
        if isinstance(item, Box):
            yield item.path
            yield from open_paths(item.items)
