"""Steps that run an op: their inputs and arguments, and the node that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Label, clipped, did_you_mean
from netspec.dims import Dim
from netspec.elaborate.base import Elaboration, Frame
from netspec.elaborate.levels import Binding, Ports, hashable
from netspec.elaborate.scope import Scope, origin_labels, show
from netspec.elaborate.unknowns import (
    JOIN_HELP,
    PLAIN_WORDS,
    listed,
    unknown_op_argument,
)
from netspec.elaborate.values import Failed, is_expression, whole_help
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Node, Value
from netspec.ops.arguments import text_rule
from netspec.ops.base import Op
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
        ties = self.ties(frame, arguments.pop("tie", None))
        inputs = self.op_inputs(frame, step, kind, ports, prev)
        shape = UNKNOWN_VALUE if inputs is None else next((value.shape for value in inputs.values()), ())
        op = self.made(step, kind, arguments, frame.env.extended({"shape": shape}))
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
        )
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
            step, _, parameter = text.rpartition(".")
            found = next((each for each in frame.builder.steps if each.name == step and isinstance(each, Node)), None)
            if found is None or parameter not in found.parameters:
                nodes = [each for each in frame.builder.steps if isinstance(each, Node)]
                paths = [f"{each.name}.{own}" for each in nodes for own in each.parameters]
                hint = did_you_mean(text, paths)
                message = f"no parameter is called `{clipped(text)}` here"
                raise self.reader.error("unknown-reference", message, target.span, help=hint)
            made.append((name.text, text))
        return tuple(made)

    def op_inputs(
        self, frame: Frame, step: CallStep, kind: type[Op], ports: Mapping[str, Written], prev: Value | None
    ) -> dict[str, Value] | None:
        """The values that an op reads, by port (by number where it takes any number of them).

        ``None`` where one is unknown: the op's arguments are checked all the same.
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
            return {port: by_port[port] for port in kind.ports if port in by_port}
        except Failed:
            return None

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
