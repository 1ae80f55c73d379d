"""From a spec to its shaped graph: one forward pass that expands, resolves names and infers shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Label, Report, Span, UsageError, clipped, did_you_mean, one_of_these
from netspec.dims import Dim, Size
from netspec.elaborate.base import Frame, Limits
from netspec.elaborate.levels import UNKNOWN, Builder
from netspec.elaborate.names import check_names
from netspec.elaborate.passes.init_limits import check_shapes
from netspec.elaborate.passes.init_rules import check_paths, read_rules, read_start
from netspec.elaborate.passes.init_steps import placed_rules
from netspec.elaborate.passes.input_ranges import input_numbers
from netspec.elaborate.passes.sizes import choose_sizes
from netspec.elaborate.requirements import Requirements
from netspec.elaborate.scope import Scope, origin_labels, show
from netspec.elaborate.shared import Shared
from netspec.elaborate.steps.structures import Elaborator
from netspec.elaborate.values import Failed, Reader, bounded, declared_type, default_value, fit
from netspec.expressions import UNKNOWN_VALUE, ExpressionError, parse
from netspec.graph import Graph, Level, Node, Output, Requirement, Value, parameter_count, walk
from netspec.ops import OPS
from netspec.ops.core.base import Tensor
from netspec.spec import STRUCTURES, Spec, Variant
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

__all__ = ["Limits", "Shared", "elaborate", "parameter_values"]

MOST_PARAMETERS = 10**13

INNER = "bfloat16"
"""A dtype that values have inside a network only: onnxruntime's Python takes and gives NumPy's dtypes."""

CONSTANTS = ("None", "True", "False")
"""Keywords of Python that look like classes."""

Override = Any
"""A parameter's value from outside: a syntax node (from the command line) or a plain value (from Python)."""


def elaborate(
    spec: Spec,
    report: Report,
    *,
    variant: str | None = None,
    overrides: Mapping[str, Override] | None = None,
    sizes: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    shared: Shared | None = None,
    digest: str = "",
    source: str = "",
) -> Graph:
    """The graph of a spec, for one variant and these parameter values.

    ``shared`` is what other elaborations of the same spec have worked out; this one adds to it. Raises ``SpecError``
    with everything that is wrong, and ``UsageError`` for a variant, a parameter or a dimension that does not exist.
    """
    reader = Reader(report)
    chosen = _variant(spec, variant)
    if chosen is not None:
        reader.trail = (f"variant {chosen.key.text} (line {chosen.key.span.line})",)
    _guard_names(spec, reader)
    check_names(spec, reader)
    parameters = parameter_values(spec, reader, chosen, overrides or {})
    symbols = {name: Dim.symbol(name) for name in _symbol_names(spec, parameters)}
    globals = parameters.extended(symbols)
    if not _check_required(spec, reader, globals):
        report.raise_if_any()  # the rest follows from it
    declared, limits_of_dims = _declared_sizes(spec, reader, globals, symbols, sizes or {})

    requirements = Requirements(declared)
    for each in limits_of_dims:
        requirements.add(each)
    elaborator = Elaborator(
        spec.blocks, spec.network, globals, reader, requirements, limits or Limits(), shared or Shared()
    )
    builder = Builder("network", variant or spec.name, _network_span(spec), "")
    inputs = _inputs(spec, reader, globals)
    try:
        elaborator.guard_order([(name, given.span, given.optional) for name, given in spec.inputs.items()])
    except Failed:
        report.raise_if_any()
    if not inputs:
        report.raise_if_any()
    builder.given = [(value, value, name) for name, value in inputs.items() if value is not UNKNOWN]
    builder.names = dict(inputs)
    frame = Frame(builder, globals)
    last = elaborator.run(frame, spec.network, next(iter(inputs.values())))
    try:
        if last is not UNKNOWN or spec.outputs:
            outputs = elaborator.outputs(frame, spec.outputs, last, builder.span)
            for name, (value, training) in outputs.items():
                _guard_output(spec, reader, name, value)
                if value in elaborator.training_only and not training:
                    assert spec.outputs is not None
                    span = spec.outputs[name].source.span
                    help = f"`{name}: {{from: …, when: training}}`"
                    reader.error("training-only", f"the output `{name}` exists in training only", span, help=help)
            _guard_inference(spec, reader, outputs)
    except Failed:
        pass
    below, ranges = _bounds(spec, reader, globals), _ranges(spec, reader, globals)
    init = read_rules(spec.init, reader, globals)
    recipe, start = None, None
    if spec.train is not None and not report.count:
        from netspec.elaborate.training.recipe import read_recipe  # most specs have none, and its classes take a while

        made = {name: Output(value, training) for name, (value, training) in outputs.items()}
        recipe = read_recipe(spec.train, reader, globals, inputs, made, [*requirements.found.values()])
        start = spec.train.get("init") if isinstance(spec.train, MapNode) else None
    report.raise_if_any()
    body, _ = builder.close(
        elaborator.interned,
        {name: value for name, (value, _) in outputs.items()},
        {},
        training_outputs=[name for name, (_, training) in outputs.items() if training],
    )
    init = (*init, *placed_rules(body))
    if start is not None:
        init = (*init, *read_start(start, body, reader, globals))
    found = tuple(requirements.found.values())
    check_parameters(body, reader)
    check_paths(init, body, reader)
    check_shapes(init, body, reader)
    report.raise_if_any()
    return Graph(
        name=variant or spec.name,
        doc=spec.doc,
        body=body,
        inputs=inputs,
        outputs={name: Output(value, training) for name, (value, training) in outputs.items()},
        sizes=choose_sizes(inputs, declared, found, report),
        requirements=found,
        init=init,
        parameters=parameters,
        numbers=input_numbers(body, below),
        ranges=ranges,
        spec=source,
        digest=digest,
        recipe=recipe,
    )


