"""A network that another one uses as a step: its parameters and sizes, and the level that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from netspec.diagnostics import Label, Span, clipped, did_you_mean
from netspec.dims import Size, pretty, pretty_shape
from netspec.elaborate.building.guards import required
from netspec.elaborate.building.outputs import read_outputs
from netspec.elaborate.building.references import reference
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.inputs import read_size
from netspec.elaborate.names import check_block_names, check_names
from netspec.elaborate.parameters import check_required, parameter_values
from netspec.elaborate.reading.locals import with_locals
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import ABSENT, UNKNOWN, LevelBuilder
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import InitRule, Level, Node, Requirement, Step, Value, walk_parameters
from netspec.ops import Bound, ShapeError
from netspec.spec import NAME, InputSpec, Spec, Variant
from netspec.syntax import ScalarNode


class Given(NamedTuple):
    """The network that a step uses, by the name that the step gives it, and the place of the step."""

    key: str
    span: Span
    spec: Spec
    variant: Variant | None

    @property
    def title(self) -> str:
        """The name of the network, or of its variant."""
        return self.spec.name if self.variant is None else self.variant.key.text


class NetworkPart(NamedTuple):
    """The part of a network that a step uses: what it gives, by name, and the steps that are left out.

    Where ``wanted`` is empty, it gives the network's own outputs.
    """

    wanted: Mapping[str, ScalarNode]
    without: tuple[ScalarNode, ...]

    @property
    def shortens(self) -> bool:
        """Return whether it may leave out a part of the network."""
        return bool(self.wanted or self.without)

    @property
    def words(self) -> tuple[object, ...]:
        """The texts that it consists of."""
        return tuple((name, node.text) for name, node in self.wanted.items()), tuple(n.text for n in self.without)


class Expanded(NamedTuple):
    """The level that a network has become, its number of layers, where the parameters in it start, and what it
    requires.
    """

    level: Level
    layers: int
    rules: tuple[InitRule, ...]
    needed: tuple[Requirement, ...]


def expand_network(
    context: Context,
    given: Given,
    parameters: Scope,
    inputs: Mapping[str, Value],
    part: NetworkPart,
    path: str,
) -> Expanded:
    """Expand a network for values of its parameters and inputs. Every fault is reported."""
    before, first = context.budget.layers, len(context.requirements.noted)
    inner = inner_context(context, given, parameters, inputs)
    builder = LevelBuilder("block", given.title, given.spec.network[0].span, path)
    formal = {name: Value(value.tensor, value.optional, value.absence) for name, value in inputs.items()}
    builder.declared = [(value, value, name) for name, value in formal.items()]
    builder.names = {**dict.fromkeys(given.spec.inputs, ABSENT), **formal}
    frame = Frame(builder, inner.globals)
    last = run_part(inner, frame, given, next(iter(formal.values())), part)
    outputs = part_outputs(inner, frame, given, last, part)
    shortened = part.shortens or bool(inner.training_only)
    values = {name: inner.globals[name] for name in given.spec.params}
    level, _ = builder.close(context.cache.interned, outputs, values)
    if shortened:
        steps = needed_steps(level.steps, level.outputs, path)
        level = context.cache.interned.level(replace(level, steps=tuple(steps)))
    rules = initial_values(inner, given, level, whole=not shortened)
    needed = tuple(dict.fromkeys(context.requirements.noted[first:]))
    return Expanded(level, context.budget.layers - before, rules, needed)


def inner_context(context: Context, given: Given, parameters: Scope, inputs: Mapping[str, Value]) -> Context:
    """Return the context for the steps of a network that is used: its own blocks and names, and all bounds in common.

    Raises ``AlreadyReported`` for parameters or inputs that it does not take.
    """
    reader, spec = context.reader, given.spec
    if spec not in context.checked:
        context.checked.add(spec)
        check_block_names(spec, reader)
        check_names(spec, reader)
    values = parameter_values(spec, reader, given.variant, parameters)
    values.origins = {**values.origins, **parameters.origins}
    if UNKNOWN_VALUE in values.values():
        raise AlreadyReported
    env = with_locals(reader, spec.let, bind_symbols(context, given, values, inputs), spec.params.keys())
    if not check_required(spec, reader, env):
        raise AlreadyReported
    return Context(
        spec.blocks,
        spec.network,
        env,
        reader,
        context.requirements,
        context.budget,
        context.cache.of(spec),
        uses=spec.uses,
        around=context.around + len(context.calling) + 1,
        checked=context.checked,
    )


def bind_symbols(context: Context, given: Given, parameters: Scope, inputs: Mapping[str, Value]) -> Scope:
    """Return the parameters, and the symbolic dimensions with the sizes that the inputs give them.

    Raises ``AlreadyReported`` where the inputs are not what the spec declares.
    """
    symbols: dict[str, Size] = {}
    for name, value in inputs.items():
        declared = given.spec.inputs[name]
        if declared.dtype != value.tensor.dtype:
            help = f"write `- cast: {declared.dtype}` before it"
            raise misfit(context, given, name, f"is {declared.dtype}, not {value.tensor.dtype}", help)
        if len(declared.shape) != len(value.shape):
            wanted = f"has {len(declared.shape)} dimensions, but {pretty_shape(value.shape)} is given"
            raise misfit(context, given, name, wanted)
        for node, size in zip(declared.shape, value.shape):
            if isinstance(node, ScalarNode) and NAME.match(node.text) and node.text not in parameters:
                symbols.setdefault(node.text, size)
    env = parameters.extended(symbols)
    for name, value in inputs.items():
        _require_shape(context, given, name, value, env)
    _require_limits(context, given, env)
    return env


def _require_shape(context: Context, given: Given, name: str, value: Value, env: Scope) -> None:
    """Require that a value has the sizes that an input declares."""
    declared = given.spec.inputs[name].shape
    shape = tuple(read_size(context.reader, node, env) for node in declared)
    for node, wanted, size in zip(declared, shape, value.shape):
        reason = f"the input `{name}` of `{given.key}` has a size of {pretty(wanted)}"
        try:
            context.requirements.check([(size, wanted, reason)], context.reader.place(given.span))
        except ShapeError:
            known = isinstance(node, ScalarNode) and node.text in given.spec.params
            help = f"set its parameter: `params: {{{node.text}: {size}}}`" if known else None  # type: ignore[union-attr]
            found = f"is {pretty_shape(shape)}, but {pretty_shape(value.shape)} is given"
            raise misfit(context, given, name, found, help) from None


def _require_limits(context: Context, given: Given, env: Scope) -> None:
    """Require of the sizes what the spec declares under ``dims``."""
    reader = context.reader
    for name, dim in given.spec.dims.items():
        if name not in env:  # of an input that is left out
            continue
        bounds = []
        if dim.min is not None:
            low = reader.integer(dim.min, env, f"the minimum of `{name}`")
            bounds.append(Bound(env[name], f"`{name}` of `{given.key}` must be at least {low}", least=low))
        if dim.max is not None:
            high = reader.integer(dim.max, env, f"the maximum of `{name}`")
            bounds.append(Bound(env[name], f"`{name}` of `{given.key}` must be at most {high}", most=high))
        try:
            context.requirements.bounds(bounds, reader.place(given.span))
        except ShapeError as found:
            labels = (Label(dim.span, "declared here"),)
            raise reader.error("shape-mismatch", str(found), given.span, secondary=labels) from None


def misfit(context: Context, given: Given, name: str, found: str, help: str | None = None) -> AlreadyReported:
    """Report a value that is not what an input declares."""
    declared: InputSpec = given.spec.inputs[name]
    labels = (Label(declared.span, "declared here"),)
    message = f"the input `{name}` of `{given.key}` {found}"
    return context.reader.error("shape-mismatch", message, given.span, secondary=labels, help=help)


def run_part(inner: Context, frame: Frame, given: Given, prev: Value, part: NetworkPart) -> Value | None:
    """Elaborate the steps of a network up to the last one that is asked for, without those that are left out."""
    steps, names = given.spec.network, frame.builder.names
    inner.budget.look_ahead(steps)
    left_out = {node.text: node for node in part.without}
    wanted = {_source(given, node).text.partition(".")[0] for node in part.wanted.values()}
    last: Value | None = prev
    place = frame
    for step in steps:
        written = getattr(step, "name", None)
        if written is not None and written.text in left_out:
            del left_out[written.text]
            source = getattr(step, "source", None)
            last = last if source is None else reference(inner, place, source, last)
            if last is not None:
                names[written.text] = last
            frame.builder.name_spans[written.text] = step.span
            continue
        place, last = inner.advance(place, step, last)
        if wanted and wanted <= names.keys() and not left_out:
            break
    for name, node in left_out.items():
        known = [step.name.text for step in steps if getattr(step, "name", None) is not None]
        help = did_you_mean(name, known) or "only named steps of its own body can be left out, not those inside others"
        message = f"the network `{clipped(given.key)}` has no step `{clipped(name)}`"
        raise inner.reader.error("unknown-reference", message, node.span, help=help)
    return last


def _source(given: Given, node: ScalarNode) -> ScalarNode:
    """Return the step that gives what is asked for: what it names, or what gives the output of that name."""
    outputs = given.spec.outputs or {}
    source = outputs[node.text].source if node.text in outputs else node
    return source if isinstance(source, ScalarNode) else node


def part_outputs(inner: Context, frame: Frame, given: Given, last: Value | None, part: NetworkPart) -> dict[str, Value]:
    """Return the values that are asked for, by name; without any, the network's own outputs, but for training."""
    if not part.wanted:
        whole = read_outputs(inner, frame, given.spec.outputs, last, given.span)
        outputs = {name: output.value for name, output in whole.items() if not output.training}
    else:
        outputs = {}
        for name, node in part.wanted.items():
            source = _source(given, node)
            if node.text not in (given.spec.outputs or {}):  # a text of the step, in which nothing is left to work out
                value = reference(inner, frame.seeing(Scope({})), source, last)
            else:
                value = reference(inner, frame, source, last)
            outputs[name] = required(inner, value, node.span, "an output")
    for name, value in outputs.items():
        if value is UNKNOWN:
            raise AlreadyReported
        if value in inner.training_only:
            span = part.wanted[name].span if name in part.wanted else given.span
            message = f"`{name}` of `{clipped(given.key)}` exists only in training"
            help = "a network that is used gives only what exists in inference too"
            raise inner.reader.error("training-only", message, span, help=help)
    return outputs


