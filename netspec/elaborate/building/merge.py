"""The nodes that join the branches of a structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationError

from netspec.diagnostics import Label, Span
from netspec.elaborate.building.nodes import add_node, infer, make_op
from netspec.elaborate.context import Context, Frame
from netspec.graph import Value
from netspec.ops import OPS, ShapeError


def merge(
    context: Context,
    frame: Frame,
    how: str,
    arguments: dict[str, Any],
    values: list[Value],
    span: Span,
    structure: Literal["residual", "parallel"],
    branches: tuple[Label, ...],
    message: Callable[[], str] | None = None,
    help: str | None = None,
) -> Value:
    """The node that joins a structure's branches; a misfit is told with what each branch gives."""
    try:
        op = make_op(context, OPS[how], arguments)
    except ValidationError:
        raise context.reader.error("bad-argument", f"`dim` of `{how}` must be an integer", span) from None
    try:
        made = infer(context, op, tuple(value.tensor for value in values), span)
    except ShapeError as found:
        raise context.reader.error(
            "shape-mismatch", message() if message else str(found), span, secondary=branches, help=help or found.help
        ) from None
    return add_node(context, frame, "", op, values, span, {}, structure=structure, made=made).outputs[0]
