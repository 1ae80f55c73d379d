"""The names of steps in their levels, and the keys of ops' own tensors: ``state_key: {weight: gamma, bias: beta}``."""

from __future__ import annotations

from dataclasses import replace

from netspec.diagnostics import Label, Span, clipped, did_you_mean
from netspec.elaborate.building.reserved import free_name, why_reserved
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.scope import listed
from netspec.graph import Node, state_key
from netspec.spec import STEP_NAME, CallStep, name_help
from netspec.spec.steps import NamedStructure
from netspec.syntax import MapNode, ScalarNode


def step_name(context: Context, frame: Frame, step: CallStep | NamedStructure, default_name: str | None) -> str:
    """The name of a step in its level; reports a name that is taken or is none.

    Where it has a ``state_key``, that is what the step is called everywhere but in references, which may use both.
    """
    written = step.name
    key = step.state_key if isinstance(step.state_key, ScalarNode) else None
    if key is None and written is None:
        name = default_name if default_name is not None else str(len(frame.builder.name_spans))
        return take_name(context, frame, name, step.span)
    alias = "" if written is None else read_name(context, frame, written)
    if key is None:
        return take_name(context, frame, alias, step.span if written is None else written.span)
    name = read_key(context, frame, key)
    if written is not None and alias != name:
        guard_free(context, frame, alias, written.span)
        frame.builder.aliases[alias] = name
    return take_name(context, frame, name, key.span)


def read_name(context: Context, frame: Frame, written: ScalarNode) -> str:
    """Return a name that the author has written."""
    name = context.reader.text(written, frame.env)
    if not STEP_NAME.match(name) or name == "prev":
        message = f"`{clipped(name)}` cannot be a step's name"
        help = name_help(name)
        if "." not in name and name.isprintable():
            help += f"; where a `state_dict` has it, write `state_key: {clipped(name)}`"
        raise context.reader.error("bad-name", message, written.span, help=help)
    guard_reserved(context, name, written.span)
    return name


def read_key(context: Context, frame: Frame, written: ScalarNode) -> str:
    """Return a module's path in the ``state_dict``, from the level on: names of any kind that ``nn.Module`` takes."""
    key = context.reader.text(written, frame.env)
    levels = key.split(".")
    if not key.isprintable() or levels[0] == "prev" or any(not each or each != each.strip() for each in levels):
        message = f"`{clipped(key)}` cannot be a module's key"
        help = "a key has the name of each level below the one that the step is in, such as `inner_blocks.0`"
        raise context.reader.error("bad-name", message, written.span, help=help)
    for each in levels:
        guard_reserved(context, each, written.span, keywords=True)
    frame.builder.has_dots = frame.builder.has_dots or len(levels) > 1
    return key


def take_name(context: Context, frame: Frame, name: str, span: Span) -> str:
    """Return a name that no other step of the level has, and which is taken then."""
    guard_reserved(context, name, span, keywords=True)
    guard_free(context, frame, name, span)
    frame.builder.name_spans[name] = span
    return name


def guard_free(context: Context, frame: Frame, name: str, span: Span) -> None:
    """Guard: no other step of the level is called that."""
    spans = frame.builder.name_spans
    taken = spans.get(frame.builder.aliases.get(name, name))
    if taken is None:
        return
    raise context.reader.error(
        "duplicate-name",
        f"two steps are named `{frame.builder.path_of(name)}`",
        span,
        secondary=(Label(taken, "first defined here"),) if taken != span else (),
        help="name the loop, or use a template such as `name: layer{i + 1}`"
        if context.reader.in_loop
        else "give one of them another name",
    )


def guard_reserved(context: Context, name: str, span: Span, keywords: bool = False) -> None:
    """Guard: a step's module is an attribute of its level's, which has methods of its own.

    ``keywords`` of Python are allowed where no name is meant that an author writes elsewhere.
    """
    why = why_reserved(name, keywords)
    if why is not None:
        help = f"{why}: write `{free_name(name)}`"
        raise context.reader.error("bad-name", f"`{name}` cannot be a step's name", span, help=help)


def give_keys(context: Context, frame: Frame, node: Node, written: MapNode) -> Node:
    """Return the node, which is the last of its level, with the keys that its step gives to its tensors.

    They start at the level that it is in. A tensor without one stays under the node's own name.
    """
    tensors = node.state
    if not tensors or "" in tensors:
        help = "leave it out" if not tensors else "write its key itself: `state_key: layers.0`"
        message = f"`{node.op.name}` has no tensors by name that could have keys"
        raise context.reader.error("bad-argument", message, written.span, help=help)
    keys = {name: state_key(node.name, name) for name in tensors}
    for name, key in written.entries:
        if name.text not in tensors:
            help = did_you_mean(name.text, tensors) or f"its tensors are {listed([*tensors])}"
            message = f"`{node.op.name}` has no tensor `{clipped(name.text)}`"
            raise context.reader.error("unknown-reference", message, name.span, help=help)
        assert isinstance(key, ScalarNode), "its reader takes nothing else"
        keys[name.text] = read_key(context, frame, key)
    keyed = replace(node, keys=tuple(keys.items()))
    frame.builder.steps[-1] = keyed
    return keyed


def guard_no_keys(context: Context, step: CallStep) -> None:
    """Guard: the step, which calls a block, does not give keys to tensors."""
    if isinstance(step.state_key, MapNode):
        message = f"`{clipped(step.key.text)}` is a block, and only an op has tensors that could have keys"
        help = "give keys to the steps in the block, or one to all of it: `state_key: layers.0`"
        raise context.reader.error("bad-argument", message, step.state_key.span, help=help)
