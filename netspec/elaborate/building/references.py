"""References to other steps, and the values that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from netspec.diagnostics import Label, clipped, did_you_mean
from netspec.elaborate.building.guards import previous
from netspec.elaborate.building.paths import Found, find, value_at
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.messages.hints import elsewhere_help, find_named
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder, Ports, Values
from netspec.graph import Call, Value
from netspec.spec import NAME, Written, names_a_step
from netspec.syntax import ListNode, ScalarNode

INDEXED = re.compile(r"(?P<path>[^\[\]]+)\[(?P<index>[-:\d]+)\]\Z", re.ASCII)
"""``h.hidden[-1]``, ``h.hidden[1:]``."""


MOST_SEARCHED = 100
"""So many levels are searched for a name that is not found."""


def reference(context: Context, frame: Frame, node: Written, prev: Value | None) -> Value:
    """The value that a reference means."""
    found = meant(context, frame, node, prev)
    if isinstance(found, Value):
        return found
    text = clipped(node.text) if isinstance(node, ScalarNode) else ""
    message = f"`{text}` is a list of {len(found.items)} values, and one is needed here"
    help = f"write `{text}[-1]` for the last of them, or join them: `concat: {{from: {text}}}`"
    raise context.reader.error("wrong-type", message, node.span, help=help)


def references(context: Context, frame: Frame, source: Written, prev: Value | None) -> list[Value]:
    """The values that a reference or a list of such means; a list among them stands for what it holds."""
    return list_of(context, frame, source, prev)[0]


def list_of(context: Context, frame: Frame, source: Written, prev: Value | None) -> tuple[list[Value], bool]:
    """Return the values that a reference or a list of such means, and whether a list that a loop made is among them."""
    values: list[Value] = []
    collected = False
    for node in source.items if isinstance(source, ListNode) else (source,):
        found = meant(context, frame, node, prev)
        if isinstance(found, Values):
            collected = True
            context.budget.charge_iterations(len(found.items) // 8, node.span)  # a wire is cheaper than a layer
            values += found.items.values()
        else:
            values.append(found)
    return values, collected


def meant(context: Context, frame: Frame, node: Written, prev: Value | None) -> Value | Values:
    """Return what a reference means: the value of a step, or the values that a loop has collected."""
    text = reference_text(context, frame, node)
    if text == "prev":
        return previous(context, prev, node.span)
    index = INDEXED.match(text)
    path = [*index["path"].split("."), index["index"]] if index else text.split(".")
    if path[0] == "prev":
        found = port_of(context, frame.builder, previous(context, prev, node.span), path, node)
    else:
        found = find(context, frame.builder, path, node.span)
    if found is None:
        raise unknown_reference(context, frame, node, text, path)
    if UNKNOWN in (found.items.values() if isinstance(found, Values) else (found,)):
        raise AlreadyReported
    return next(iter(found.items.values())) if isinstance(found, Values) and found.single else found


def reference_text(context: Context, frame: Frame, node: Written) -> str:
    """Return a reference as text: ``4`` and ``4.1`` are numbers to YAML."""
    if isinstance(node, ScalarNode) and names_a_step(node):
        return context.reader.text(node, frame.env) if isinstance(node.value, str) else node.text
    help = "write `from: stem`, or a list of names for several inputs"
    if isinstance(node, ScalarNode) and isinstance(node.value, int) and node.value < 0:
        help = "`prev` is the step before; write another step's name or number"
    raise context.reader.error("wrong-type", "expected the name of a step", node.span, help=help)


def port_of(context: Context, level: LevelBuilder, prev: Value, path: list[str], node: Written) -> Found:
    """Return what a path leads to that starts at the step before: ``prev.weights``."""
    name = step_of(level, prev)
    return None if name is None else value_at(context, level, [name, *path[1:]], node.span)


def step_of(level: LevelBuilder, value: Value) -> str | None:
    """Return the name of the step whose main output a value is."""
    return next((step.name for step in reversed(level.steps) if step.outputs[:1] == (value,)), None)


def unknown_reference(context: Context, frame: Frame, node: Written, text: str, path: list[str]) -> AlreadyReported:
    """Report a reference that means nothing here, with what it might mean."""
    if frame.builder.is_incomplete() or (path[0].isdecimal() and frame.builder.is_miscounted):
        return AlreadyReported()
    name = path[0]
    visible = frame.builder.visible()
    if any(level.start(path) is not None for level in levels_from(frame.builder)):
        return unknown_part(context, frame, node, text, path)
    keys = [each for each in visible if "." in each and len(path) > 1]
    message = f"there is no step named `{clipped(text if keys else name)}` here"
    if name == "prev":
        message = f"the step before has no output `{clipped('.'.join(path[1:]))}`"
        return context.reader.error("unknown-reference", message, node.span)
    labels: tuple[Label, ...] = ()
    help = did_you_mean(text, [*(each for each in visible if NAME.match(each)), *keys, "prev"])
    if name.isdecimal():
        help = numbered_help(frame.builder)
    current = context.calling[-1][0] if context.calling else None
    elsewhere = find_named(text, context.network, context.blocks, current)
    if elsewhere is not None:
        span, block = elsewhere
        labels = (Label(span, f"`{name}` is here"),)
        inside = path_to(frame.builder, name)
        help = f"write `{inside}`" if inside else elsewhere_help(name, span, block, current, node.span)
    return context.reader.error("unknown-reference", message, node.span, help=help, secondary=labels)


def levels_from(level: LevelBuilder | None) -> Iterator[LevelBuilder]:
    """Yield a level and those around it, whose names it sees."""
    while level is not None:
        yield level
        level = level.parent


def path_to(level: LevelBuilder | None, name: str) -> str | None:
    """Return the path to a step of that name in the levels inside those that are seen here: the first of few."""
    while level is not None:
        waiting = [([key], inner) for key, inner in level.inner.items()]
        for path, inner in islice(waiting, MOST_SEARCHED):
            if name in inner.names:
                return ".".join([*path, name])
            waiting += [([*path, key], each) for key, each in inner.inner.items()]
        level = level.parent
    return None


def numbered_help(level: LevelBuilder) -> str:
    """Return which numbers steps have here."""
    numbers = sorted(int(name) for name in level.names if name.isdecimal())
    if not numbers:
        return "no step before it is called by a number"
    return f"the last step with a number here is `{numbers[-1]}`; a step can only read what comes before it"


def unknown_part(context: Context, frame: Frame, node: Written, text: str, path: list[str]) -> AlreadyReported:
    """Report a path that begins at a step and leads to nothing."""
    level, (name, rest) = next(
        (level, found) for level in levels_from(frame.builder) if (found := level.start(path)) is not None
    )
    while rest and name in level.inner and (further := level.inner[name].start(rest)) is not None:
        level = level.inner[name]
        name, rest = further
    known = path[: len(path) - len(rest)]
    bound, where = level.names[name], clipped(".".join(known))
    if isinstance(bound, Values):
        message = f"`{where}` holds {len(bound.items)} values, and `{clipped(text)}` is none of them"
        return context.reader.error("unknown-reference", message, node.span)
    if not rest:
        message = f"`{where}` is not a single value" if bound is not UNKNOWN else ""
        names = [f"{text}.{each}" for each in bound.values] if isinstance(bound, Ports) else []
        return context.reader.error("unknown-reference", message, node.span, help=did_you_mean(text, names))
    ports = [*bound.values] if isinstance(bound, Ports) else []
    if name in level.inner:
        message = f"`{where}` has no step `{clipped(rest[0])}`"
        names = [*ports, *level.inner[name].aliases, *level.inner[name].names]
    else:
        message = f"`{where}` has no output `{clipped('.'.join(rest))}`"
        names = ports
    help = did_you_mean(text, [".".join([*known, each]) for each in names]) if names else f"write `{where}`"
    step = next((each for each in level.steps if each.name == name), None)
    if isinstance(step, Call) and step.body.kind == "block" and rest[0] in (each.name for each in step.body.steps):
        block = step.body.title
        help = f"of a block only the outputs are visible: add `{clipped(rest[0])}` to the `outputs` of `{block}`"
    return context.reader.error("unknown-reference", message, node.span, help=help)
