"""Named groups."""

from __future__ import annotations

from netspec.elaborate.building.inner import Filled, inner_level, reading
from netspec.elaborate.building.outputs import read_outputs, written_output
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.state.levels import Ports
from netspec.graph import Value
from netspec.spec.document import Outputs
from netspec.spec.steps import Body, GroupStructure


class Sequential(GroupStructure):
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
  - sequential: {name: body, outputs: {early: 0}, body: [linear: 32, relu], recompute: true}
  - sequential: {name: head, from: body.early, body: [linear: 10]}""",
        """\
network:
  - sequential: [linear: 32, relu]""",
    )

    body: Body
    outputs: Outputs | None = None
    """names for values inside, beside its last one, which the next step reads: `{c3: layer2, c5: layer4}`"""


@elaborates(Sequential)
def elaborate(
    context: Context, frame: Frame, step: Sequential, prev: Value | None, default_name: str | None
) -> Value | None:
    frame, prev = reading(context, frame, step.source, "sequential", prev)
    name = step_name(context, frame, step, default_name)
    return inner_level(
        context, frame, "sequential", name, step.span, prev, lambda inner, value: group(context, inner, step, value)
    )


def group(context: Context, frame: Frame, step: Sequential, prev: Value | None) -> Filled:
    """Elaborate the body: its last value, and what else the group gives out."""
    last = context.run(frame, step.body, prev)
    if step.outputs is None:
        return last
    outputs = read_outputs(context, frame, step.outputs, last, step.span)
    for name, output in outputs.items():
        if output.training:
            help = "remove it here, and put it on the network's output that returns this value"
            message = f"an output of a group has no `when`: it gives out `{name}` in every run"
            raise context.reader.error(
                "training-only", message, written_output(step.outputs, name).source.span, help=help
            )
    return Ports({name: output.value for name, output in outputs.items()}, last)
