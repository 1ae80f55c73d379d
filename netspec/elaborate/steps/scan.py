"""Scans: recurrent cells that the author writes, run once for each step of a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import ValidationError

from netspec.diagnostics import Label, did_you_mean
from netspec.dims import Size, pretty_shape
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.nodes import add_node, add_step, make_op, mark_training
from netspec.elaborate.building.references import reference
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.passes.hoisting import hoisted
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import LevelBuilder
from netspec.graph import Call, Level, Loop, Value, axis_of_time, over_time, walk
from netspec.ops import OPS, ShapeError, Tensor
from netspec.spec.reading import EMPTY, Flag, Written, read_name, reader
from netspec.spec.steps import Body, Results, TrainableStructure, values_by_name
from netspec.syntax import ListNode

Sequences = Annotated[Mapping[str, Written], values_by_name("a mapping from names to sequences", "sequences")]
States = Annotated[Mapping[str, Written], values_by_name("a mapping from states to their first values", "states")]
IterationInput = Annotated[str, reader(read_name, "counter")]


class Scan(TrainableStructure):
    """A recurrent cell: the body once for each step of the sequences, with state that is carried on."""

    known_as = "scan"
    is_level = True
    usage = (
        """\
inputs: {x: [N, T, 16]}
network:
  - scan:
      name: cell
      over: {token: x}
      state: {h: [N, 32]}
      index: t
      body:
        - concat: {from: [token, h], dim: 1}
        - linear: 32
        - tanh: {name: new}
      next: {h: new}
      collect: {outputs: new}
      reverse: false
      level: true
      freeze: false
      init: orthogonal
      recompute: true""",
    )

    over: Sequences
    """sequences [N, T, …] by the names that the body has for one step of each; equally long"""
    body: Body
    state: States = EMPTY
    """the values carried from iteration to iteration: the first value of each, or its shape for zeros"""
    next: Results = EMPTY
    """the value of the body that each state becomes"""
    collect: Results | None = None
    """the values of the body kept of every iteration, by output; default: its last value as `output`"""
    index: IterationInput | None = None
    """a name for the number of the iteration, from 0: an integer tensor without dimensions"""
    reverse: Flag = False
    """take the last step first; what is collected keeps its order"""
    level: Flag = True
    """have the keys of its steps below its name; else they are those of the level that it stands in"""


@elaborates(Scan)
def elaborate(context: Context, frame: Frame, step: Scan, prev: Value | None, default_name: str | None) -> Value:
    name = step_name(context, frame, step, default_name)
    if not step.level:
        name = without_level(context, frame, step, name)
    guard_keys(context, step)
    sequences = read_each(context, step.over, lambda key, node: needed(context, frame, node, prev))
    length = scan_length(context, step, sequences)
    states = read_each(context, step.state, lambda key, node: first_state(context, frame, node, prev, sequences))
    if step.index is not None:
        sequences[step.index] = iteration_numbers(context, frame, step, length, sequences)
    builder = LevelBuilder("scan", "", step.span, frame.builder.path_of(name), frame.builder)
    elements = {key: Value(one_iteration(value.tensor)) for key, value in sequences.items()}
    carried = {key: Value(value.tensor) for key, value in states.items()}
    outside = [*sequences.items(), *states.items()]
    inside = {**elements, **carried}
    builder.declared = [(value, inside[key], key) for key, value in outside]
    builder.names = dict(inside)
    inner = Frame(builder, frame.env, frame.training)
    last = context.run(inner, step.body, next(iter(elements.values())))
    following = read_each(
        context, step.next, lambda key, node: next_state(context, inner, key, node, last, carried, step)
    )
    collected = read_collected(context, inner, step, last)
    loop = Loop(len(sequences), len(states), length, step.reverse)
    results = {**collected, **{key: following[key] for key in states}}
    level, actual = builder.close(context.cache.interned, results, {}, loop)
    guard_no_recompute(context, level)
    level = hoisted(level, context.cache.interned)
    tensors = [over_time(value.tensor, length) for value in collected.values()]
    outputs = tuple(Value(tensor) for tensor in [*tensors, *(value.tensor for value in states.values())])
    if not frame.training:  # else all of it is for training
        guard_training(context, step, results.values())
    mark_training(context, frame, actual, outputs, step.span)
    named = step.is_named
    add_step(context, frame, Call(name, level, tuple(actual), outputs, step.span, named, frame.training))
    frame.builder.bind(name, dict(zip(results, outputs)))
    return outputs[0]


def without_level(context: Context, frame: Frame, step: Scan, name: str) -> str:
    """Return what a scan that is no level is called in paths, which keys leave out; references use its name."""
    if step.state_key is not None:
        message = "a scan that is no level has no key"
        help = "give it a `name`, for references; its steps have the keys of the level around"
        raise context.reader.error("bad-argument", message, step.state_key.span, help=help)
    builder = frame.builder
    builder.aliases[name] = f"({name})"
    builder.name_spans[f"({name})"] = builder.name_spans.pop(name)
    return f"({name})"


def needed(context: Context, frame: Frame, node: Written, prev: Value | None) -> Value:
    """The value that a reference means, which must be there."""
    return required(context, reference(context, frame, node, prev), node.span, "a scan")


def guard_keys(context: Context, step: Scan) -> None:
    """Guard that a scan says all it must, and each name once."""
    if not step.over:
        help = "write `over: {word: embedded}`: the body sees one step of `embedded` as `word`"
        raise context.reader.error("missing-key", "`scan` needs a sequence to run over", step.span, help=help)
    failed = False
    missing = [key for key in step.state if key not in step.next]
    for key, node in step.next.items():
        if key not in step.state:
            failed = True
            help = did_you_mean(key, missing or step.state) or "name it under `state`, with its first value"
            context.reader.error("unknown-name", f"`scan` has no state `{key}`", node.span, help=help)
            missing = missing[1:]
    for key in missing:
        failed = True
        help = f"`next: {{{key}: …}}`, with the step of the body that computes it"
        context.reader.error("missing-key", f"the state `{key}` has no next value", step.state[key].span, help=help)
    taken: dict[str, Written] = dict(step.over)
    for key, node in (*step.state.items(), *(step.collect or {}).items()):
        clashes = key in taken if key in step.state else key in step.state
        if clashes:
            failed = True
            help = "give one of them another name"
            context.reader.error("duplicate-name", f"`scan` defines `{key}` twice", node.span, help=help)
        taken.setdefault(key, node)
    if step.index is not None and step.index in taken:
        failed = True
        node = taken[step.index]
        help = "give the index another name"
        context.reader.error("duplicate-name", f"`scan` defines `{step.index}` twice", node.span, help=help)
    if failed:
        raise AlreadyReported


def read_each(context: Context, written: Mapping[str, Written], read: Any) -> dict[str, Value]:
    """The value of each entry; every fault in them is reported."""
    values: dict[str, Value] = {}
    failed = False
    for key, node in written.items():
        try:
            values[key] = read(key, node)
        except AlreadyReported:
            failed = True
    if failed:
        raise AlreadyReported
    return values


def scan_length(context: Context, step: Scan, sequences: Mapping[str, Value]) -> Size:
    """Return the number of iterations. Raises ``AlreadyReported`` for sequences that are not equally long."""
    lengths: dict[str, Size] = {}
    for key, value in sequences.items():
        if not value.shape:
            help = "a sequence is [N, T, …], or [T]"
            raise context.reader.error(
                "shape-mismatch", f"`{key}` is a single number, not a sequence", step.over[key].span, help=help
            )
        lengths[key] = value.shape[axis_of_sequence(value.tensor)]
    length, *others = lengths.values()
    try:
        why = "the sequences of a scan must have the same length"
        context.requirements.check(((length, other, why) for other in others), step.span)
    except ShapeError as error:
        labels = tuple(
            Label(step.over[key].span, f"`{key}` is {pretty_shape(value.shape)}") for key, value in sequences.items()
        )
        raise context.reader.error("shape-mismatch", str(error), step.span, secondary=labels) from None
    return length


def first_state(
    context: Context, frame: Frame, node: Written, prev: Value | None, sequences: Mapping[str, Value]
) -> Value:
    """Return the state before the first iteration: a value, or zeros where its shape is written."""
    if not isinstance(node, ListNode):
        return needed(context, frame, node, prev)
    like = next((value for value in sequences.values() if "float" in value.tensor.dtype), None)
    sizes = context.reader.value(node, frame.env)
    try:
        zeros = make_op(context, OPS["zeros"], {"size": sizes})
    except ValidationError:
        help = "write a shape, `[N, hidden]`, to start with zeros, or the name of a step"
        raise context.reader.error(
            "bad-value", "a state's shape must be a list of sizes", node.span, help=help
        ) from None
    sized = like or next(iter(sequences.values()))
    arguments: Any = {"size": (None, node)}
    zeros_node = add_node(context, frame, "", zeros, [sized], node.span, arguments, structure="scan", ports=("like",))
    return zeros_node.outputs[0]


def iteration_numbers(
    context: Context, frame: Frame, step: Scan, length: Size, sequences: Mapping[str, Value]
) -> Value:
    """Return the numbers of the iterations, as a sequence of its own."""
    like = next(iter(sequences.values()))
    count = make_op(context, OPS["arange"], {"end": length})
    return add_node(context, frame, "", count, [like], step.span, {}, structure="scan", ports=("like",)).outputs[0]


def next_state(
    context: Context,
    inner: Frame,
    key: str,
    node: Written,
    last: Value | None,
    carried: Mapping[str, Value],
    step: Scan,
) -> Value:
    """The value that a state takes on; it keeps its shape."""
    value, before = needed(context, inner, node, last), carried[key]
    if value.tensor == before.tensor:
        return value
    shapes = [pretty_shape(state.shape) for state in (before, value)]
    if value.shape == before.shape:
        shapes = [state.tensor.dtype for state in (before, value)]
    label = Label(step.state[key].span, f"begins as {shapes[0]}")
    message = f"the state `{key}` changes from {shapes[0]} to {shapes[1]}"
    help = "a state must keep its shape and dtype in every iteration"
    raise context.reader.error(
        "shape-mismatch", message, node.span, f"becomes {shapes[1]}", secondary=(label,), help=help
    )


def guard_no_recompute(context: Context, level: Level) -> None:
    """Guard that no level inside a scan is run again by the backward pass: its iterations are one whole."""
    inside = next((each for _, each, _ in walk(level) if isinstance(each, Call) and each.recompute), None)
    if inside is not None:
        help = "write `recompute: true` on the scan, which needs a `name` then"
        message = "a level inside a scan is not recomputed by itself"
        raise context.reader.error("bad-argument", message, inside.span, help=help)


def read_collected(context: Context, inner: Frame, step: Scan, last: Value | None) -> dict[str, Value]:
    """Return what is kept of every iteration: the values under `collect`, else the body's last one as `output`."""
    if step.collect is not None:
        return read_each(context, step.collect, lambda key, node: needed(context, inner, node, last))
    if "output" in step.state:
        help = "name it under `collect`: `collect: {outputs: …}`"
        span = step.state["output"].span
        raise context.reader.error("duplicate-name", "`output` already names what the scan collects", span, help=help)
    return {"output": required(context, previous(context, last, step.span), step.span, "an output")}


def guard_training(context: Context, step: Scan, results: Iterable[Value]) -> None:
    """Guard that nothing leaves the scan that exists only in training."""
    if any(value in context.training_only for value in results):
        message = "the scan returns a value that exists only in training"
        raise context.reader.error("training-only", message, step.span)


def axis_of_sequence(tensor: Tensor) -> int:
    """The dimension that a sequence is cut along: the second, behind the batch; where there is one only, that."""
    return axis_of_time(tensor.shape[1:])


def one_iteration(tensor: Tensor) -> Tensor:
    """One step of a sequence."""
    axis = axis_of_sequence(tensor)
    return Tensor((*tensor.shape[:axis], *tensor.shape[axis + 1 :]), tensor.dtype)