def needed_steps(steps: Iterable[Step], outputs: Iterable[Value], path: str) -> list[Step]:
    """Return the steps that some of the outputs depend on, and those whose weights such a step has.

    ``path`` is that of the level, which the keys of tied parameters begin with.
    """
    needed, lent = set(outputs), set[str]()
    kept = []
    for step in reversed([*steps]):
        if needed.isdisjoint(step.outputs) and not any(has(step, each) for each in lent):
            continue
        kept.append(step)
        needed.update(step.inputs)
        lent.update([step.shares] if step.shares else [])
        lent.update(target.removeprefix(f"{path}.") for target in tied_to(step))
    return kept[::-1]


def has(step: Step, key: str) -> bool:
    """Return whether a key, from the level on, is that of a step's module or a tensor of it, or lies in it."""
    own = [each for _, each in step.keys] if isinstance(step, Node) else []
    return key in (step.name, *own) or key.startswith(f"{step.name}.")


def tied_to(step: Step) -> Iterator[str]:
    """Yield the keys of the parameters that those in a step are tied to."""
    if isinstance(step, Node):
        yield from (target for _, target in step.ties)
    elif step.body.has_ties:
        for inner in step.body.steps:
            yield from tied_to(inner)


def initial_values(inner: Context, given: Given, level: Level, whole: bool) -> tuple[InitRule, ...]:
    """Return the initialisation rules at the top of the spec, with the parameters that each sets.

    ``whole`` says that all of the network is there: a rule for a parameter that is not is a mistake then.
    """
    if not given.spec.init:
        return ()
    from netspec.elaborate.passes.init_rules import check_paths, read_rules  # many specs have none

    rules = read_rules(given.spec.init, inner.reader, inner.globals)
    if whole:
        check_paths(rules, level, inner.reader)
    found = []
    for rule in rules:
        keys = frozenset(
            key
            for _, node, name, key in walk_parameters(level)
            if name not in dict(node.ties) and rule.sets(key, node.op.name, name)
        )
        if keys:
            found.append(replace(rule, keys=keys))
    return tuple(found)
