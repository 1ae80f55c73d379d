"""The methods of a level's class: ``forward``, and ``prepare`` where something runs ahead of the scan around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netspec.dataclass import dataclass
from netspec.emit.source.forms import is_sequential
from netspec.emit.source.forward import (
    Statement,
    forward_signature,
    forward_statements,
    prepare_arguments,
    prepare_statements,
)
from netspec.emit.source.loop import loop_arguments, loop_statements
from netspec.graph import Level, Node
from netspec.ops import Op


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its name, the arguments that it takes beside ``self``, and its lines."""

    name: str
    arguments: list[str]
    statements: list[Statement]


def methods(level: Level, ops: Mapping[Node, Op], shapes: bool = False) -> Iterator[Method]:
    """The methods in order. ``ops`` are said in place of the nodes' own; with ``shapes`` lines say what they make."""
    if level.is_prepared:
        yield Method("prepare", prepare_arguments(level), [*prepare_statements(level, shapes, ops)])
    if level.loop is not None:
        yield Method("forward", loop_arguments(level), [*loop_statements(level, shapes, ops)])
    elif not is_sequential(level):
        yield Method("forward", forward_signature(level), [*forward_statements(level, shapes, ops)])