def _variant(spec: Spec, name: str | None) -> Variant | None:
    if name is None or (name == spec.name and name not in spec.variants):
        return None
    if name in spec.variants:
        return spec.variants[name]
    hint = one_of_these(name, spec.variants, "it has no variants")
    raise UsageError(f"the spec {spec.name} has no variant `{name}`: {hint}")


def _guard_names(spec: Spec, reader: Reader) -> None:
    for name, block in spec.blocks.items():
        if name in OPS or name in STRUCTURES:
            kind = "an op" if name in OPS else "a structure"
            message = f"the block `{name}` has the name of {kind}"
            reader.error("duplicate-name", message, block.span, help="rename the block")
        if name in CONSTANTS:
            help = f"`{name}` is a keyword of Python: write `{name}_`"
            reader.error("bad-name", f"`{name}` cannot be a block's name", block.span, help=help)
        for output in (block.outputs or {}).values():
            if output.when is not None:
                help = "leave it out here, and write it at the network's output that gives this value"
                message = f"an output of a block has no `when`: `{name}` gives all of its own in every call"
                reader.error("training-only", message, output.source.span, help=help)


def _guard_output(spec: Spec, reader: Reader, name: str, value: Value) -> None:
    """Guard: an ONNX file can have the output beside its inputs, which share one name space with it."""
    if value.tensor.dtype == INNER:
        span = spec.outputs[name].source.span if spec.outputs else _network_span(spec, -1)
        message = f"the output `{name}` is {INNER}, which onnxruntime does not give"
        reader.error("shape-mismatch", message, span, help="end with `- cast: float32`")
    if name not in spec.inputs:
        return
    given = spec.inputs[name].span
    labels: tuple[Label, ...] = ()
    if spec.outputs:
        span, labels = spec.outputs[name].source.span, (Label(given, "the input"),)
        help = "give one of them another name"
    else:
        span = given
        help = "the last step's value is called so: rename the input, or name the output: `outputs: {result: prev}`"
    reader.error("duplicate-name", f"an input and an output are called `{name}`", span, help=help, secondary=labels)


def _guard_inference(spec: Spec, reader: Reader, outputs: Mapping[str, tuple[Value, bool]]) -> None:
    """Guard: the network gives something when it is used, too."""
    if spec.outputs and all(training for _, training in outputs.values()):
        span = spec.outputs[next(iter(outputs))].source.span
        help = "give one output without `when: training`"
        reader.error("training-only", "every output exists in training only", span, help=help)


