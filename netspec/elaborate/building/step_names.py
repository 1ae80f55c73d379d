"""The names of steps in their levels."""

from __future__ import annotations

from netspec.diagnostics import Label, Span, clipped
from netspec.elaborate.building.reserved import free_name, why_reserved
from netspec.elaborate.context import Context, Frame
from netspec.spec import STEP_NAME, name_help
from netspec.syntax import ScalarNode


def step_name(context: Context, frame: Frame, written: ScalarNode | None, default_name: str | None, span: Span) -> str:
    """The name of a step in its level; reports a name that is taken or is none."""
    spans = frame.builder.name_spans
    if written is None:
        name = default_name if default_name is not None else str(len(spans))
    else:
        span = written.span
        name = context.reader.text(written, frame.env)
        if not STEP_NAME.match(name) or name == "prev":
            message = f"`{clipped(name)}` cannot be a step's name"
            raise context.reader.error("bad-name", message, span, help=name_help(name))
    guard_reserved(context, name, span)
    if name in spans:
        raise context.reader.error(
            "duplicate-name",
            f"two steps are named `{frame.builder.path_of(name)}`",
            span,
            secondary=(Label(spans[name], "first defined here"),) if spans[name] != span else (),
            help="name the loop, or use a template such as `name: layer{i + 1}`"
            if context.reader.in_loop
            else "give one of them another name",
        )
    spans[name] = span
    return name


def guard_reserved(context: Context, name: str, span: Span) -> None:
    """Guard: a step's module is an attribute of its level's, which has methods of its own."""
    why = why_reserved(name)
    if why is not None:
        help = f"{why}: write `{free_name(name)}`"
        raise context.reader.error("bad-name", f"`{name}` cannot be a step's name", span, help=help)
