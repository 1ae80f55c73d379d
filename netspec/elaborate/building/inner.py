"""Levels inside others: groups, iterations and branches, and structures that a name makes into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.nodes import add_step, mark_training
from netspec.elaborate.building.step_names import guard_reserved, step_name
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder
from netspec.graph import Call, LevelKind, Value
from netspec.spec import Step
from netspec.spec.steps import NamedStructure

Fill = Callable[[Frame, Value], "Value | None"]
"""Fills a structure's level: takes the value that the structure reads, and returns its result."""


def inner_level(
    context: Context,
    frame: Frame,
    kind: LevelKind,
    name: str,
    span: Span,
    prev: Value | None,
    fill: Callable[[Frame, Value | None], Value | None],
) -> Value | None:
    """Add a level of its own at ``name``, which ``fill`` fills from its input. Returns its output."""
    builder = LevelBuilder(kind, "", span, frame.builder.path_of(name), frame.builder)
    entered = None if prev is None else builder.enter(prev, "input")
    result = fill(Frame(builder, frame.env), entered)
    if result is UNKNOWN:
        raise AlreadyReported
    if result is None:
        help = "remove its `name`, so that steps can read the branches by their own names"
        raise context.reader.error("no-value", f"`{name}` does not end with a single value", span, help=help)
    result = required(context, result, span, "an output")
    level, actual = builder.close(context.cache.interned, {"output": result}, {})
    output = builder.give("output", result)
    mark_training(context, frame, actual, (output,), span)
    add_step(context, frame, Call(name, level, tuple(actual), (output,), span, True, frame.training))
    frame.builder.names[name] = output
    frame.builder.inner[name] = builder
    return output


def branch_level(
    context: Context, frame: Frame, kind: LevelKind, name: str, span: Span, body: Sequence[Step], prev: Value | None
) -> Value | None:
    """Elaborate an iteration or a branch: a lone unnamed step *is* it; anything else gets a level of that name."""
    if len(body) == 1 and body[0].is_level and getattr(body[0], "name", None) is None:
        return context.step(frame, body[0], prev, name)
    if name in frame.builder.name_spans:
        step_name(context, frame, None, name, span)
    guard_reserved(context, name, span)
    frame.builder.name_spans[name] = span
    return inner_level(context, frame, kind, name, span, prev, lambda inner, value: context.run(inner, body, value))


def grouped(context: Context, frame: Frame, step: NamedStructure, prev: Value | None, fill: Fill) -> Value | None:
    """Elaborate a structure that reads one value: in the level around it, or with a name in one of its own."""
    prev = required(context, previous(context, prev, step.span), step.span, f"`{step.known_as}`")
    if step.name is None:
        return fill(frame, prev)
    name = step_name(context, frame, step.name, None, step.span)
    return inner_level(
        context,
        frame,
        "sequential",
        name,
        step.span,
        prev,
        lambda inner, value: fill(inner, previous(context, value, step.span)),
    )
