"""Steps that run an op: their inputs and arguments, and the node that they become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Label, clipped, did_you_mean
from netspec.dims import Dim, Shape, pretty_shape
from netspec.elaborate.base import Elaboration, Frame
from netspec.elaborate.levels import ABSENT, UNKNOWN, Binding, Ports, hashable
from netspec.elaborate.messages.unknowns import (
    JOIN_HELP,
    PLAIN_WORDS,
    listed,
    unknown_op_argument,
)
from netspec.elaborate.scope import Scope, origin_labels, show
from netspec.elaborate.values import Failed, is_expression, whole_help
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Call, Node, Step, Value
from netspec.ops.core.arguments import text_rule
from netspec.ops.core.base import Op, ShapeError
from netspec.spec import CallStep, Entry, Written
from netspec.syntax import ListNode, MapNode, ScalarNode


class OpCalls(Elaboration):
    """Steps that run an op."""

    def op(self, frame: Frame, step: CallStep, kind: type[Op], prev: Value | None, given: str | None) -> Value:
        name = self.place(frame, step.name, given, step.span)
        arguments = dict(step.arguments)
        ports = {
            port: arguments.pop(port)[1] for port in kind.ports if port in arguments and port not in kind.model_fields
        }
        tie = arguments.pop("tie", None)
        ties = self.ties(frame, tie)
        inputs = self.op_inputs(frame, step, kind, ports, prev)
        if inputs is not None and ABSENT in inputs.values():
            if step.name is not None or given is not None:
                frame.builder.names[name] = ABSENT
            return ABSENT
        env = frame.env
        if inputs is None or inputs:
            shape = UNKNOWN_VALUE if inputs is None else next(value.shape for value in inputs.values())
            env = env.extended({"shape": shape})
        op = self.made(step, kind, arguments, env)
        if inputs is None:
            raise Failed
        if step.main is not None and kind.main is not None:
            arguments[kind.main] = step.key, step.main
        wires = step.source.items if isinstance(step.source, ListNode) else ()
        node = self.node(
            frame,
            name,
            op,
            [*inputs.values()],
            step.span,
            arguments,
            named=step.name is not None,
            wires=wires,
            ports=tuple(inputs) if kind.optional else (),
            ties=ties,
            optional=any(value.optional and port not in kind.optional for port, value in inputs.items()),
        )
        self.guard_left_out(node)
        self.guard_ties(frame, node, tie)
        if step.name is not None or given is not None:
            several = len(node.outputs) > 1
            bound: Binding = Ports(dict(zip(node.output_names, node.outputs))) if several else node.outputs[0]
            frame.builder.names[name] = bound
        return node.outputs[0]

    def ties(self, frame: Frame, entry: Entry | None) -> tuple[tuple[str, str], ...]:
        """Which of a step's parameters are another step's: ``tie: {weight: wte.weight}``."""
        if entry is None:
            return ()
        key, node = entry
        if frame.builder.kind != "network":
            help = "in a block or a group its copies would all be tied to one parameter"
            raise self.reader.error("bad-argument", "`tie` stands in the network's own body only", key.span, help=help)
        if not isinstance(node, MapNode):
            help = "`tie: {weight: wte.weight}`"
            raise self.reader.error("wrong-type", "`tie` maps parameters to those of other steps", node.span, help=help)
        made = []
        for name, target in node.entries:
            text = self.reader.text(target, frame.env) if isinstance(target, ScalarNode) else ""
            if parameter_shape(frame.builder.steps, text) is None:
                if frame.builder.names.get(text.partition(".")[0]) is UNKNOWN or frame.builder.is_incomplete():
                    raise Failed
                hint = did_you_mean(text, parameter_keys(frame.builder.steps))
                message = f"no parameter is called `{clipped(text)}` here"
                raise self.reader.error("unknown-reference", message, target.span, help=hint)
            made.append((name.text, text))
        return tuple(made)

    def guard_ties(self, frame: Frame, node: Node, entry: Entry | None) -> None:
        """Guard: what is tied is a parameter of the step, of the same shape as the other."""
        for name, target in entry[1].entries if entry is not None and isinstance(entry[1], MapNode) else ():
            own = node.parameters.get(name.text)
            if own is None:
                help = did_you_mean(name.text, node.parameters) or f"its parameters are {listed([*node.parameters])}"
                message = f"`{node.op.name}` has no parameter `{clipped(name.text)}`"
                raise self.reader.error("unknown-reference", message, name.span, help=help)
            other = parameter_shape(frame.builder.steps, dict(node.ties)[name.text])
            if own != other:
                assert other is not None
                message = f"`{name.text}` is {pretty_shape(own)}, but what it is tied to is {pretty_shape(other)}"
                raise self.reader.error("shape-mismatch", message, target.span)

    def op_inputs(
        self, frame: Frame, step: CallStep, kind: type[Op], ports: Mapping[str, Written], prev: Value | None
    ) -> dict[str, Value] | None:
        """The values that an op reads, by port (by number where it takes any number of them).

        ``None`` where one is unknown: the op's arguments are checked all the same. An optional port that reads what
        this call leaves out is left out too.
        """
        try:
            if step.source is not None:
                found = self.references(frame, step.source, prev)
            else:
                found = [self.previous(prev, step.span)] if kind.ports and kind.ports[0] not in ports else []
            if kind.variadic:
                if len(found) < 2:
                    help = f"say which: `{kind.name}: {{from: [a, prev]}}`"
                    raise self.reader.error(
                        "missing-input", f"`{kind.name}` takes two inputs or more", step.span, help=help
                    )
                nodes = step.source.items if isinstance(step.source, ListNode) else (step.source or step.key,)
                for value, node in zip(found, nodes):
                    self.required(value, node.span, f"`{kind.name}`")
                return {str(number): value for number, value in enumerate(found)}
            free = [port for port in kind.ports if port not in ports]
            if len(found) > len(free):
                wanted = f"{len(kind.ports)} input{'s' * (len(kind.ports) > 1)}"
                message = f"`{kind.name}` takes {wanted}, not {len(found) + len(ports)}"
                raise self.reader.error(
                    "too-many-inputs", message, step.source.span if step.source else step.span, help=JOIN_HELP
                )
            by_port = dict(zip(free, found))
            for port in kind.ports:
                if port in ports:
                    by_port[port] = self.reference(frame, ports[port], prev)
                elif port not in by_port and port not in kind.optional:
                    help = f"`{kind.name}: {{{port}: …}}`, with the name of a step"
                    raise self.reader.error(
                        "missing-input", f"`{kind.name}` needs its input `{port}`", step.span, help=help
                    )
            return self.given(step, kind, ports, by_port)
        except Failed:
            return None

    def given(
        self, step: CallStep, kind: type[Op], ports: Mapping[str, Written], by_port: Mapping[str, Value]
    ) -> dict[str, Value]:
        """The inputs in the order of the ports, without those that are left out.

        What may be absent goes where an op can do without it. An op of one input that learns nothing takes it too:
        what it makes is absent then, so that a mask may be cast and reshaped.
        """
        passes = len(by_port) == 1 and kind.parameters is Op.parameters
        made = {}
        for port in kind.ports:
            value = by_port.get(port)
            if value is None or (value is ABSENT and port in kind.optional):
                continue
            if not passes and port not in kind.optional:
                span = ports[port].span if port in ports else step.source.span if step.source else step.span
                self.required(value, span, f"`{port}` of `{kind.name}`")
            made[port] = value
        return made

    def guard_left_out(self, node: Node) -> None:
        """Guard: without what may be left out, an op makes and learns the same."""
        optional = [port for port, value in zip(node.ports, node.inputs) if value.optional]
        if not optional or node.outputs[0].optional:
            return
        by_port = dict(zip(node.op.ports, node.tensors))
        made = tuple(value.tensor for value in node.outputs)
        for count in range(1, len(optional) + 1):
            for left_out in combinations(optional, count):
                tensors: list[Any] = [None if port in left_out else by_port[port] for port in node.op.ports]
                try:
                    same = node.op.infer(*tensors) == made and node.op.parameters(*tensors) == node.parameters
                except ShapeError:
                    same = False
                if not same:
                    message = f"`{node.op.name}` does something else without {listed(left_out)}, which may be left out"
                    help = "give it a value that is always there, or leave it out always"
                    raise self.reader.error("optional-value", message, node.span, help=help)

    def made(self, step: CallStep, kind: type[Op], arguments: Mapping[str, Entry], env: Scope) -> Op:
        """The op with its arguments evaluated and checked; every fault in them is reported."""
        fields = kind.model_fields
        values: dict[str, Any] = {}
        nodes: dict[str, Written] = {}
        failed = False
        if step.main is not None:
            if kind.main is None:
                listed = ", ".join(f"`{field}`" for field in fields)
                wanted = f"write `- {kind.name}` alone" + (f", or name the argument: {listed}" if fields else "")
                message = f"`{kind.name}` takes no " + ("argument without its name" if fields else "arguments")
                raise self.reader.error("bad-argument", message, step.main.span, help=wanted)
            nodes[kind.main] = step.main
        for argument, (key, node) in arguments.items():
            if argument in fields:
                nodes[argument] = node
                continue
            failed = True
            unknown_op_argument(self.reader, kind, key)
        for argument, node in nodes.items():
            try:
                values[argument] = self.reader.value(node, env, text_rule(kind, argument))
            except Failed:
                failed = True
        if failed:
            raise Failed
        refusal = id(step), hashable(values)
        if refusal in self.refused:
            raise Failed
        try:
            return self.make(kind, values)
        except ValidationError as found:
            self.refused.add(refusal)
            faults = found.errors(include_input=False, include_url=False)
            missing = [str(fault["loc"][0]) for fault in faults if fault["type"] == "missing"]
            if missing:
                self.missing_arguments(kind.name, step, missing)
            for each in faults:
                if each["type"] != "missing":
                    self.argument_fault(step, kind, each, nodes, values, env)
            raise Failed from None

    def missing_arguments(
        self, key: str, step: CallStep, missing: Sequence[str], labels: tuple[Label, ...] = ()
    ) -> None:
        """Report what a call lacks, in one."""
        message = f"`{key}` needs {listed(missing)}"
        help = f"`{key}: {{{', '.join(f'{name}: …' for name in missing)}}}`"
        self.reader.error("missing-argument", message, step.span, help=help, secondary=labels)

    def argument_fault(
        self,
        step: CallStep,
        kind: type[Op],
        fault: Mapping[str, Any],
        nodes: Mapping[str, Written],
        values: Mapping[str, Any],
        env: Scope,
    ) -> None:
        if not fault["loc"]:
            self.reader.error("bad-argument", f"`{kind.name}`: {fault['msg'].removeprefix('Value error, ')}", step.span)
            return
        argument = str(fault["loc"][0])
        value = values[argument]
        help: str | None = None
        if isinstance(value, Dim):
            help = "only a known number will do here; reduce it with an adaptive pooling, or fix the input's size"
        elif isinstance(value, float) and "integer" in fault["msg"]:
            help = whole_help(nodes[argument])
        elif isinstance(value, str) and is_expression(value, env):
            help = f"`{clipped(value)}` is worked out where its type is said: `{{type: int, default: …}}`"
        wanted = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        for word, plain in PLAIN_WORDS.items():
            wanted = wanted.replace(word, plain)
        message = f"`{argument}` of `{kind.name}` is {show(value)}, but must be {wanted}"
        node = nodes[argument]
        self.reader.error(
            "bad-argument", message, node.span, help=help, secondary=origin_labels(env, [node], node.span)
        )


def parameter_shape(steps: Iterable[Step], key: str) -> Shape | None:
    """The shape of the parameter with this ``state_dict`` key among some steps; ``None`` where there is none."""
    for step in steps:
        inner = key.removeprefix(f"{step.name}.") if key != step.name else ""
        if inner == key:
            continue
        found = parameter_shape(step.body.steps, inner) if isinstance(step, Call) else step.parameters.get(inner)
        if found is not None:
            return found
    return None


def parameter_keys(steps: Iterable[Step]) -> Iterator[str]:
    """The ``state_dict`` key of every parameter among some steps."""
    for step in steps:
        names = parameter_keys(step.body.steps) if isinstance(step, Call) else step.parameters
        yield from (f"{step.name}.{name}" if name else step.name for name in names)
