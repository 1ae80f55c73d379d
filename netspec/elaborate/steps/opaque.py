"""Steps of which the shape is known, and that nothing can build: ``opaque``."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import ValidationError

from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.nodes import add_node, make_op
from netspec.elaborate.building.references import references
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.graph import Value
from netspec.ops import Dtype
from netspec.spec import Written
from netspec.spec.reading import Source, Text, choice, keyword, reader
from netspec.spec.steps import NamedStructure


class OpaqueStep(NamedStructure):
    """A step that no op does: its shape is known, so that table and diagram can show it, but nothing can build it."""

    known_as = "opaque"
    is_level = True
    usage = (
        """\
inputs: {boxes: [N, 4], scores: [N]}
network:
  - opaque: {name: kept, of: "nms of my_boxes, boxes.py:31", shape: [N], dtype: int64, from: [boxes, scores]}""",
    )

    of: Text
    """what it stands for, and where that is: any text"""
    shape: Annotated[Written, reader(lambda node, report: node, "shape")]
    """the shape of what it gives: a list of sizes"""
    dtype: Annotated[str, choice(*get_args(Dtype))] = "float32"
    """the data type of what it gives"""
    source: Annotated[Source | None, keyword("from")] = None
    """the step that it reads, or a list of any number of them; default: the step before it"""


@elaborates(OpaqueStep)
def elaborate(context: Context, frame: Frame, step: OpaqueStep, prev: Value | None, default_name: str | None) -> Value:
    """Add a node that makes a tensor of the shape that is said; gives that."""
    name = step_name(context, frame, step, default_name)
    if step.source is None:
        values = [previous(context, prev, step.span)]
    else:
        values = references(context, frame, step.source, prev)
    if not values:
        help = "name the steps that it reads, as `from: [a, prev]`"
        raise context.reader.error("missing-input", "`opaque` reads at least one step", step.span, help=help)
    for value in values:
        required(context, value, step.span, "`opaque`")
    from netspec.ops.opaque import Opaque  # hardly any spec has one

    sizes = context.reader.value(step.shape, frame.env)
    try:
        op = make_op(context, Opaque, {"of": step.of, "shape": sizes, "dtype": step.dtype})
    except ValidationError:
        help = "write its sizes, as `shape: [N, 4]`; `shape: []` is a single number"
        message = "the shape of an `opaque` must be a list of sizes"
        raise context.reader.error("bad-value", message, step.shape.span, help=help) from None
    node = add_node(context, frame, name, op, values, step.span, {}, named=step.is_named)
    frame.builder.names[name] = node.outputs[0]
    return node.outputs[0]
