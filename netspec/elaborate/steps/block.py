"""Steps that run a block, or whichever a name means: their inputs and arguments, and the level that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netspec import library
from netspec.diagnostics import Label, Span, clipped, did_you_mean
from netspec.dims import pretty_shape
from netspec.elaborate.base import Frame
from netspec.elaborate.levels import ABSENT, Binding, Builder, Ports, hashable
from netspec.elaborate.messages.unknowns import (
    JOIN_HELP,
    replaced,
    unknown_op,
    unknown_parameter,
)
from netspec.elaborate.scope import Scope, names_in, origin_labels, show
from netspec.elaborate.steps.op import OpCalls
from netspec.elaborate.values import Failed, bounded, declared_type, default_value
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Call, Level, Value
from netspec.ops import OPS
from netspec.ops.core.base import ShapeError
from netspec.spec import NAME, BlockSpec, CallStep, OutputSpec, Written
from netspec.syntax import ScalarNode

OPTIONAL_HELP = "if the block can do without `{}`, write it as `{}` among its inputs"


class BlockCalls(OpCalls):
    """Steps that run a block, or whichever of the two a name means."""

    def call(self, frame: Frame, step: CallStep, prev: Value | None, given: str | None) -> Value:
        key = step.key.text
        own = not library.owns(step.span.source)  # a block of the library sees none of the spec's, unless it is given
        if key.startswith("$"):
            key, own = self.dispatched(frame, step, key[1:]), True
        if own and key in self.blocks:
            return self.block(frame, step, key, self.blocks[key], prev, given)
        if key in OPS:
            return self.op(frame, step, OPS[key], prev, given)
        standard = library.find(key)
        if standard is not None:
            return self.block(frame, step, key, standard, prev, given)
        raise unknown_op(self.reader, step, key, self.blocks, frame.env)

    def dispatched(self, frame: Frame, step: CallStep, parameter: str) -> str:
        """The name that ``$parameter`` holds."""
        held = frame.env.get(parameter)
        if held is UNKNOWN_VALUE:
            raise Failed
        if isinstance(held, str):
            return held
        if parameter in frame.env and parameter != "shape":
            message = f"`{parameter}` is {show(held)}, not the name of an op or a block"
            labels = origin_labels(frame.env, [replaced(step.key, parameter)], step.span)
            raise self.reader.error("bad-value", message, step.span, secondary=labels)
        texts = [f"${name}" for name, value in frame.env.items() if isinstance(value, str)]
        help = did_you_mean(step.key.text, texts) or "`$name` runs what the text parameter `name` holds"
        raise self.reader.error("unknown-name", f"no parameter is called `{parameter}`", step.span, help=help)

    def block(
        self, frame: Frame, step: CallStep, key: str, block: BlockSpec, prev: Value | None, given: str | None
    ) -> Value:
        name = self.place(frame, step.name, given, step.span)
        around = [each for _, each in self.calling]
        if block in around:
            cycle = " -> ".join([*(each for each, _ in self.calling[around.index(block) :]), key])
            help = "what is done several times in a row goes into a `repeat`"
            raise self.reader.error("block-recursion", f"a block calls itself: {cycle}", step.span, help=help)
        if len(self.calling) >= self.limits.depth:
            message = f"blocks are nested more than {self.limits.depth} deep"
            raise self.reader.error("too-deep", message, step.span, help="let fewer blocks call each other")
        formal = self.formal_inputs(key, block)
        given_inputs = {
            word: entry[1] for word, entry in step.arguments.items() if word in formal and word not in block.params
        }
        inputs = self.block_inputs(frame, step, key, formal, given_inputs, prev)
        actual = None if inputs is None else [*inputs.values()]
        shape = UNKNOWN_VALUE if actual is None else actual[0].shape
        env = frame.env.extended({"shape": shape})
        arguments, origins = self.block_arguments(step, key, block, given_inputs, env)
        if inputs is None or actual is None:
            raise Failed
        read = tuple((name, value.tensor, value.optional) for name, value in inputs.items())
        self.guard_required(step, key, block, Scope(arguments, origins).extended({"shape": shape}))
        standard = library.owns(block.span.source)
        memo = key, standard, hashable(arguments), read, self.requirements.training
        with self.through(f"block {key}, {frame.builder.path_of(name)} ({self.at(step.span)})"):
            if memo in self.expanded:
                level = self.expanded[memo]
                if level is None:
                    raise Failed
                self.charge_layers(self.sizes_of[level], step.span)
            elif (known := self.ready(memo, key, block)) is not None:
                level, layers = known
                self.charge_layers(layers, step.span)
                self.expanded[memo], self.sizes_of[level] = level, layers
            else:
                self.charge_turns(5, step.span)  # an expansion costs about as much
                before, first = self.layers, len(self.requirements.noted)
                self.expanded[memo] = None  # as long as it has not come to a good end
                scope = Scope(arguments, origins)
                caller, self.reader.caller = self.reader.caller, self.reader.place(step.span)
                try:
                    level = self.expand(key, block, scope, inputs, frame.builder.path_of(name))
                finally:
                    self.reader.caller = caller
                self.expanded[memo] = level
                layers = self.sizes_of[level] = self.layers - before
                needed = tuple(dict.fromkeys(self.requirements.noted[first:]))
                self.shared.expanded[memo, self.context(key, block)] = level, layers, needed
        outputs = tuple(Value(value.tensor) for value in level.outputs)
        self.mark(frame, actual, outputs, step.span)
        named = step.name is not None
        self.add(frame, Call(name, level, tuple(actual), outputs, step.span, named, frame.training))
        bound: Binding = outputs[0] if len(outputs) == 1 else Ports(dict(zip(level.output_names, outputs)))
        if named or given is not None:
            frame.builder.names[name] = bound
        return outputs[0]

    def ready(self, memo: Any, key: str, block: BlockSpec) -> tuple[Level, int] | None:
        """A block's level and its number of layers, where another variant has made it and it fits this one."""
        known = self.shared.expanded.get((memo, self.context(key, block)))
        if known is None:
            return None
        level, layers, needed = known
        try:
            self.require(needed)
        except ShapeError:  # expanded again, it is reported where it belongs
            return None
        return level, layers

    def context(self, key: str, block: BlockSpec) -> Any:
        """The values of what a block may see beside its arguments."""
        standard = library.owns(block.span.source)
        if (key, standard) not in self.contexts:
            self.contexts[key, standard] = self.shared.context((key, standard), block, self.blocks, self.globals)
        return self.contexts[key, standard]

    def guard_required(self, step: CallStep, key: str, block: BlockSpec, env: Scope) -> None:
        """Guard: what a block requires of its parameters and of its first input's shape holds in this call."""
        seen = self.seen(block)
        for node in block.require:
            scope = seen.extended(env, env.origins)
            if self.reader.condition(node, scope, "a requirement"):
                continue
            assert isinstance(node, ScalarNode)
            named = {name: scope[name] for name in names_in(node) if name in scope}
            named = {name: pretty_shape(value) if name == "shape" else show(value) for name, value in named.items()}
            values = ", ".join(f"{name} = {text}" for name, text in named.items())
            labels = (Label(node.span, "required here"), *origin_labels(scope, [node], step.span))
            message = f"`{key}` needs `{clipped(node.text, 120)}`"
            raise self.reader.error(
                "requirement-failed", message, step.span, f"with {values}" if values else "", secondary=labels
            )

    def formal_inputs(self, key: str, block: BlockSpec) -> dict[str, bool]:
        """The names of a block's inputs, each with whether a call may leave it out; guards how they are written."""
        names, written = block.formal, block.inputs or ()
        if block.inputs is not None and (len(names) != len(written) or not names or not all(map(NAME.match, names))):
            span = next((node.span for node in written if not isinstance(node, ScalarNode)), block.span)
            help = "write `inputs: [query, key]`"
            raise self.reader.error("wrong-type", f"the inputs of `{key}` are a list of names", span, help=help)
        self.guard_order([*zip(names, (node.span for node in written), names.values())])
        return names

    def guard_order(self, inputs: Sequence[tuple[str, Span, bool]]) -> None:
        """Guard: inputs that may be left out come after those that may not."""
        for at, (name, span, optional) in enumerate(inputs):
            if optional and (at == 0 or not all(later for _, _, later in inputs[at:])):
                message = f"`{name}` may be left out, so it comes after the inputs that may not"
                raise self.reader.error("optional-value", message, span, help="change the order of the inputs")

    def block_inputs(
        self,
        frame: Frame,
        step: CallStep,
        key: str,
        formal: Mapping[str, bool],
        given: Mapping[str, Written],
        prev: Value | None,
    ) -> dict[str, Value] | None:
        """The values that a block reads, by input, without those that are left out; ``None`` where one is unknown."""
        try:
            names = [*formal]
            found = {name: self.reference(frame, node, prev) for name, node in given.items()}
            free = [name for name in names if name not in found]
            if step.source is not None:
                values = self.references(frame, step.source, prev)
            else:
                values = [self.previous(prev, step.span)] if not all(formal[name] for name in free) else []
            if len(values) > len(free):
                span = step.source.span if step.source is not None else step.span
                raise self.reader.error(
                    "too-many-inputs",
                    f"`{key}` takes {len(names)} input{'s' * (len(names) > 1)}, not {len(values) + len(given)}",
                    span,
                    help=f"its inputs are {', '.join(names)}" if len(names) > 1 else JOIN_HELP,
                )
            found.update(zip(free, values))
            missing = [name for name in names if name not in found and not formal[name]]
            if missing:
                help = f"`{key}: {{{missing[0]}: …}}`, with the name of a step"
                raise self.reader.error(
                    "missing-input", f"`{key}` needs its input `{missing[0]}`", step.span, help=help
                )
            for name in names:
                if name in found and not formal[name]:
                    span = given[name].span if name in given else step.source.span if step.source else step.span
                    self.required(found[name], span, f"`{name}` of `{key}`", OPTIONAL_HELP.format(name, f"{name}?"))
            return {name: found[name] for name in names if name in found and found[name] is not ABSENT}
        except Failed:
            return None

    def block_arguments(
        self, step: CallStep, key: str, block: BlockSpec, inputs: Mapping[str, Written], env: Scope
    ) -> tuple[dict[str, Any], dict[str, Written]]:
        """The values of a block's parameters at a call, and where each was set; every fault in them is reported."""
        written = {name: entry[1] for name, entry in step.arguments.items() if name not in inputs}
        if step.main is not None:
            if not block.params:
                raise self.reader.error(
                    "bad-argument", f"`{key}` has no parameters", step.main.span, help=f"write `- {key}` alone"
                )
            written[next(iter(block.params))] = step.main
        failed = False
        missing: list[str] = []
        unknown = written.keys() - block.params.keys()
        for name in unknown:
            failed = True
            unknown_parameter(self.reader, step, key, block, name)
        values: dict[str, Any] = {}
        origins: dict[str, Written] = {}
        for name, parameter in block.params.items():
            try:
                if name in written:
                    type = declared_type(self.reader, parameter)
                    value = self.reader.typed(written[name], env, type, f"`{name}` of `{key}`")
                    values[name] = bounded(self.reader, parameter, value, written[name].span)
                    origins[name] = written[name] if "str" in type else env.origin(written[name])
                elif parameter.default is not None:
                    scope = self.seen(block).extended({"shape": env["shape"], **values}, origins)
                    values[name] = default_value(self.reader, parameter, scope)
                    origins[name] = parameter.default
                elif unknown:  # most likely it is among them, misspelt
                    values[name] = UNKNOWN_VALUE
                else:
                    missing.append(name)
                    raise Failed
            except Failed:
                failed, values[name] = True, UNKNOWN_VALUE
        if missing:
            span = block.params[missing[0]].key.span
            labels = (Label(span, "declared here without a default"),)
            self.missing_arguments(key, step, missing, labels)
        if failed:
            raise Failed
        return values, origins

    def seen(self, block: BlockSpec) -> Scope:
        """What a block sees beside its own parameters: those of its file; an imported block sees none."""
        home = self.network[0].span.source
        return self.globals if block.span.source is home else Scope({})

    def expand(
        self,
        key: str,
        block: BlockSpec,
        arguments: Scope,
        inputs: Mapping[str, Value],
        path: str,
    ) -> Level:
        """A block's body as a level, for these arguments and inputs."""
        builder = Builder("block", key, block.span, path)
        formal = {name: Value(value.tensor, value.optional) for name, value in inputs.items()}
        builder.given = [(value, value, name) for name, value in formal.items()]
        builder.names = {**dict.fromkeys(block.formal, ABSENT), **formal}
        frame = Frame(builder, self.seen(block).extended(arguments, arguments.origins))
        self.calling.append((key, block))
        try:
            last = self.run(frame, block.body, next(iter(formal.values())))
            outputs = self.outputs(frame, block.outputs, last, block.span)
        finally:
            self.calling.pop()
        if any(training for _, training in outputs.values()):  # which has been reported
            raise Failed
        if any(value in self.training_only for value, _ in outputs.values()):
            help = "move the `side` into the network's own body, or leave out its `when: training`"
            message = f"the block `{key}` gives a value that exists in training only"
            raise self.reader.error("training-only", message, block.span, help=help)
        level, _ = builder.close(self.interned, {name: value for name, (value, _) in outputs.items()}, dict(arguments))
        return level

    def outputs(
        self, frame: Frame, written: Mapping[str, OutputSpec] | None, last: Value | None, span: Span
    ) -> dict[str, tuple[Value, bool]]:
        """The declared outputs, each with whether it is for training only; else the last step as ``output``."""
        if not written:
            return {"output": (self.required(self.previous(last, span), span, "an output"), False)}
        made: dict[str, tuple[Value, bool]] = {}
        failed = False
        for name, output in written.items():
            try:
                if output.test is None or self.reader.condition(output.test, frame.env, "the `if` of an output"):
                    value = self.reference(frame, output.source, last)
                    made[name] = self.required(value, output.source.span, "an output"), output.when == "training"
            except Failed:
                failed = True
        if failed:
            raise Failed
        if not made:
            tests = [output.test.span for output in written.values() if output.test is not None]
            help = "leave one output without `if`"
            raise self.reader.error("missing-key", "no output is left: the `if` of each is false", tests[-1], help=help)
        return made
