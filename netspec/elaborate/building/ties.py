"""Parameters that are another step's: ``tie: {weight: wte.weight}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netspec.diagnostics import clipped, did_you_mean
from netspec.dims import Shape, pretty_shape
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.scope import listed
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN
from netspec.graph import Call, Node, Step
from netspec.spec import Entry
from netspec.syntax import MapNode, ScalarNode


def read_ties(context: Context, frame: Frame, entry: Entry | None) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a step that are another step's: ``tie: {weight: wte.weight}``."""
    if entry is None:
        return ()
    key, node = entry
    if frame.builder.kind != "network":
        help = "in a block or a group, all copies would be tied to one parameter"
        raise context.reader.error(
            "bad-argument", "`tie` is only allowed in the network's own body", key.span, help=help
        )
    if not isinstance(node, MapNode):
        help = "`tie: {weight: wte.weight}`"
        raise context.reader.error("wrong-type", "`tie` maps parameters to those of other steps", node.span, help=help)
    made = []
    for name, target in node.entries:
        text = context.reader.text(target, frame.env) if isinstance(target, ScalarNode) else ""
        if parameter_shape(frame.builder.steps, text) is None:
            if frame.builder.names.get(text.partition(".")[0]) is UNKNOWN or frame.builder.is_incomplete():
                raise AlreadyReported
            hint = did_you_mean(text, parameter_keys(frame.builder.steps))
            message = f"there is no parameter named `{clipped(text)}` here"
            raise context.reader.error("unknown-reference", message, target.span, help=hint)
        made.append((name.text, text))
    return tuple(made)


def guard_ties(context: Context, frame: Frame, node: Node, entry: Entry | None) -> None:
    """Guard: what is tied is a parameter of the step, of the same shape as the other."""
    for name, target in entry[1].entries if entry is not None and isinstance(entry[1], MapNode) else ():
        own = node.parameters.get(name.text)
        if own is None:
            help = did_you_mean(name.text, node.parameters) or f"its parameters are {listed([*node.parameters])}"
            message = f"`{node.op.name}` has no parameter `{clipped(name.text)}`"
            raise context.reader.error("unknown-reference", message, name.span, help=help)
        other = parameter_shape(frame.builder.steps, dict(node.ties)[name.text])
        if own != other:
            assert other is not None
            message = f"`{name.text}` is {pretty_shape(own)}, but the parameter it is tied to is {pretty_shape(other)}"
            raise context.reader.error("shape-mismatch", message, target.span)


def parameter_shape(steps: Iterable[Step], key: str) -> Shape | None:
    """The shape of the parameter with this ``state_dict`` key among some steps; ``None`` where there is none."""
    for step in steps:
        inner = key.removeprefix(f"{step.name}.") if key != step.name else ""
        if inner == key:
            continue
        found = parameter_shape(step.body.steps, inner) if isinstance(step, Call) else step.parameters.get(inner)
        if found is not None:
            return found
    return None


def parameter_keys(steps: Iterable[Step]) -> Iterator[str]:
    """The ``state_dict`` key of every parameter among some steps."""
    for step in steps:
        names = parameter_keys(step.body.steps) if isinstance(step, Call) else step.parameters
        yield from (f"{step.name}.{name}" if name else step.name for name in names)