def parameter_values(spec: Spec, reader: Reader, variant: Variant | None, overrides: Mapping[str, Override]) -> Scope:
    """The value of each parameter: from outside, else from the variant, else its default."""
    for name in overrides:
        if name not in spec.params:
            hint = one_of_these(name, spec.params, "it has no parameters")
            raise UsageError(f"the spec {spec.name} has no parameter `{name}`: {hint}")
    if variant is not None:
        for name in variant.values.keys() - spec.params.keys():
            span = variant.values[name][0].span
            help = did_you_mean(name, [*spec.params, "expect", "doc"])
            reader.error("unknown-argument", f"the spec has no parameter `{clipped(name)}`", span, help=help)
    values = Scope({}, {})
    origins: dict[str, SyntaxNode] = {}
    values.origins = origins
    reader.later = dict(spec.params)
    for name, parameter in spec.params.items():
        if parameter.default is not None:
            origins[name] = parameter.default
        try:
            if name in overrides:
                values[name] = _override(reader, parameter, overrides[name], values)
                origins.pop(name, None)
                if isinstance(overrides[name], (ScalarNode, ListNode)):
                    origins[name] = overrides[name]
            elif variant is not None and name in variant.values:
                node = origins[name] = variant.values[name][1]
                type = declared_type(reader, parameter)
                why: tuple[Label, ...] = ()
                if parameter.type is None and parameter.default is not None:
                    why = (Label(parameter.default.span, f"the default makes it {type}"),)
                value = reader.typed(node, values, type, f"`{name}`", why)
                values[name] = bounded(reader, parameter, value, node.span)
            elif parameter.default is not None:
                values[name] = default_value(reader, parameter, values)
            else:
                help = f"give it a `default`, or a value: `--set {name}=…`"
                raise reader.error(
                    "missing-argument", f"the parameter `{name}` has no value", parameter.key.span, help=help
                )
        except Failed:
            values[name] = UNKNOWN_VALUE
    reader.later = {}
    return values


def _override(reader: Reader, parameter: Any, given: Override, values: Mapping[str, Any]) -> Any:
    name = parameter.key.text
    type = declared_type(reader, parameter)
    if isinstance(given, (ScalarNode, ListNode, MapNode)):
        return bounded(reader, parameter, reader.typed(given, values, type, f"`{name}`"), given.span)
    fitted = fit(given, type)
    if fitted is None:
        raise UsageError(f"`{name}` has type {type}, not {show(given)}")
    return bounded(reader, parameter, fitted, parameter.key.span)


def _symbol_names(spec: Spec, parameters: Mapping[str, Any]) -> list[str]:
    """The names in input shapes that are no parameters, in order of appearance."""
    found: dict[str, None] = {}
    for given in spec.inputs.values():
        for node in given.shape:
            if isinstance(node, ScalarNode) and isinstance(node.value, str):
                try:
                    names = parse(node.text).names
                except ExpressionError:
                    continue  # reported when the shape is read
                found.update(dict.fromkeys(sorted(names - parameters.keys(), key=node.text.find)))
    return list(found)


def _inputs(spec: Spec, reader: Reader, env: Mapping[str, Any]) -> dict[str, Value]:
    inputs = {}
    for name, given in spec.inputs.items():
        try:
            if given.dtype == INNER:
                help = "declare it as float32, and write `- cast: bfloat16` before what is to run in it"
                message = f"the input `{name}` is {INNER}, which onnxruntime does not take"
                raise reader.error("bad-value", message, given.span, help=help)
            sizes = [_size(reader, node, env) for node in given.shape]
            inputs[name] = Value(Tensor(tuple(sizes), given.dtype), given.optional)
        except Failed:
            inputs[name] = UNKNOWN
    if not spec.inputs:
        reader.error(
            "missing-key", "a spec needs an input", _network_span(spec), help="`inputs: {image: [N, 3, 224, 224]}`"
        )
    return inputs


def _bounds(spec: Spec, reader: Reader, env: Scope) -> dict[str, int]:
    """What the whole numbers of each input are below."""
    bounds = {}
    for name, given in spec.inputs.items():
        if given.below is not None:
            try:
                if is_real(given.dtype):
                    help = "write `range: [0, 1]` for real numbers"
                    message = f"`below` is for whole numbers, and `{name}` is {given.dtype}"
                    raise reader.error("bad-value", message, given.below.span, help=help)
                bounds[name] = reader.integer(given.below, env, f"the bound of `{name}`", 1)
            except Failed:
                continue
    return bounds


