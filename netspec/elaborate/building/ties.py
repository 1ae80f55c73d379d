"""Parameters that are another step's: ``tie: {weight: wte.weight}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from netspec.diagnostics import clipped, did_you_mean
from netspec.dims import Shape, pretty_shape
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.scope import listed
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder
from netspec.graph import Call, Node, Step, key_of
from netspec.spec import Entry
from netspec.syntax import MapNode, ScalarNode


class TieTarget(NamedTuple):
    """A parameter that another is tied to: its key in the network's ``state_dict``, and its shape."""

    key: str
    shape: Shape


def read_ties(context: Context, frame: Frame, entry: Entry) -> dict[str, TieTarget]:
    """Return the parameters of a step that are another step's: ``tie: {weight: wte.weight}``."""
    _, node = entry
    if not isinstance(node, MapNode):
        help = "`tie: {weight: wte.weight}`"
        raise context.reader.error("wrong-type", "`tie` maps parameters to those of other steps", node.span, help=help)
    made = {}
    for name, target in node.entries:
        text = context.reader.text(target, frame.env) if isinstance(target, ScalarNode) else ""
        found = tie_target(frame.builder, text)
        if found is None:
            if frame.builder.find_name(text.partition(".")[0]) is UNKNOWN or frame.builder.is_incomplete():
                raise AlreadyReported
            hint = did_you_mean(text, visible_parameters(frame.builder))
            if hint is None and context.calling:
                hint = "a block can be tied only inside: it sees no steps but its own"
            message = f"there is no parameter named `{clipped(text)}` here"
            raise context.reader.error("unknown-reference", message, target.span, help=hint)
        made[name.text] = found
    return made


def tie_target(level: LevelBuilder | None, text: str) -> TieTarget | None:
    """Return the parameter that a path means: of a step of the level, or else of those around it."""
    while level is not None:
        first, dot, rest = text.partition(".")
        key = f"{level.aliases.get(first, first)}{dot}{rest}"
        found = find_parameter(level.steps, key)
        if found is not None:
            return TieTarget(key_of(level.path_of(found.key)), found.shape)
        level = level.parent
    return None


def visible_parameters(level: LevelBuilder | None) -> Iterator[str]:
    """The path of every parameter that a step of the level can be tied to."""
    while level is not None:
        yield from parameter_keys(level.steps)
        level = level.parent


def guard_ties(context: Context, node: Node, ties: Mapping[str, TieTarget], entry: Entry) -> None:
    """Guard: what is tied is a parameter of the step, of the same shape as the other."""
    for name, target in entry[1].entries if isinstance(entry[1], MapNode) else ():
        own = node.parameters.get(name.text)
        if own is None:
            help = did_you_mean(name.text, node.parameters) or f"its parameters are {listed([*node.parameters])}"
            message = f"`{node.op.name}` has no parameter `{clipped(name.text)}`"
            raise context.reader.error("unknown-reference", message, name.span, help=help)
        other = ties[name.text].shape
        if own != other:
            message = f"`{name.text}` is {pretty_shape(own)}, but the parameter it is tied to is {pretty_shape(other)}"
            raise context.reader.error("shape-mismatch", message, target.span)


def find_parameter(steps: Iterable[Step], path: str) -> TieTarget | None:
    """Return the parameter among some steps that a path means, which may be its key; ``None`` where there is none."""
    for step in steps:
        inner = path.removeprefix(f"{step.name}.") if path != step.name else ""
        if isinstance(step, Node):
            means = (name for name in step.parameters if (name == inner != path) or step.key("", name) == path)
            found = next((TieTarget(step.key("", name), step.parameters[name]) for name in means), None)
        else:
            within = find_parameter(step.body.steps, inner) if inner != path or step.is_transparent else None
            found = within and TieTarget(key_of(f"{step.name}.{within.key}"), within.shape)
        if found is not None:
            return found
    return None


def parameter_keys(steps: Iterable[Step]) -> Iterator[str]:
    """The ``state_dict`` key of every parameter among some steps."""
    for step in steps:
        if isinstance(step, Call):
            yield from (key_of(f"{step.name}.{key}") for key in parameter_keys(step.body.steps))
        else:
            yield from (step.key("", name) for name in step.parameters)
