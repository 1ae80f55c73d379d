"""Other networks as steps: ``use``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from netspec.diagnostics import Report, clipped, did_you_mean, one_of_these
from netspec.elaborate.building.level_inputs import Reads, level_inputs
from netspec.elaborate.building.nodes import add_step, mark_training
from netspec.elaborate.building.references import reference_text
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.reading.keys import hashable
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, bounded, declared_type
from netspec.elaborate.used import Expanded, Given, NetworkPart, expand_network
from netspec.graph import Call, Value
from netspec.spec import NAME, Entry, UsedSpec, Variant, Written, misfit, name_help
from netspec.spec.reading import StepReference, Template, keyword, mapping_entries, read_list, reader
from netspec.spec.steps import TrainableStructure
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode


def _read_values(node: SyntaxNode, report: Report) -> tuple[Entry, ...]:
    return mapping_entries(node, report, "a mapping from parameters to values", "write `params: {classes: 10}`")


def _read_network(node: SyntaxNode, report: Report) -> ScalarNode | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node
    misfit(report, node, "the name of a network, or the path of a spec file", "write `use: resnet50`")
    return None


class Use(TrainableStructure):
    """Another network as a step, with its own parameters, blocks and initial values."""

    known_as = "use"
    main = "network"
    is_level = True
    shareable = True
    examples = {"network": "write `network: resnet50`, or the path of a spec file"}
    usage = (
        """\
inputs: {image: [N, 3, H, W]}
network:
  - use: {name: backbone, network: resnet50, outputs: {low: layer1, high: layer4}, freeze: true, init: orthogonal}
  - conv2d: {name: classifier, out_channels: 21, kernel_size: 1, from: backbone.high}""",
        """\
inputs: {image: [N, 1, 28, 28]}
network:
  - use: {network: resnet, variant: resnet18, params: {channels: 1}, upto: layer2, from: image}""",
        """\
