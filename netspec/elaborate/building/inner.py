"""Levels inside others: groups, iterations and branches, and structures that a name makes into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.nodes import add_step, mark_training
from netspec.elaborate.building.paths import guard
from netspec.elaborate.building.references import references
from netspec.elaborate.building.step_names import guard_reserved, step_name, take_name
from netspec.elaborate.context import Context, Frame, with_shape
from netspec.elaborate.messages.unknowns import JOIN_HELP
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder, Ports
from netspec.graph import Call, LevelKind, Value
from netspec.spec import Step, Written
from netspec.spec.steps import STRUCTURES, GroupStructure, Structure

Filled = Value | Ports | None
"""The result of a structure: its value, or several outputs of which one may go on to the next step."""
Fill = Callable[[Frame, Value], Filled]
"""Fills a structure's level: takes the value that the structure reads, and returns its result."""


def reading(
    context: Context, frame: Frame, source: Written | None, word: str, prev: Value | None
) -> tuple[Frame, Value | None]:
    """Return what a structure reads, the step before unless its ``from`` says another, and where ``shape`` is that."""
    if source is None:
        return frame, prev
    values = references(context, frame, source, prev)
    if len(values) != 1:
        message = f"`{word}` reads one value, not {len(values)}"
        raise context.reader.error("too-many-inputs", message, source.span, help=JOIN_HELP)
    return frame.seeing(with_shape(frame.env, values[0])), values[0]


def inner_level(
    context: Context,
    frame: Frame,
    kind: LevelKind,
    name: str,
    span: Span,
    prev: Value | None,
    fill: Callable[[Frame, Value | None], Filled],
) -> Value | None:
    """Add a level of its own at ``name``, which ``fill`` fills from its input. Returns its output."""
    builder = LevelBuilder(kind, "", span, frame.builder.path_of(name), frame.builder)
    entered = None if prev is None else builder.enter(prev, "input")
    made = fill(Frame(builder, frame.env), entered)
    if made is None:
        help = "end it with a step that joins the branches, or name them in a `sequential` with `outputs`"
        raise context.reader.error("no-value", f"`{name}` does not end with a single value", span, help=help)
    result = made.main if isinstance(made, Ports) else made
    outputs = {"output": result} if result is not None else {}
    outputs |= made.values if isinstance(made, Ports) else {}
    if UNKNOWN in outputs.values():
        raise AlreadyReported
    for word, value in outputs.items():
        guard(context, builder, required(context, value, span, "an output"), span)
        builder.hand_out(word, value)
    level, actual = builder.finish(context.cache.interned)
    given = tuple(outside for _, outside in builder.given.values())
    mark_training(context, frame, actual, given, span)
    add_step(context, frame, Call(name, level, tuple(actual), given, span, True, frame.training))
    main = None if result is None else builder.handed[result]
    ports = {word: builder.handed[value] for word, value in made.values.items()} if isinstance(made, Ports) else {}
    frame.builder.names[name] = Ports(ports, main) if main is None or ports else main
    frame.builder.inner[name] = builder
    return main


def branch_level(
    context: Context, frame: Frame, kind: LevelKind, name: str, span: Span, body: Sequence[Step], prev: Value | None
) -> Value | None:
    """Elaborate an iteration or a branch: a lone unnamed step *is* it; anything else gets a level of that name.

    A lone choice is what it chooses.
    """
    env = with_shape(frame.env, prev)
    while len(body) == 1 and isinstance(body[0], Structure):
        chosen = body[0].choice(lambda test, what: context.reader.condition(test, env, what))
        if chosen is None:
            break
        body = chosen
    if len(body) == 1 and body[0].is_level and not body[0].is_named:
        return context.step(frame, body[0], prev, name)
    guard_reserved(context, name, span)
    take_name(context, frame, name, span)
    group = STRUCTURES["sequential"](span=span, body=tuple(body))  # what it would be if it were written by itself
    frame.builder.authored[name] = group, frame.env
    return inner_level(context, frame, kind, name, span, prev, lambda inner, value: context.run(inner, body, value))


def grouped(context: Context, frame: Frame, step: GroupStructure, prev: Value | None, fill: Fill) -> Value | None:
    """Elaborate a structure that reads one value: in the level around it, or with a name in one of its own."""
    frame, prev = reading(context, frame, step.source, step.known_as, prev)
    prev = required(context, previous(context, prev, step.span), step.span, f"`{step.known_as}`")
    if not step.is_named:
        made = fill(frame, prev)
        return made.main if isinstance(made, Ports) else made
    name = step_name(context, frame, step, None)
    return inner_level(
        context,
        frame,
        "sequential",
        name,
        step.span,
        prev,
        lambda inner, value: fill(inner, previous(context, value, step.span)),
    )
