"""Named groups."""

from __future__ import annotations

from netspec.elaborate.building.inner import inner_level
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.graph import Value
from netspec.spec.steps import Body, TrainableStructure


class Sequential(TrainableStructure):
    """A named group."""

    known_as = "sequential"
    main = "body"
    is_level = True
    shareable = True
    usage = (
        """\
network:
  - sequential: {name: head, body: [linear: 32, relu], freeze: true, init: {linear.weight: xavier_normal}}
  - linear: 10""",
        """\
network:
  - sequential: [linear: 32, relu]""",
    )

    body: Body


@elaborates(Sequential)
def elaborate(
    context: Context, frame: Frame, step: Sequential, prev: Value | None, default_name: str | None
) -> Value | None:
    name = step_name(context, frame, step.name, default_name, step.span)
    return inner_level(
        context, frame, "sequential", name, step.span, prev, lambda inner, value: context.run(inner, step.body, value)
    )