def _ranges(spec: Spec, reader: Reader, env: Scope) -> dict[str, tuple[float, float]]:
    """The least and the largest number of each input of real numbers that says so."""
    ranges = {}
    for name, given in spec.inputs.items():
        if given.range is None:
            continue
        try:
            if not is_real(given.dtype):
                help = "write `below: 10` for whole numbers from 0 to 9"
                message = f"`range` is for real numbers, and `{name}` is {given.dtype}"
                raise reader.error("bad-value", message, given.range.span, help=help)
            ends = reader.items(given.range, env, f"the range of `{name}`")
            numbers = [each for each in ends if isinstance(each, (int, float)) and not isinstance(each, bool)]
            if len(ends) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
                message = f"the range of `{name}` is its least and its largest number"
                raise reader.error("bad-value", message, given.range.span, help="`range: [0, 1]`")
            ranges[name] = float(numbers[0]), float(numbers[1])
        except Failed:
            continue
    return ranges


def is_real(dtype: str) -> bool:
    """Return whether a dtype is of real numbers."""
    return dtype.startswith(("float", "bfloat"))


def _size(reader: Reader, node: SyntaxNode, env: Mapping[str, Any]) -> Size:
    value = reader.value(node, env)
    if isinstance(value, Dim) or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise reader.misvalued(node, env, "a size is a positive integer or a name", value)


def _check_required(spec: Spec, reader: Reader, env: Mapping[str, Any]) -> bool:
    """Return whether what the spec requires of its parameters holds; what does not is reported."""
    holds = True
    for node in spec.require:
        try:
            if not reader.condition(node, env, "a requirement"):
                holds = False
                assert isinstance(node, ScalarNode)
                names = sorted(parse(node.text).names & env.keys(), key=node.text.find)
                values = ", ".join(f"{name} = {env[name]}" for name in names)
                labels = origin_labels(env, [node], node.span)
                reader.error(
                    "requirement-failed",
                    f"`{clipped(node.text, 120)}` does not hold",
                    node.span,
                    f"with {values}" if values else "",
                    secondary=labels,
                )
        except Failed:
            continue
    return holds


def _declared_sizes(
    spec: Spec, reader: Reader, env: Mapping[str, Any], symbols: Mapping[str, Any], given: Mapping[str, int]
) -> tuple[dict[str, int], list[Requirement]]:
    """The sizes of symbolic dimensions that the author or the caller set, and what they may be."""
    limits: list[Requirement] = []
    for name in given:
        if name not in symbols:
            hint = one_of_these(name, symbols, "they have none")
            raise UsageError(f"the inputs have no dimension `{name}`: {hint}")
    sizes = dict(given)
    for name, dim in spec.dims.items():
        if name not in symbols:
            help = one_of_these(name, symbols, "the inputs have no symbolic dimension")
            reader.error("unknown-name", f"no input has the dimension `{name}`", dim.span, help=help)
            continue
        try:
            low = 1 if dim.min is None else reader.integer(dim.min, env, f"the least `{name}`", 1)
            high = None if dim.max is None else reader.integer(dim.max, env, f"the largest `{name}`", 1)
            size = sizes.setdefault(name, reader.integer(dim.default, env, f"the size of `{name}`", 1))
        except Failed:
            continue
        if size < low or (high is not None and size > high):
            bounds = f"at least {low}" + ("" if high is None else f" and at most {high}")
            reader.error("bad-value", f"`{name}` is {size}, but must be {bounds}", dim.default.span)
            continue
        if dim.min is not None and low > 1:
            limits.append(Requirement(symbols[name], ">=", low, dim.min.span, f"`{name}` must be at least {low}"))
        if dim.max is not None and high is not None:
            limits.append(Requirement(high, ">=", symbols[name], dim.max.span, f"`{name}` must be at most {high}"))
    for name, size in given.items():
        if size < 1:
            raise UsageError(f"the dimension `{name}` must be at least 1, not {size}")
    return sizes, limits


def check_parameters(body: Level, reader: Reader) -> None:
    """Guard the number of parameters, at the step that has the most."""
    if body.parameter_count <= MOST_PARAMETERS:
        return
    nodes = (step for _, step, _ in walk(body) if isinstance(step, Node))
    largest = max(nodes, key=parameter_count)
    message = f"the network has {body.parameter_count:,} parameters: no machine holds more than {MOST_PARAMETERS:,}"
    label = f"{parameter_count(largest):,} of them are here"
    reader.error("too-large", message, largest.span, label, help="make a size smaller")
    reader.report.raise_if_any()


def _network_span(spec: Spec, at: int = 0) -> Span:
    if spec.network:
        step: Span = spec.network[at].span
        return step
    raise AssertionError("a spec without steps has been refused")