inputs: {image: [N, 3, H, W]}
network:
  - use: {network: resnet18, without: [fc], recompute: true}
  - linear: 10""",
    )

    network: Annotated[ScalarNode, reader(_read_network, "network")]
    """a network of the zoo or one of its variants, or the path of a spec file, relative to this one"""
    variant: Template | None = None
    """one of its variants; default: the one that `network` names, else its defaults"""
    params: Annotated[tuple[Entry, ...], reader(_read_values, "values")] = ()
    """values of its parameters"""
    source: Annotated[Written | None, reader(lambda node, report: node, "sources"), keyword("from")] = None
    """the steps that its inputs read: one, a list, or a mapping from inputs to steps; default: the step before it"""
    outputs: Annotated[Written, reader(lambda node, report: node, "outputs")] | None = None
    """the steps or outputs of it that this step gives: a list, or a mapping from names; what they do not need is left
    out; default: its own outputs"""
    upto: StepReference | None = None
    """its last step: what comes after it is left out"""
    without: Annotated[tuple[Written, ...], reader(read_list, "texts")] = ()
    """steps that are left out: what reads one of them reads what it would read"""


@elaborates(Use)
def elaborate(context: Context, frame: Frame, step: Use, prev: Value | None, default_name: str | None) -> Value:
    """Elaborate the other network as a level, under keys of its own."""
    used = context.uses.get((step.network.span.source, step.network.text))
    if used is None:
        help = "a network can be used in a file, but not in a part of the library"
        raise context.reader.error("unknown-network", "this network was not read", step.network.span, help=help)
    name = step_name(context, frame, step, default_name)
    path = frame.builder.path_of(name)
    guard_depth(context, step)
    given = Given(step.network.text, step.span, used.spec, chosen_variant(context, frame, step, used))
    inputs = network_inputs(context, frame, step, used, prev)
    parameters = given_parameters(context, frame, step, used)
    part = selected(context, frame, step)
    if inputs is None:
        raise AlreadyReported
    with context.reader.through(f"network {given.key}, {path} ({context.at(step.span)})"):
        level, _, rules, _ = expanded(context, given, parameters, inputs, part, path)
    outputs = tuple(Value(value.tensor) for value in level.outputs)
    mark_training(context, frame, inputs.values(), outputs, step.span)
    named = step.is_named
    actual = tuple(inputs.values())
    add_step(context, frame, Call(name, level, actual, outputs, step.span, named, frame.training, init=rules))
    frame.builder.bind(name, dict(zip(level.output_names, outputs)))
    return outputs[0]


def expanded(
    context: Context,
    given: Given,
    parameters: Scope,
    inputs: Mapping[str, Value],
    part: NetworkPart,
    path: str,
) -> Expanded:
    """The network as a level, expanded once for all steps that use it alike, unless parameters in it are tied."""
    chosen = given.variant.key.text if given.variant else None
    read = tuple((name, value.tensor, value.optional) for name, value in inputs.items())
    memo = given.spec, chosen, hashable(parameters), read, part.words, context.requirements.training
    if memo in context.networks:
        known: Expanded | None = context.networks[memo]
        if known is None:
            raise AlreadyReported
        context.budget.charge_layers(known.layers, given.span)
        context.requirements.noted += known.needed
        return known
    context.budget.charge_iterations(5, given.span)  # an expansion costs about as much
    context.networks[memo] = None  # as long as it has not come to a good end
    made: Expanded = expand_network(context, given, parameters, inputs, part, path)
    context.networks[memo] = made
    if made.level.has_ties:  # by their keys, which begin with this step's path
        del context.networks[memo]
    return made


def guard_depth(context: Context, step: Use) -> None:
    """Guard: networks and blocks stand in no more levels than allowed."""
    if context.around + len(context.calling) >= context.budget.limits.depth:
        message = f"networks are nested more than {context.budget.limits.depth} levels deep"
        raise context.reader.error("too-deep", message, step.span, help="nest fewer networks and blocks")


def chosen_variant(context: Context, frame: Frame, step: Use, used: UsedSpec) -> Variant | None:
    """Return the variant that the step asks for; ``None`` for the defaults."""
    variants = used.spec.variants
    if step.variant is None:
        return None if used.variant is None else variants[used.variant]
    text = context.reader.text(step.variant, frame.env)
    if used.variant is not None:
        help = f"write `{{network: {used.spec.name}, variant: {clipped(text)}}}`"
        message = f"`{used.variant}` is a variant already"
        raise context.reader.error("bad-argument", message, step.variant.span, help=help)
    if text not in variants:
        help = one_of_these(text, variants, "it has no variants")
        message = f"`{clipped(step.network.text)}` has no variant `{clipped(text)}`"
        raise context.reader.error("unknown-name", message, step.variant.span, help=help)
    return variants[text]


def network_inputs(
    context: Context, frame: Frame, step: Use, used: UsedSpec, prev: Value | None
) -> dict[str, Value] | None:
    """The values that the network reads, by input; ``None`` where one is unknown."""
    formal = {name: given.optional for name, given in used.spec.inputs.items()}
    by_name: dict[str, Written] = {}
    for key, node in step.source.entries if isinstance(step.source, MapNode) else ():
        if key.text not in formal:
            help = one_of_these(key.text, formal, "it has no inputs")
            message = f"`{clipped(step.network.text)}` has no input `{clipped(key.text)}`"
            raise context.reader.error("unknown-argument", message, key.span, help=help)
        by_name[key.text] = node
    source = None if isinstance(step.source, MapNode) else step.source
    return level_inputs(context, frame, Reads(step.network.text, source, by_name, step.span), formal, prev)


def given_parameters(context: Context, frame: Frame, step: Use, used: UsedSpec) -> Scope:
    """Return the values of parameters that the step gives, and where. Every fault is reported."""
    reader, declared = context.reader, used.spec.params
    given = Scope({}, {})
    origins: dict[str, Written] = {}
    sound = True
    for key, node in step.params:
        name = key.text
        if name not in declared:
            help = did_you_mean(name, declared) or one_of_these(name, declared, "it has no parameters")
            message = f"`{clipped(step.network.text)}` has no parameter `{clipped(name)}`"
            reader.error("unknown-argument", message, key.span, help=help)
            sound = False
            continue
        try:
            what = f"`{name}` of `{clipped(step.network.text)}`"
            value = reader.typed(node, frame.env, declared_type(reader, declared[name]), what)
            given[name] = bounded(reader, declared[name], value, node.span)
            origins[name] = frame.env.origin(node)
        except AlreadyReported:
            sound = False
    if not sound:
        raise AlreadyReported
    given.origins = origins
    return given


def selected(context: Context, frame: Frame, step: Use) -> NetworkPart:
    """Return which part of the network the step asks for."""
    if step.upto is not None and step.outputs is not None:
        help = "leave `upto` out: what the outputs do not need is left out anyway"
        raise context.reader.error("bad-argument", "`upto` is beside `outputs`", step.upto.span, help=help)

    def told(node: SyntaxNode) -> ScalarNode:
        text = reference_text(context, frame, node)
        return ScalarNode(node.span, text, text, False)

    wanted = {"output": told(step.upto)} if step.upto is not None else dict(_outputs(context, step, told))
    return NetworkPart(wanted, tuple(map(told, step.without)))


def _outputs(context: Context, step: Use, told: Any) -> Iterator[tuple[str, ScalarNode]]:
    """The outputs that the step asks for, by name."""
    if isinstance(step.outputs, MapNode):
        written = [(key, told(node)) for key, node in step.outputs.entries]
    else:
        items = step.outputs.items if isinstance(step.outputs, ListNode) else (step.outputs,) if step.outputs else ()
        written = [(node, node) for node in map(told, items)]
    for key, node in written:
        if not NAME.match(key.text):
            help = "name it: `outputs: {name: step}`" if key is node else name_help(key.text)
            raise context.reader.error("bad-name", f"`{clipped(key.text)}` cannot name an output", key.span, help=help)
        yield key.text, node
