"""The forward pass: each authored step becomes nodes and levels, with shapes inferred as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from netspec.diagnostics import Label, Span, did_you_mean
from netspec.dims import Dim, pretty_shape
from netspec.elaborate.levels import UNKNOWN, Binding, Builder, Interned, Ports, hashable
from netspec.elaborate.requirements import Requirements
from netspec.elaborate.values import Env, Failed, Reader, bounded, declared_type, default_value, show
from netspec.graph import Call, Level, LevelKind, Node, Value
from netspec.ops import OPS
from netspec.ops.arguments import text_rule
from netspec.ops.base import Op, ShapeError, Tensor
from netspec.spec import (
    NAME,
    STRUCTURES,
    BlockSpec,
    CallStep,
    Entry,
    For,
    If,
    OutputSpec,
    Parallel,
    Repeat,
    Residual,
    Sequential,
    Side,
    Step,
    Written,
)
from netspec.syntax import ListNode, ScalarNode


@dataclass(frozen=True, slots=True)
class Limits:
    """What an elaboration may spend before it is called a mistake."""

    iterations: int = 20_000
    layers: int = 20_000
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Frame:
    """Where steps are being elaborated: the level they go to, what expressions see, and whether for training only."""

    builder: Builder
    env: Env
    training: bool = False


class Elaborator:
    """Expands steps into levels. ``globals`` are the parameters and symbolic dimensions that every block sees."""

    def __init__(
        self, blocks: Mapping[str, BlockSpec], globals: Env, reader: Reader, requirements: Requirements, limits: Limits
    ):
        self.blocks, self.globals, self.reader, self.limits = blocks, globals, reader, limits
        self.requirements = requirements
        self.interned = Interned()
        self.expanded: dict[Any, Level] = {}
        self.inferred: dict[tuple[Op, tuple[Tensor, ...]], tuple[Tensor, ...]] = {}
        self.sizes_of: dict[Level, int] = {}
        self.training_only: set[Value] = set()
        self.calling: list[str] = []
        self.iterations = 0
        self.layers = 0

    def run(self, frame: Frame, steps: Iterable[Step], prev: Value | None) -> Value | None:
        """Elaborate a body; gives the value of its last step (``None`` where that leaves no single value)."""
        for step in steps:
            prev = self.step(frame, step, prev)
        return prev

    def step(self, frame: Frame, step: Step, prev: Value | None, name: str | None = None) -> Value | None:
        """Elaborate one step, under ``name`` where its place gives it one. A fault makes its value unknown."""
        shape = None if prev is None or prev is UNKNOWN else prev.shape
        frame = replace(frame, env={**frame.env, "shape": shape})
        try:
            match step:
                case CallStep():
                    return self.call(frame, step, prev, name)
                case Sequential():
                    return self.sequential(frame, step, prev, name)
                case If():
                    test = self.reader.condition(step.test, frame.env, "the test of `if`")
                    return self.run(frame, step.then if test else step.otherwise, prev)
                case Repeat() | For():
                    return self.loop(frame, step, prev)
                case Parallel() | Residual() | Side():
                    return self.structure(frame, step, prev)
        except Failed:
            self.bind_unknown(frame, step, name)
            return UNKNOWN

    def bind_unknown(self, frame: Frame, step: Step, name: str | None) -> None:
        """Give a faulty step its name all the same, so that what refers to it keeps quiet."""
        written = None if isinstance(step, If) else step.name
        try:
            name = self.reader.text(written, frame.env) if written is not None else name
        except Failed:
            return
        if name is not None:
            frame.builder.names[name] = UNKNOWN
            frame.builder.places.setdefault(name, step.span)

    # Names and references

    def place(self, frame: Frame, written: ScalarNode | None, given: str | None, span: Span) -> str:
        """The name of a step in its level; reports a name that is taken or is none."""
        places = frame.builder.places
        if written is None:
            name = given if given is not None else str(len(places))
        else:
            span = written.span
            name = self.reader.text(written, frame.env)
            if not NAME.match(name) or name == "prev":
                raise self.reader.error("bad-name", f"`{name}` cannot be a step's name", span)
        if name in places:
            raise self.reader.error(
                "duplicate-name",
                f"two steps are called `{frame.builder.path_of(name)}`",
                span,
                secondary=(Label(places[name], "the first"),),
                help="in a loop, name the loop, or use a template such as `name: layer{i + 1}`",
            )
        places[name] = span
        return name

    def reference(self, frame: Frame, node: Written, prev: Value | None) -> Value:
        """The value that a reference means."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            raise self.reader.error("wrong-type", "expected the name of a step", node.span)
        text = self.reader.text(node, frame.env)
        if text == "prev":
            return self.previous(prev, node.span)
        name, _, port = text.partition(".")
        found = frame.builder.find(name, port or None)
        if found is None:
            visible = frame.builder.visible()
            bound = visible.get(name)
            known = [f"{name}.{each}" for each in bound.values] if isinstance(bound, Ports) else list(visible)
            message = f"no step is called `{name}` here" if bound is None else f"`{name}` has no output `{port}`"
            raise self.reader.error("unknown-reference", message, node.span, help=did_you_mean(text, [*known, "prev"]))
        if found is UNKNOWN:
            raise Failed
        return found

    def previous(self, prev: Value | None, span: Span) -> Value:
        if prev is UNKNOWN:
            raise Failed
        if prev is None:
            help = "say what it reads with `from:`"
            raise self.reader.error("no-value", "the step before leaves no single value to read", span, help=help)
        return prev

    def references(self, frame: Frame, source: Written, prev: Value | None) -> list[Value]:
        nodes = source.items if isinstance(source, ListNode) else (source,)
        return [self.reference(frame, node, prev) for node in nodes]

    # Ops

    def call(self, frame: Frame, step: CallStep, prev: Value | None, given: str | None) -> Value:
        key = step.key.text
        if key.startswith("$"):
            key = self.dispatched(frame, step, key[1:])
        if key in self.blocks:
            return self.block(frame, step, key, prev, given)
        if key in OPS:
            return self.op(frame, step, OPS[key], prev, given)
        known = [*OPS, *self.blocks, *STRUCTURES]
        raise self.reader.error("unknown-op", f"no op or block is called `{key}`", step.span, help=did_you_mean(key, known))

    def dispatched(self, frame: Frame, step: CallStep, parameter: str) -> str:
        """The name that ``$parameter`` holds."""
        held = frame.env.get(parameter)
        if isinstance(held, str):
            return held
        if parameter in frame.env and parameter != "shape":
            raise self.reader.error("bad-value", f"`{parameter}` is {show(held)}, not the name of a block", step.span)
        texts = [f"${name}" for name, value in frame.env.items() if isinstance(value, str)]
        help = did_you_mean(step.key.text, texts)
        raise self.reader.error("unknown-name", f"no parameter is called `{parameter}`", step.span, help=help)

    def op(self, frame: Frame, step: CallStep, kind: type[Op], prev: Value | None, given: str | None) -> Value:
        name = self.place(frame, step.name, given, step.span)
        arguments = dict(step.arguments)
        ports = {port: arguments.pop(port)[1] for port in kind.ports if port in arguments and port not in kind.model_fields}
        inputs = self.op_inputs(frame, step, kind, ports, prev)
        shape = None if inputs is None else inputs[0].shape
        op = self.made(step, kind, arguments, {**frame.env, "shape": shape})
        if inputs is None:
            raise Failed
        outputs = self.node(frame, name, op, inputs, step.span, arguments, named=step.name is not None)
        if step.name is not None or given is not None:
            frame.builder.names[name] = outputs[0]
        return outputs[0]

    def op_inputs(
        self, frame: Frame, step: CallStep, kind: type[Op], ports: Mapping[str, Written], prev: Value | None
    ) -> list[Value] | None:
        """The values that an op reads; ``None`` where one is unknown, so that its arguments are checked all the same."""
        try:
            if step.source is not None:
                found = self.references(frame, step.source, prev)
            else:
                found = [] if kind.ports[0] in ports else [self.previous(prev, step.span)]
            if kind.variadic:
                if len(found) < 2:
                    help = f"say which: `{kind.name}: {{from: [a, prev]}}`"
                    raise self.reader.error("missing-input", f"`{kind.name}` takes two inputs or more", step.span, help=help)
                return found
            free = [port for port in kind.ports if port not in ports]
            if len(found) > len(free):
                message = f"`{kind.name}` takes {len(kind.ports)} input{'s' * (len(kind.ports) > 1)}, not {len(found) + len(ports)}"
                raise self.reader.error("too-many-inputs", message, step.source.span if step.source else step.span)
            by_port = dict(zip(free, found))
            for port in kind.ports:
                if port in ports:
                    by_port[port] = self.reference(frame, ports[port], prev)
                elif port not in by_port:
                    raise self.reader.error("missing-input", f"`{kind.name}` needs its input `{port}`", step.span)
            return [by_port[port] for port in kind.ports]
        except Failed:
            return None

    def made(self, step: CallStep, kind: type[Op], arguments: Mapping[str, Entry], env: Env) -> Op:
        """The op with its arguments evaluated and checked; every fault in them is reported."""
        fields = kind.model_fields
        values: dict[str, Any] = {}
        nodes: dict[str, Written] = {}
        failed = False
        if step.main is not None:
            if kind.main is None:
                wanted = f"its arguments are {', '.join(fields)}" if fields else "it takes no arguments"
                raise self.reader.error("bad-argument", f"`{kind.name}` has no main argument", step.main.span, help=wanted)
            nodes[kind.main] = step.main
        for argument, (key, node) in arguments.items():
            if argument in fields:
                nodes[argument] = node
                continue
            failed = True
            help = did_you_mean(argument, fields) or (f"its arguments are {', '.join(fields)}" if fields else "it takes none")
            self.reader.error("unknown-argument", f"`{kind.name}` has no argument `{argument}`", key.span, help=help)
        for argument, node in nodes.items():
            try:
                values[argument] = self.reader.value(node, env, text_rule(kind, argument))
            except Failed:
                failed = True
        if failed:
            raise Failed
        try:
            return kind.model_validate(values)
        except ValidationError as found:
            for fault in found.errors(include_input=False, include_url=False):
                self.argument_fault(step, kind, fault, nodes, values)
            raise Failed from None

    def argument_fault(
        self, step: CallStep, kind: type[Op], fault: Mapping[str, Any], nodes: Mapping[str, Written], values: Mapping[str, Any]
    ) -> None:
        if not fault["loc"]:
            self.reader.error("bad-argument", f"`{kind.name}`: {fault['msg'].removeprefix('Value error, ')}", step.span)
            return
        argument = str(fault["loc"][0])
        if fault["type"] == "missing":
            help = f"`{kind.name}: {{{argument}: …}}`"
            self.reader.error("missing-argument", f"`{kind.name}` needs `{argument}`", step.span, help=help)
            return
        value, help = values[argument], None
        if isinstance(value, Dim):
            help = "only a known number will do here; reduce it with an adaptive pooling, or fix the input's size"
        elif isinstance(value, float) and "integer" in fault["msg"]:
            help = "`//` divides to a whole number"
        wanted = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        message = f"`{argument}` of `{kind.name}` is {show(value)}, but must be {wanted}"
        self.reader.error("bad-argument", message, nodes[argument].span, help=help)

    def node(
        self,
        frame: Frame,
        name: str,
        op: Op,
        inputs: Sequence[Value],
        span: Span,
        arguments: Mapping[str, Entry],
        *,
        named: bool = False,
        structure: Literal["", "residual", "parallel"] = "",
    ) -> tuple[Value, ...]:
        """Add a node; its outputs' shapes are inferred, or what forbids them is reported."""
        tensors = tuple(value.tensor for value in inputs)
        try:
            made = self.inferred.get((op, tensors))
            if made is None:
                self.requirements.check(op.requirements(*tensors), span)
                made = op.infer(*tensors)
                self.requirements.sizes(made, op.name, span)
                self.inferred[op, tensors] = made
        except ShapeError as found:
            self.shape_fault(found, op, inputs, span, arguments, structure)
            raise Failed from None
        self.charge_layers(1, span)
        outputs = tuple(Value(tensor) for tensor in made)
        self.mark(frame, inputs, outputs, span)
        frame.builder.steps.append(Node(name, op, tuple(inputs), outputs, span, named, structure, frame.training))
        return outputs

    def shape_fault(
        self, found: ShapeError, op: Op, inputs: Sequence[Value], span: Span, arguments: Mapping[str, Entry], structure: str
    ) -> None:
        shapes = " and ".join(pretty_shape(value.shape) for value in inputs)
        secondary = ()
        if found.argument in arguments:
            key, node = arguments[found.argument]
            secondary = (Label(node.span, f"{key.text} is set here"),)
        message = str(found)
        label = "" if structure or any(pretty_shape(value.shape) in message for value in inputs) else f"reads {shapes}"
        self.reader.error("shape-mismatch", message, span, label, secondary=secondary, help=found.help)

    def mark(self, frame: Frame, inputs: Iterable[Value], outputs: Iterable[Value], span: Span) -> None:
        """Keep count of what exists in training only, and guard what must not read it."""
        if frame.training:
            self.training_only.update(outputs)
        elif any(value in self.training_only for value in inputs):
            help = "move this step into the `side`, or leave out `when: training`"
            raise self.reader.error("training-only", "this reads a value that exists in training only", span, help=help)

    def charge_layers(self, count: int, span: Span) -> None:
        self.layers += count
        if self.layers > self.limits.layers:
            help = "`--max-layers` raises the bound"
            raise self.reader.error("too-large", f"the network has more than {self.limits.layers:,} layers", span, help=help)

    # Blocks

    def block(self, frame: Frame, step: CallStep, key: str, prev: Value | None, given: str | None) -> Value:
        block = self.blocks[key]
        name = self.place(frame, step.name, given, step.span)
        if key in self.calling:
            cycle = " -> ".join([*self.calling[self.calling.index(key) :], key])
            raise self.reader.error("block-recursion", f"a block calls itself: {cycle}", step.span)
        if len(self.calling) >= self.limits.depth:
            raise self.reader.error("too-deep", f"blocks are nested more than {self.limits.depth} deep", step.span)
        input_names = self.input_names(key, block)
        given_inputs = {word: entry[1] for word, entry in step.arguments.items() if word in input_names and word not in block.params}
        actual = self.block_inputs(frame, step, key, input_names, given_inputs, prev)
        shape = None if actual is None else actual[0].shape
        arguments = self.block_arguments(step, key, block, given_inputs, {**frame.env, "shape": shape})
        if actual is None:
            raise Failed
        memo = key, hashable(arguments), tuple(value.tensor for value in actual)
        with self.through(f"block {key}, {frame.builder.path_of(name)} ({step.span.place})"):
            level = self.expanded.get(memo)
            if level is None:
                before = self.layers
                level = self.expand(key, block, arguments, input_names, actual, frame.builder.path_of(name))
                self.expanded[memo] = level
                self.sizes_of[level] = self.layers - before
            else:
                self.charge_layers(self.sizes_of[level], step.span)
        outputs = tuple(Value(value.tensor) for value in level.outputs)
        self.mark(frame, actual, outputs, step.span)
        named = step.name is not None
        frame.builder.steps.append(Call(name, level, tuple(actual), outputs, step.span, named, frame.training))
        bound: Binding = outputs[0] if len(outputs) == 1 else Ports(dict(zip(level.output_names, outputs)))
        if named or given is not None:
            frame.builder.names[name] = bound
        return outputs[0]

    def input_names(self, key: str, block: BlockSpec) -> list[str]:
        if block.inputs is None:
            return ["input"]
        names = [node.value for node in block.inputs if isinstance(node, ScalarNode) and isinstance(node.value, str)]
        if len(names) != len(block.inputs) or not names or not all(map(NAME.match, names)):
            raise self.reader.error("wrong-type", f"the inputs of `{key}` are a list of names", block.span)
        return names

    def block_inputs(
        self, frame: Frame, step: CallStep, key: str, names: list[str], given: Mapping[str, Written], prev: Value | None
    ) -> list[Value] | None:
        try:
            found = {name: self.reference(frame, node, prev) for name, node in given.items()}
            free = [name for name in names if name not in found]
            if step.source is not None:
                values = self.references(frame, step.source, prev)
            else:
                values = [self.previous(prev, step.span)] if free else []
            if len(values) > len(free):
                span = step.source.span if step.source is not None else step.span
                raise self.reader.error("too-many-inputs", f"`{key}` takes {len(names)}, not {len(values) + len(given)}", span)
            found.update(zip(free, values))
            missing = [name for name in names if name not in found]
            if missing:
                raise self.reader.error("missing-input", f"`{key}` needs its input `{missing[0]}`", step.span)
            return [found[name] for name in names]
        except Failed:
            return None

    def block_arguments(
        self, step: CallStep, key: str, block: BlockSpec, inputs: Mapping[str, Written], env: Env
    ) -> dict[str, Any]:
        """The values of a block's parameters at a call; every fault in them is reported."""
        written = {name: entry[1] for name, entry in step.arguments.items() if name not in inputs}
        if step.main is not None:
            if not block.params:
                raise self.reader.error("bad-argument", f"`{key}` has no parameters", step.main.span)
            written[next(iter(block.params))] = step.main
        failed = False
        for name in written.keys() - block.params.keys():
            failed = True
            label = step.arguments[name][0].span
            help = did_you_mean(name, block.params) or ("it has none" if not block.params else None)
            self.reader.error("unknown-argument", f"`{key}` has no parameter `{name}`", label, help=help)
        values: dict[str, Any] = {}
        for name, parameter in block.params.items():
            try:
                if name in written:
                    type = declared_type(self.reader, parameter)
                    value = self.reader.typed(written[name], env, type, f"`{name}` of `{key}`")
                    values[name] = bounded(self.reader, parameter, value, written[name].span)
                elif parameter.default is not None:
                    values[name] = default_value(self.reader, parameter, {**self.globals, **values})
                else:
                    label = Label(parameter.key.span, "declared here without a default")
                    help = f"`{key}: {{{name}: …}}`"
                    raise self.reader.error("missing-argument", f"`{key}` needs `{name}`", step.span, secondary=(label,), help=help)
            except Failed:
                failed = True
        if failed:
            raise Failed
        return values

    def expand(
        self, key: str, block: BlockSpec, arguments: dict[str, Any], names: list[str], actual: Sequence[Value], path: str
    ) -> Level:
        """A block's body as a level, for these arguments and input shapes."""
        builder = Builder("block", key, block.span, path)
        formal = [Value(value.tensor) for value in actual]
        builder.inputs = dict(zip(formal, zip(formal, names)))
        builder.names = dict(zip(names, formal))
        frame = Frame(builder, {**self.globals, **arguments})
        self.calling.append(key)
        try:
            last = self.run(frame, block.body, formal[0])
            outputs = self.outputs(frame, block.outputs, last, block.span)
        finally:
            self.calling.pop()
        if any(value in self.training_only for value, _ in outputs.values()):
            raise self.reader.error("training-only", f"the block `{key}` gives a value that exists in training only", block.span)
        level, _ = builder.close(self.interned, {name: value for name, (value, _) in outputs.items()}, arguments)
        return level

    def outputs(
        self, frame: Frame, written: Mapping[str, OutputSpec] | None, last: Value | None, span: Span
    ) -> dict[str, tuple[Value, bool]]:
        """The declared outputs, each with whether it is for training only; else the last step as ``output``."""
        if not written:
            return {"output": (self.previous(last, span), False)}
        made: dict[str, tuple[Value, bool]] = {}
        failed = False
        for name, output in written.items():
            try:
                made[name] = self.reference(frame, output.source, last), output.when == "training"
            except Failed:
                failed = True
        if failed:
            raise Failed
        return made

    # Structures

    def inside(
        self, frame: Frame, kind: LevelKind, name: str, span: Span, prev: Value | None, fill: Callable[[Frame, Value | None], Value | None]
    ) -> Value | None:
        """A level of its own at ``name``, filled by ``fill`` from its input."""
        builder = Builder(kind, "", span, frame.builder.path_of(name), frame.builder)
        entered = None if prev is None else builder.enter(prev, "input")
        result = fill(Frame(builder, frame.env), entered)
        if result is UNKNOWN:
            raise Failed
        result = self.previous(result, span)
        level, actual = builder.close(self.interned, {"output": result}, {})
        output = Value(result.tensor)
        self.mark(frame, actual, (output,), span)
        frame.builder.steps.append(Call(name, level, tuple(actual), (output,), span, True, frame.training))
        frame.builder.names[name] = output
        return output

    def sequential(self, frame: Frame, step: Sequential, prev: Value | None, given: str | None) -> Value | None:
        name = self.place(frame, step.name, given, step.span)
        return self.inside(frame, "sequential", name, step.span, prev, lambda inner, value: self.run(inner, step.body, value))

    def loop(self, frame: Frame, step: Repeat | For, prev: Value | None) -> Value | None:
        rows = self.rows(frame, step)
        if step.name is None:
            for row, trail in rows:
                with self.through(trail):
                    prev = self.run(replace(frame, env={**frame.env, **row}), step.body, prev)
            return prev
        name = self.place(frame, step.name, None, step.span)

        def iterations(inner: Frame, value: Value | None) -> Value | None:
            for number, (row, trail) in enumerate(rows):
                with self.through(trail):
                    value = self.branch(replace(inner, env={**inner.env, **row}), "iteration", str(number), step.span, step.body, value)
            return value

        return self.inside(frame, "repeat", name, step.span, prev, iterations)

    def rows(self, frame: Frame, step: Repeat | For) -> Iterator[tuple[dict[str, Any], str]]:
        """What each iteration adds to the names that expressions see, and how a diagnostic calls it."""
        if isinstance(step, Repeat):
            count = self.reader.integer(step.count, frame.env, "`count`")
            columns: dict[str, list[Any]] = {}
        else:
            columns = {name: self.reader.items(node, frame.env, f"`{name}`") for name, node in step.each.items()}
            lengths = {name: len(column) for name, column in columns.items()}
            if len(set(lengths.values())) > 1:
                listed = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
                raise self.reader.error("unequal-lists", f"the lists of `for` are not equally long: {listed}", step.span)
            count = next(iter(lengths.values()), 0)
        self.iterations += count
        if max(count, self.iterations) > self.limits.iterations:
            message = f"the loops take more than {self.limits.iterations:,} turns"
            raise self.reader.error("too-large", message, step.span, help="`--max-layers` raises the bound")
        for turn in range(count):
            row = {name: column[turn] for name, column in columns.items()}
            if step.index is not None:
                row[step.index] = turn
            told = ", ".join(f"{name} = {value}" for name, value in row.items()) or f"turn {turn + 1} of {count}"
            yield row, f"{told} (line {step.span.line})"

    def branch(
        self, frame: Frame, kind: LevelKind, name: str, span: Span, body: Sequence[Step], prev: Value | None
    ) -> Value | None:
        """An iteration or a branch: a lone unnamed step *is* it; anything else gets a level of that name."""
        if len(body) == 1 and isinstance(body[0], (CallStep, Sequential)) and body[0].name is None:
            return self.step(frame, body[0], prev, name)
        if name in frame.builder.places:
            self.place(frame, None, name, span)
        frame.builder.places[name] = span
        return self.inside(frame, kind, name, span, prev, lambda inner, value: self.run(inner, body, value))

    def structure(self, frame: Frame, step: Parallel | Residual | Side, prev: Value | None) -> Value | None:
        fill = {Parallel: self.parallel, Residual: self.residual, Side: self.side}[type(step)]
        prev = self.previous(prev, step.span)
        if step.name is None:
            return fill(frame, step, prev)  # type: ignore[operator]
        name = self.place(frame, step.name, None, step.span)
        return self.inside(frame, "sequential", name, step.span, prev, lambda inner, value: fill(inner, step, value))  # type: ignore[operator]

    def side(self, frame: Frame, step: Side, prev: Value) -> Value:
        self.run(replace(frame, training=frame.training or step.when == "training"), step.body, prev)
        return prev

    def parallel(self, frame: Frame, step: Parallel, prev: Value) -> Value | None:
        results: dict[str, Value] = {}
        spans: dict[str, Span] = {}
        failed = False
        for name, (span, body) in step.branches.items():
            result = self.branch(frame, "branch", name, span, body, prev) if body else prev
            if result is UNKNOWN:
                failed = True
                continue
            results[name] = self.previous(result, span)
            frame.builder.names[name] = results[name]
            spans[name] = span
        if failed:
            raise Failed
        if step.merge == "none":
            return None
        if len(results) < 2:
            raise self.reader.error("missing-input", "`parallel` takes two branches or more", step.span)
        arguments: dict[str, Any] = {}
        if step.dim is not None:
            if step.merge not in ("concat", "stack"):
                raise self.reader.error("unknown-argument", f"merge `{step.merge}` has no `dim`", step.dim.span)
            arguments["dim"] = self.reader.value(step.dim, frame.env)
        branches = tuple(Label(spans[name], f"gives {pretty_shape(value.shape)}") for name, value in results.items())
        return self.merge(frame, step.merge, arguments, list(results.values()), step.span, "parallel", branches)

    def merge(
        self,
        frame: Frame,
        how: str,
        arguments: dict[str, Any],
        values: list[Value],
        span: Span,
        structure: Literal["residual", "parallel"],
        branches: tuple[Label, ...],
        help: str | None = None,
    ) -> Value:
        """The node that joins a structure's branches; a misfit is told with what each branch gives."""
        try:
            op = OPS[how].model_validate(arguments)
        except ValidationError:
            raise self.reader.error("bad-argument", f"`dim` of `{how}` must be an integer", span) from None
        try:
            tensors = [value.tensor for value in values]
            self.requirements.check(op.requirements(*tensors), span)
            op.infer(*tensors)
        except ShapeError as found:
            raise self.reader.error(
                "shape-mismatch", str(found), span, secondary=branches, help=help or found.help
            ) from None
        return self.node(frame, "", op, values, span, {}, structure=structure)[0]

    def residual(self, frame: Frame, step: Residual, prev: Value) -> Value:
        first = len(frame.builder.steps)
        result = self.run(frame, step.body, prev)
        changed = result is not UNKNOWN and result is not None and result.shape != prev.shape
        shortcut: Value | None = prev
        if step.shortcut is not None:
            shortcut = self.run(frame, step.shortcut, prev)
        elif step.projection is not None and (changed or result is UNKNOWN):
            shortcut = self.run(frame, step.projection, prev)
        if result is UNKNOWN or shortcut is UNKNOWN:
            raise Failed
        result, shortcut = self.previous(result, step.span), self.previous(shortcut, step.span)
        labels: tuple[Label, ...] = ()
        help = None
        if changed and shortcut is prev:
            labels = changing_steps(frame.builder.steps[first:])
            help = projection_help(prev, result)
        return self.merge(frame, step.merge, {}, [result, shortcut], step.span, "residual", labels, help)

    @contextmanager
    def through(self, trail: str) -> Iterator[None]:
        """Diagnostics inside say that they were reached through this."""
        before = self.reader.trail
        self.reader.trail = (*before, trail)
        try:
            yield
        finally:
            self.reader.trail = before


def changing_steps(steps: Iterable[Node | Call]) -> tuple[Label, ...]:
    """Labels for the steps whose result has another shape than what they read."""
    labels = []
    for step in steps:
        taken, given = step.inputs[0].shape, step.outputs[0].shape
        if taken != given:
            labels.append(Label(step.span, f"{pretty_shape(taken)} becomes {pretty_shape(given)}"))
    return tuple(labels[-2:])


def projection_help(prev: Value, result: Value) -> str:
    """The projection that would make a residual fit, where a strided 1×1 convolution does."""
    before, after = prev.shape, result.shape
    if len(before) == len(after) and 3 <= len(after) <= 5:
        for stride in range(1, 9):
            if all((size - 1) // stride + 1 == made for size, made in zip(before[2:], after[2:])):
                conv = f"conv{len(after) - 2}d: {{out_channels: {after[1]}, kernel_size: 1, stride: {stride}}}"
                return f"give the residual a projection: `projection: [{conv}]`"
    return "give the residual a `projection` that makes the same shape as its body"
