"""Paths to steps: ``stem``, ``4``, ``neck.4``, ``h.0.attn.weights``, and the values that they lead to.

A path starts at a name that is visible where it stands. It leads on into named groups, iterations and branches, and
ends at a step or at one of its outputs. What it reaches inside of a level becomes an output of that level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import required
from netspec.elaborate.context import Context
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder, Ports, Values
from netspec.graph import Value

INDEX = re.compile(r"(?P<from>-?\d{0,9})(?P<to>:-?\d{0,9})?\Z", re.ASCII)
"""The end of a path to several values: the number of one, or a stretch of them as in Python."""

Found = Value | Values | None
"""The value at the end of a path; ``None`` if the path leads nowhere."""


def find(context: Context, level: LevelBuilder, path: Sequence[str], span: Span) -> Found:
    """Return what a path means in a level: a name of its own, or else of the levels around it."""
    if level.start(path) is not None:
        return value_at(context, level, path, span)
    if level.parent is None:
        return None
    inside = from_its_name(level, path)
    if inside:
        return value_at(context, level, inside, span)
    found = find(context, level.parent, path, span)
    return each_of(found, path, lambda value, words: level.enter(value, "_".join(words)))


def from_its_name(level: LevelBuilder, path: Sequence[str]) -> Sequence[str]:
    """Return the rest of a path that begins with the name of a level, seen from inside; nothing of another path."""
    assert level.parent is not None
    if level.parent.aliases.get(path[0], path[0]) == level.name:
        return path[1:]
    words = level.name.split(".")
    return path[len(words) :] if [*path[: len(words)]] == words else ()


def value_at(context: Context, level: LevelBuilder, path: Sequence[str], span: Span) -> Found:
    """Return what a path leads to that starts at a name of the level itself."""
    started = level.start(path)
    if started is None:
        return None
    name, rest = started
    bound = level.names[name]
    if bound is UNKNOWN:
        return UNKNOWN
    if isinstance(bound, Values):
        return chosen(bound, rest)
    if not rest:
        return bound.main if isinstance(bound, Ports) else bound
    if isinstance(bound, Ports) and len(rest) == 1 and rest[0] in bound.values:
        return bound.values[rest[0]]
    return hand_out(context, level, name, rest, span) if name in level.inner else None


def chosen(values: Values, path: Sequence[str]) -> Found:
    """Return values, or those of them that a number or a stretch means: ``0``, ``-1``, ``1:``."""
    if not path:
        return values
    numbers = INDEX.match(path[0]) if len(path) == 1 else None
    if numbers is None or numbers["from"] == "" == (numbers["to"] or ""):
        return None
    items = [*values.items.items()]
    if numbers["to"] is not None:
        start, end = (int(text) if text else None for text in (numbers["from"], numbers["to"][1:]))
        return Values(dict(items[start:end]))
    at = int(path[0])
    return Values(dict([items[at]]), single=True) if -len(items) <= at < len(items) else None


def hand_out(context: Context, level: LevelBuilder, name: str, path: Sequence[str], span: Span) -> Found:
    """Return what a path leads to in the level inside of that name, which gives it out.

    Each step that runs the same module gives it out: the module returns what it returns, whoever calls it.
    """
    twins = context.twins.get(level.path_of(name), [(level, name)])
    given = [from_inside(context, around.inner[twin], path, span) for around, twin in twins]
    return given[twins.index((level, name))]


def from_inside(context: Context, inner: LevelBuilder, path: Sequence[str], span: Span) -> Found:
    """Return what a path leads to in a level, as the level around it has that."""

    def given(value: Value, words: Sequence[str]) -> Value:
        guard(context, inner, value, span)
        return inner.hand_out(".".join(words), value)

    found = value_at(context, inner, path, span)
    if found is not None:
        inner.asked[tuple(path)] = None
    return each_of(found, path, given)


def hand_out_again(
    context: Context, home: tuple[LevelBuilder, str], again: tuple[LevelBuilder, str], span: Span
) -> None:
    """Let a step that runs another one's module give out what that one has been asked for.

    Both are given as the level that they stand in, with their names there.
    """
    (level, name), (place, copy) = home, again
    if name not in level.inner or copy not in place.inner:
        return
    twins = context.twins.setdefault(level.path_of(name), [home])
    twins.append(again)
    context.twins[place.path_of(copy)] = twins
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


def each_of(found: Found, path: Sequence[str], change: Callable[[Value, Sequence[str]], Value]) -> Found:
    """Return the result of a change to a value, or to each of several, which gets the names that lead to it."""
    if not isinstance(found, Values):
        return None if found is None else change(found, path)
    words = path[:-1] if INDEX.match(path[-1]) and (found.single or not path[-1].isdecimal()) else path
    return Values({number: change(value, [*words, number]) for number, value in found.items.items()}, found.single)
