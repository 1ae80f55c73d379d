"""Inlay hints: the shape that a step gives, at the end of its line."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.dims import pretty_shape
from netspec.lsp.document import Document, Instance, Place


def hints(document: Document, first: int, last: int) -> list[tuple[int, str]]:
    """Return each line with a step, counted from 1, and the shape of the step's output.

    A step that was built several times shows its first shape, with ``…`` where others differ.
    """
    built = document.built
    if built is None:
        return []
    by_line: dict[int, dict[int, list[Instance]]] = {}
    places: dict[Place, list[Instance]] = {}
    for variant in reversed(list(built.graphs)):  # the defaults come last, and win
        places.update(built.steps(variant))
    for (line, column), instances in places.items():
        by_line.setdefault(line, {})[column] = instances
    now = document.built_lines()
    found = []
    for line, steps in sorted(by_line.items()):
        here = now.get(line)
        if here is not None and first <= here <= last:
            found.append((here, shape_hint(_of_line(built.source.line(line), steps))))
    return sorted(found)


def _of_line(text: str, steps: dict[int, list[Instance]]) -> list[Instance]:
    """The step that a line is about: the one that starts it, else its last."""
    start = min(steps)
    return steps[start if not text[: start - 1].strip(" -") else max(steps)]


def shape_hint(instances: Sequence[Instance]) -> str:
    shapes = [", ".join(pretty_shape(value.shape) for value in instance.step.outputs) for instance in instances]
    return f"→ {shapes[0]}" + (" …" if len(set(shapes)) > 1 else "")
