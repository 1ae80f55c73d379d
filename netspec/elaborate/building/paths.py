"""Paths to steps: ``stem``, ``4``, ``neck.4``, ``h.0.attn.weights``, and the values that they lead to.

A path starts at a name that is visible where it stands. It leads on into named groups, iterations and branches, and
ends at a step or at one of its outputs. What it reaches inside of a level becomes an output of that level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import required
from netspec.elaborate.context import Context
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder, Ports, Values
from netspec.graph import Value

Found = Value | Values | None
"""What a path leads to: ``None`` where that is nothing."""


def find(context: Context, level: LevelBuilder, path: Sequence[str], span: Span) -> Found:
    """Return what a path means in a level: a name of its own, or else of the levels around it."""
    if path[0] in level.names:
        return value_at(context, level, path, span)
    if len(path) > 1 and path[0] == level.name and level.parent is not None:  # the level, from inside
        return value_at(context, level, path[1:], span)
    if level.parent is None:
        return None
    found = find(context, level.parent, path, span)
    return each_of(found, lambda value: level.enter(value, "_".join(path)))


def value_at(context: Context, level: LevelBuilder, path: Sequence[str], span: Span) -> Found:
    """Return what a path leads to that starts at a name of the level itself."""
    name, *rest = path
    bound = level.names.get(name)
    if bound is None or bound is UNKNOWN:
        return bound
    if isinstance(bound, Values):
        return item(bound, rest)
    if not rest:
        return bound.main if isinstance(bound, Ports) else bound
    if isinstance(bound, Ports) and len(rest) == 1 and rest[0] in bound.values:
        return bound.values[rest[0]]
    return hand_out(context, level, name, rest, span) if name in level.inner else None


def item(values: Values, path: Sequence[str]) -> Found:
    """Return values, or the one of that number."""
    if not path:
        return values
    at = int(path[0]) if len(path) == 1 and path[0].isdecimal() else len(values.items)
    return values.items[at] if at < len(values.items) else None


def hand_out(context: Context, level: LevelBuilder, name: str, path: Sequence[str], span: Span) -> Found:
    """Return what a path leads to in the level inside of that name, which gives it out.

    Each step that runs the same module gives it out: the module returns what it returns, whoever calls it.
    """
    given: Found = None
    for twin in level.twins.get(name, [name]):
        inner = level.inner[twin]
        found = value_at(context, inner, path, span)
        if found is None:
            return None
        for value in found.items if isinstance(found, Values) else (found,):
            guard(context, inner, value, span)
        inner.asked[tuple(path)] = None
        made = each_of(found, lambda value, inner=inner: inner.hand_out(".".join(path), value))  # type: ignore[misc]
        given = made if twin == name else given
    return given


def hand_out_again(context: Context, level: LevelBuilder, name: str, again: str, span: Span) -> None:
    """Let a step that runs another one's module give out what that one has been asked for."""
    if name not in level.inner or again not in level.inner:
        return
    twins = level.twins.setdefault(name, [name])
    twins.append(again)
    level.twins[again] = twins
    for path in [*level.inner[name].asked]:
        hand_out(context, level, name, path, span)


def guard(context: Context, inner: LevelBuilder, value: Value, span: Span) -> None:
    """Guard: the level can give a value out whenever it runs."""
    if value is UNKNOWN:
        return
    required(context, value, span, "an output")
    if value in context.training_only and inner.handed.get(value) not in context.training_only:
        help = f"remove the name of `{inner.name}`, or move the `side` out of it"
        message = f"`{inner.name}` cannot give out a value that exists only in training"
        raise context.reader.error("training-only", message, span, help=help)


def each_of(found: Found, change: Callable[[Value], Value]) -> Found:
    """Return the result of a change to a value, or to each of several."""
    if found is None:
        return None
    return Values(tuple(map(change, found.items))) if isinstance(found, Values) else change(found)
