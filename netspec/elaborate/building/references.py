"""References to other steps, and the values that they mean."""

from __future__ import annotations

from netspec.diagnostics import Label, Span, clipped, did_you_mean
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.messages.hints import elsewhere_help, find_named
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import ABSENT, UNKNOWN, Ports
from netspec.graph import Value
from netspec.spec import Written
from netspec.syntax import ListNode, ScalarNode


def reference(context: Context, frame: Frame, node: Written, prev: Value | None) -> Value:
    """The value that a reference means."""
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        help = "write `from: stem`, or a list of names for several inputs"
        raise context.reader.error("wrong-type", "expected the name of a step", node.span, help=help)
    text = context.reader.text(node, frame.env)
    if text == "prev":
        return previous(context, prev, node.span)
    name, _, port = text.partition(".")
    found = frame.builder.find(name, port or None)
    if found is None:
        raise unknown_reference(context, frame, node, text, name, port)
    if found is UNKNOWN:
        raise AlreadyReported
    return found


def unknown_reference(
    context: Context, frame: Frame, node: ScalarNode, text: str, name: str, port: str
) -> AlreadyReported:
    """Report a reference that means nothing here, with what it might mean."""
    if frame.builder.is_incomplete():
        return AlreadyReported()
    visible = frame.builder.visible()
    bound = visible.get(name)
    known = [f"{name}.{each}" for each in bound.values] if isinstance(bound, Ports) else list(visible)
    message = f"there is no step named `{clipped(name)}` here"
    if bound is not None:
        message = f"`{name}` has no output `{clipped(port)}`" if port else f"`{name}` is not a single value"
        if not isinstance(bound, Ports):
            known = [name]
    labels: tuple[Label, ...] = ()
    help = did_you_mean(text, [*known, "prev"])
    current = context.calling[-1][0] if context.calling else None
    elsewhere = None if bound is not None else find_named(text, context.network, context.blocks, current)
    if elsewhere is not None:
        span, block = elsewhere
        labels = (Label(span, f"`{name}` is here"),)
        help = elsewhere_help(name, span, block, current, node.span)
    return context.reader.error("unknown-reference", message, node.span, help=help, secondary=labels)


def references(context: Context, frame: Frame, source: Written, prev: Value | None) -> list[Value]:
    nodes = source.items if isinstance(source, ListNode) else (source,)
    return [reference(context, frame, node, prev) for node in nodes]


def previous(context: Context, prev: Value | None, span: Span) -> Value:
    if prev is UNKNOWN:
        raise AlreadyReported
    if prev is None:
        help = "name its input with `from:`"
        raise context.reader.error("no-value", "the step before does not give a single value", span, help=help)
    return prev


def required(context: Context, value: Value, span: Span, what: str, help: str | None = None) -> Value:
    """Guard: a value is there whenever the network runs."""
    if not value.optional:
        return value
    why = "this call omits it" if value is ABSENT else "this one is optional"
    help = help or "`coalesce: {from: …, default: …}` supplies a value when it is absent"
    raise context.reader.error("optional-value", f"{what} requires a value, but {why}", span, help=help)
