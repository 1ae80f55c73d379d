"""The making of nodes: ops with their arguments, the shapes that they infer, and the steps that levels get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from netspec.diagnostics import Label, Span
from netspec.dims import TooComplexError, pretty_shape
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.keys import hashable
from netspec.elaborate.reading.scope import origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported
from netspec.graph import Call, Node, Requirement, Value, arranged, parameter_count
from netspec.ops import Op, ShapeError, Tensor
from netspec.spec import Entry, Written

AnyStep = TypeVar("AnyStep", Node, Call)

WEIGHTS = "float32"
"""The dtype of all parameters and buffers with which something is computed."""


def add_node(
    context: Context,
    frame: Frame,
    name: str,
    op: Op,
    inputs: Sequence[Value],
    span: Span,
    arguments: Mapping[str, Entry],
    *,
    named: bool = False,
    structure: Literal["", "residual", "parallel", "scan"] = "",
    wires: Sequence[Written] = (),
    ports: tuple[str, ...] = (),
    ties: tuple[tuple[str, str], ...] = (),
    optional: bool = False,
    made: tuple[Tensor, ...] | None = None,
) -> Node:
    """Add a node; its outputs' shapes are ``made``, else they are inferred, or what forbids them is reported."""
    if made is None:
        tensors: tuple[Any, ...] = tuple(arranged([value.tensor for value in inputs], ports, op))
        try:
            made = infer(context, op, tensors, span)
        except ShapeError as found:
            report_shape_fault(context, frame, found, op, inputs, span, arguments, structure, wires)
            raise AlreadyReported from None
    context.budget.charge_layers(1, span)
    absence = frozenset().union(*(value.absence for value in inputs)) if optional else frozenset()
    outputs = tuple(Value(tensor, optional, absence) for tensor in made)
    mark_training(context, frame, inputs, outputs, span)
    marks = span, named, structure, frame.training, ports, ties
    return add_step(context, frame, Node(name, op, tuple(inputs), outputs, *marks))


def add_step(context: Context, frame: Frame, step: AnyStep) -> AnyStep:
    """Put a step at the end of its level; frozen, where that is asked for and it has parameters."""
    if frame.frozen and parameter_count(step):
        step = replace(step, frozen=True)
    frame.builder.steps.append(step)
    return step


def make_op(context: Context, kind: type[Op], arguments: Mapping[str, Any]) -> Op:
    """The op with these arguments, one object for all that are alike. Raises Pydantic's ``ValidationError``."""
    key = kind, hashable(arguments)
    if key not in context.cache.ops:
        context.cache.ops[key] = kind.model_validate(arguments)
    return context.cache.ops[key]


def infer(context: Context, op: Op, tensors: tuple[Tensor, ...], span: Span) -> tuple[Tensor, ...]:
    """Return the tensors that an op makes of these, inferred once. Raises ``ShapeError`` where it cannot take them."""
    requirements = context.requirements
    key = op, tensors, requirements.training, requirements.empty
    place = context.reader.place(span)
    known = context.cache.inferred.get(key)
    if known is not None:
        made, needed = known
        require(context, (each.at(place) for each in needed))
        return made
    first = len(requirements.noted)
    try:
        if requirements.empty and not op.takes_empty:
            requirements.filled(tensors, op.name, place)
        requirements.check(op.requirements(*tensors), place)
        made = op.infer(*tensors)
        guard_precision(op, tensors)
        requirements.sizes(made, op.name, place)
        requirements.bounds(op.bounds(*tensors), place)
        op.macs(tensors, made)  # what it costs can be told too
    except TooComplexError as found:
        raise ShapeError(f"{op.name} computes {found}", help="write the sizes of the input as numbers") from None
    context.cache.inferred[key] = made, tuple(requirements.noted[first:])
    return made


def require(context: Context, needed: Iterable[Requirement]) -> None:
    """Require what an op or a block needs that another variant has worked out."""
    for each in needed:
        context.requirements.add(each)


def report_shape_fault(
    context: Context,
    frame: Frame,
    found: ShapeError,
    op: Op,
    inputs: Sequence[Value],
    span: Span,
    arguments: Mapping[str, Entry],
    structure: str,
    wires: Sequence[Written],
) -> None:
    shapes = " and ".join(pretty_shape(value.shape) for value in inputs)
    labels: list[Label] = []
    if found.argument is not None and found.argument in arguments:
        _, node = arguments[found.argument]
        value = getattr(op, found.argument, None)
        labels.append(Label(node.span, f"{found.argument} is {value if isinstance(value, str) else show(value)}"))
        labels += origin_labels(frame.env, [node], span)
    if len(wires) == len(inputs) > 1:
        labels += [Label(wire.span, f"gives {pretty_shape(value.shape)}") for wire, value in zip(wires, inputs)]
    message = str(found)
    told = structure or not inputs or len(wires) > 1 or any(pretty_shape(value.shape) in message for value in inputs)
    context.reader.error(
        "shape-mismatch", message, span, "" if told else f"reads {shapes}", secondary=tuple(labels), help=found.help
    )


def mark_training(
    context: Context, frame: Frame, inputs: Iterable[Value], outputs: Iterable[Value], span: Span
) -> None:
    """Keep count of what exists only in training, and guard what must not read it."""
    if frame.training:
        context.training_only.update(outputs)
    elif not context.training_only.isdisjoint(inputs):
        help = "move this step into the `side`, or remove `when: training`"
        raise context.reader.error("training-only", "this reads a value that exists only in training", span, help=help)


def guard_precision(op: Op, tensors: Iterable[Tensor | None]) -> None:
    """Guard: weights are float32, and torch combines them with nothing else."""
    other = next((each.dtype for each in tensors if each and "float" in each.dtype and each.dtype != WEIGHTS), None)
    if other is not None and (op.parameters(*tensors) or op.buffers(*tensors)):  # type: ignore[arg-type]
        help = f"write `- cast: {WEIGHTS}` before it, and cast back after it if needed"
        raise ShapeError(f"{op.name} has weights of {WEIGHTS}, but its input is {other}", help=help)
