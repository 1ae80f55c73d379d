"""Steps beside the main flow: ``side``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from netspec.elaborate.building.inner import grouped
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.graph import Value
from netspec.spec.reading import choice
from netspec.spec.steps import Body, GroupStructure


class Side(GroupStructure):
    """Steps beside the main flow, which goes on unchanged."""

    known_as = "side"
    main = "body"
    usage = (
        """\
network:
  - linear: {name: hidden, out_features: 32}
  - side:
      name: early
      when: training
      body: [linear: 10]
      from: hidden
      freeze: false
      init: orthogonal
      recompute: true
  - linear: 10
outputs: {logits: prev, auxiliary: {from: early, when: training}}""",
    )

    body: Body
    when: Annotated[str, choice("training")] | None = None
    """`training`: only while training"""


@elaborates(Side)
def elaborate(context: Context, frame: Frame, step: Side, prev: Value | None, default_name: str | None) -> Value | None:
    """Elaborate the body, and give the value before it."""
    only = step.when == "training"
    aside = replace(frame, training=frame.training or only)
    with context.requirements.of_training(only):
        grouped(context, aside, step, prev, lambda inner, value: context.run(inner, step.body, value))
    return prev
