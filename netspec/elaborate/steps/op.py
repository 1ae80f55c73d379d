"""Steps that run an op: their inputs and arguments, and the node that they become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

from netspec.diagnostics import clipped
from netspec.dims import symbols
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.nodes import add_node
from netspec.elaborate.building.op_arguments import read_op
from netspec.elaborate.building.references import list_of, reference
from netspec.elaborate.building.step_names import give_keys, step_name
from netspec.elaborate.building.ties import guard_ties, read_ties
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.messages.unknowns import JOIN_HELP
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import ABSENT
from netspec.elaborate.state.measured import measured
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Node, Value
from netspec.ops import Op, ShapeError
from netspec.spec import CallStep, Written
from netspec.syntax import ListNode, MapNode, ScalarNode


def run_op(
    context: Context, frame: Frame, step: CallStep, kind: type[Op], prev: Value | None, default_name: str | None
) -> Value:
    name = step_name(context, frame, step, default_name)
    if isinstance(step.main, ListNode) and kind.variadic:
        raise listed_alone(context, step, step.main, kind)
    call = context.cache.op_call(step, kind)
    ties = {} if call.tie is None else read_ties(context, frame, call.tie)
    inputs = op_inputs(context, frame, step, kind, call.ports, prev)
    if inputs is not None and ABSENT in inputs.values():
        frame.builder.names[name] = ABSENT
        return ABSENT
    env = frame.env
    if "shape" in call.names and (inputs is None or inputs):
        env = env.of_shape(UNKNOWN_VALUE if inputs is None else next(iter(inputs.values())).shape)
    op = read_op(context, step, kind, call, env)
    if inputs is None:
        raise AlreadyReported
    wires = step.source.items if isinstance(step.source, ListNode) else ()
    read = [*inputs.values()]
    node = add_node(
        context,
        frame,
        name,
        op,
        [*read, *measured(frame.builder, op, read, lambda value: is_there(context, frame, value))],
        step.span,
        call.places,
        named=step.is_named,
        wires=wires,
        ports=tuple(inputs) if kind.optional else (),
        ties=tuple((each, target.key) for each, target in ties.items()),
        optional=not kind.skips_absent
        and any(value.optional and port not in kind.optional for port, value in inputs.items()),
    )
    if isinstance(step.state_key, MapNode):
        node = give_keys(context, frame, node, step.state_key)
    guard_left_out(context, node)
    if call.tie is not None:
        guard_ties(context, node, ties, call.tie)
    if len(node.outputs) == 1:  # as nearly always
        frame.builder.names[name] = node.outputs[0]
    else:
        frame.builder.bind(name, dict(zip(node.output_names, node.outputs)))
    return node.outputs[0]


def listed_alone(context: Context, step: CallStep, main: ListNode, kind: type[Op]) -> AlreadyReported:
    """Report steps that an op joins, where its argument would stand: `add: [a, b]`."""
    names = ", ".join(node.text if isinstance(node, ScalarNode) else "…" for node in main.items)
    help = f"`{kind.name}: {{from: [{clipped(names)}]}}`"
    message = f"`{kind.name}` takes the steps that it reads under `from`"
    return context.reader.error("bad-argument", message, main.span, help=help)


def is_there(context: Context, frame: Frame, value: Value) -> bool:
    """Return whether a value is there whenever the step runs."""
    return (not value.optional or bool(value.absence)) and (frame.training or value not in context.training_only)


def op_inputs(
    context: Context, frame: Frame, step: CallStep, kind: type[Op], ports: Mapping[str, Written], prev: Value | None
) -> dict[str, Value] | None:
    """The values that an op reads, by port (by number where it takes any number of them).

    ``None`` where one is unknown: the op's arguments are checked all the same. An optional port that reads what
    this call leaves out is left out too.
    """
    try:
        collected = False
        if step.source is not None:
            values, collected = list_of(context, frame, step.source, prev)
        else:
            values = [previous(context, prev, step.span)] if kind.ports and kind.ports[0] not in ports else []
        if kind.variadic:
            if len(values) < (1 if collected else 2):
                help = f"name them: `{kind.name}: {{from: [a, prev]}}`"
                raise context.reader.error(
                    "missing-input", f"`{kind.name}` needs at least two inputs", step.span, help=help
                )
            nodes = step.source.items if isinstance(step.source, ListNode) else (step.source or step.key,)
            nodes = nodes if len(nodes) == len(values) else (nodes[0],) * len(values)
            if kind.skips_absent and not all(value.optional for value in values):
                values = [value for value in values if value is not ABSENT]
                return {str(number): value for number, value in enumerate(values)}
            for value, node in zip(values, nodes):
                required(context, value, node.span, f"`{kind.name}`")
            return {str(number): value for number, value in enumerate(values)}
        free = [port for port in kind.ports if port not in ports]
        if len(values) > len(free):
            wanted = f"{len(kind.ports)} input{'s' * (len(kind.ports) > 1)}"
            message = f"`{kind.name}` takes {wanted}, not {len(values) + len(ports)}"
            raise context.reader.error(
                "too-many-inputs", message, step.source.span if step.source else step.span, help=JOIN_HELP
            )
        by_port = dict(zip(free, values))
        for port in kind.ports:
            if port in ports:
                by_port[port] = reference(context, frame, ports[port], prev)
            elif port not in by_port and port not in kind.optional:
                help = f"`{kind.name}: {{{port}: …}}`, with the name of a step"
                raise context.reader.error(
                    "missing-input", f"`{kind.name}` needs its input `{port}`", step.span, help=help
                )
        return without_left_out(context, step, kind, ports, by_port)
    except AlreadyReported:
        return None


def without_left_out(
    context: Context, step: CallStep, kind: type[Op], ports: Mapping[str, Written], by_port: Mapping[str, Value]
) -> dict[str, Value]:
    """The inputs in the order of the ports, without those that are left out.

    What may be absent goes where an op can do without it. An op of one input that learns nothing takes it too:
    what it makes is absent then, so that a mask may be cast and reshaped.
    """
    passes = len(by_port) == 1 and kind.parameters is Op.parameters
    present = {}
    for port in kind.ports:
        value = by_port.get(port)
        if value is None or (value is ABSENT and port in kind.optional):
            continue
        if not passes and port not in kind.optional:
            span = ports[port].span if port in ports else step.source.span if step.source else step.span
            required(context, value, span, f"`{port}` of `{kind.name}`")
        present[port] = value
    return present


def guard_left_out(context: Context, node: Node) -> None:
    """Guard: without what may be left out, an op makes and learns the same, but for the sizes that are 0 then."""
    if node.outputs[0].optional or not any(value.optional for value in node.inputs):
        return
    values = node.arranged(node.inputs)
    optional = [at for at, value in enumerate(values) if value is not None and value.optional]
    for count in range(1, len(optional) + 1):
        for absent in combinations(optional, count):
            op, tensors = node.without(absent)
            empty = {name: 0 for at in absent if (value := values[at]) is not None for name in value.absence}
            tensors = [each for each in tensors if each is not None] if op.variadic else tensors
            outputs = tuple(value.tensor.at(empty) for value in node.outputs)
            try:
                same = op.infer(*tensors) == outputs and op.parameters(*tensors) == node.parameters
            except ShapeError:
                same = False
            if not same:
                names = [f"`{node.op.ports[at]}`" if at < len(node.ports) else f"its input {at + 1}" for at in absent]
                message = f"`{node.op.name}` behaves differently without {' and '.join(names)}, which may be absent"
                raise context.reader.error("optional-value", message, node.span, help=presence_help(node, absent))


def presence_help(node: Node, absent: Collection[int]) -> str:
    """Return how to let an op do without what may be absent: its own dimensions may be 0, or it is always there."""
    values = [node.arranged(node.inputs)[at] for at in absent]
    own = {name for value in values if value is not None for name in symbols(value.shape) - value.absence}
    others = {name for value in node.inputs if not value.optional for name in symbols(value.shape)}
    alone = sorted(own - others)
    if node.op.skips_absent and alone:
        return f"allow it to be empty, if it may be: `dims: {{{alone[0]}: {{default: 16, min: 0}}}}`"
    return "pass a value that is always present, or never pass one"
