"""Residuals: a body's result plus its input."""

from __future__ import annotations

from typing import Annotated

from pydantic import ValidationError

from netspec.diagnostics import Label
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.inner import grouped
from netspec.elaborate.building.merge import merge
from netspec.elaborate.building.nodes import add_node, make_op
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.messages.repairs import (
    changing_arguments,
    changing_steps,
    last_step,
    padding_help,
    projection_help,
    residual_message,
)
from netspec.elaborate.reading.scope import origin_labels
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN
from netspec.graph import Value
from netspec.ops import OPS
from netspec.spec import Written
from netspec.spec.reading import Number, choice
from netspec.spec.steps import Body, GroupStructure

MERGES = ("add", "multiply", "maximum", "concat")


class Residual(GroupStructure):
    """The body's result plus its input; another ``merge`` takes the two in this order.

    It is also called a skip connection.
    """

    known_as = "residual"
    main = "body"
    usage = (
        """\
inputs: {x: [N, 16, 32, 32]}
network:
  - residual:
      name: unit
      body: [conv2d: {out_channels: 32, kernel_size: 3, padding: 1}, relu]
      projection: [conv2d: {out_channels: 32, kernel_size: 1}]
      merge: add
      drop_path: 0.1
      from: x
      freeze: false
      init: {conv2d.weight: kaiming_normal}
      recompute: true""",
        """\
network:
  - residual: {body: [linear: 8], shortcut: [linear: 8]}""",
        """\
network:
  - residual: [linear: 16, relu]""",
    )

    body: Body
    projection: Body | None = None
    """the shortcut's steps, built only where the body changes the shape"""
    shortcut: Body | None = None
    """the shortcut's steps, built always"""
    merge: Annotated[str, choice(*MERGES)] = "add"
    """how the body's result and the shortcut join, in this order; default: `add`"""
    drop_path: Number | None = None
    """the probability that, in training, a row leaves out the body's result: stochastic depth; 0 adds no step"""


@elaborates(Residual)
def elaborate(
    context: Context, frame: Frame, step: Residual, prev: Value | None, default_name: str | None
) -> Value | None:
    """Elaborate the body, the shortcut, and the node that joins them."""
    return grouped(context, frame, step, prev, lambda inner, value: around(context, inner, step, value))


def around(context: Context, frame: Frame, step: Residual, prev: Value) -> Value:
    first = len(frame.builder.steps)
    result = context.run(frame, step.body, prev)
    ended = len(frame.builder.steps) - first
    changed = result is not UNKNOWN and result is not None and result.shape != prev.shape
    shortcut: Value | None = prev
    if step.shortcut is not None:
        shortcut = context.run(frame, step.shortcut, prev)
    elif step.projection is not None and (changed or result is UNKNOWN):
        shortcut = context.run(frame, step.projection, prev)
    if result is UNKNOWN or shortcut is UNKNOWN:
        raise AlreadyReported
    result, shortcut = (
        required(context, previous(context, value, step.span), step.span, "`residual`") for value in (result, shortcut)
    )
    labels: tuple[Label, ...] = ()
    help = None
    body = frame.builder.steps[first:]
    if changed and shortcut is prev:
        labels = changing_steps(body)
        nodes = changing_arguments(step, labels, prev.shape, result.shape)
        labels += origin_labels(frame.env, nodes, step.span)
        help = padding_help(body) if result.shape[:2] == prev.shape[:2] else None
        help = help or projection_help(prev, result)
    elif shortcut is not prev:
        labels = last_step(body[:ended], "the body") + last_step(body[ended:], "the projection")
    if step.drop_path is not None:
        result = sometimes(context, frame, step, step.drop_path, result)
    values = [result, shortcut]

    def message() -> str:
        return residual_message(step.merge, *values)

    return merge(context, frame, step.merge, {}, values, step.span, "residual", labels, message, help)


def sometimes(context: Context, frame: Frame, step: Residual, written: Written, value: Value) -> Value:
    """Return the value left out at random in some rows, in training; as it is where the probability is 0."""
    p = context.reader.value(written, frame.env)
    try:
        op = make_op(context, OPS["stochastic_depth"], {"p": p})
    except ValidationError:
        what, help = "`drop_path` must be a probability", "write a number from 0 to 1"
        raise context.reader.misvalued(written, frame.env, what, p, help) from None
    if not p:
        return value
    return add_node(context, frame, "", op, [value], step.span, {}).outputs[0]
