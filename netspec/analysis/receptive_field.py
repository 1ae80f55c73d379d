"""Receptive fields: how much of the network's input one place of a step's output depends on.

For each spatial dimension a field is the span of the input that place ``i`` reads, ``stride·i + first`` to
``stride·i + last`` (Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks"). Where
branches meet, it is the hull of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from netspec.graph import Call, Graph, Level, Node, Value
from netspec.ops import AccessWindow

Field = tuple[AccessWindow, ...]
ALL: Field = ()
"""Every place of the input."""


def receptive_fields(graph: Graph) -> Mapping[str, Field]:
    """The field of each step's first output by path, for the steps whose outputs have places; ``ALL`` is everything."""
    known: dict[Value, Field] = {}
    for value in graph.inputs.values():
        if len(value.shape) > 2 and "float" in value.tensor.dtype:
            known[value] = (AccessWindow(1, 0, 0),) * (len(value.shape) - 2)
    fields: dict[str, Field] = {}
    _walk(graph.body, known, "", fields)
    return fields


def _walk(level: Level, known: dict[Value, Field], prefix: str, fields: dict[str, Field]) -> None:
    """The fields in a level, and in those that it calls; ``known`` has those of its inputs."""
    for step in level.steps:
        path = prefix + step.name
        if isinstance(step, Call):
            inside = {own: known[value] for own, value in zip(step.body.inputs, step.inputs) if value in known}
            if step.body.loop is None and inside:
                _walk(step.body, inside, path + ".", fields)
                known.update(
                    (value, inside[own]) for own, value in zip(step.body.outputs, step.outputs) if own in inside
                )
        else:
            field = _through(step, [known[value] for value in step.inputs if value in known])
            if field is not None:
                known.update(dict.fromkeys(step.outputs, field))
        if step.outputs and step.outputs[0] in known:
            fields[path] = known[step.outputs[0]]


def _through(node: Node, fields: Sequence[Field]) -> Field | None:
    """The field of what a node makes; ``None`` where its output has no places, or nothing can be said of them."""
    rank = len(node.inputs[0].shape) - 2 if node.inputs else 0
    if not fields or rank < 1 or any(len(value.shape) != rank + 2 for value in node.outputs):
        return None
    windows = node.op.access_windows(rank)
    if windows == ():
        return None
    if windows is None or ALL in fields:
        return ALL
    merged = (hull(spans) for spans in zip(*fields))
    return tuple(
        AccessWindow(
            span.stride * step.stride, span.first + span.stride * step.first, span.last + span.stride * step.last
        )
        for span, step in zip(merged, windows)
    )


def hull(spans: Sequence[AccessWindow]) -> AccessWindow:
    """The least span that holds all of them."""
    return AccessWindow(spans[0].stride, min(span.first for span in spans), max(span.last for span in spans))


def field_sizes(field: Field) -> list[int]:
    """Places of the input along each spatial dimension, ``[43, 43]``; none for ``ALL``."""
    return [math.floor(span.last) - math.ceil(span.first) + 1 for span in field]


def field_text(field: Field) -> str:
    """``43``, ``1×7``, ``all``."""
    if field == ALL:
        return "all"
    sizes = field_sizes(field)
    return str(sizes[0]) if len(set(sizes)) == 1 else "×".join(map(str, sizes))
