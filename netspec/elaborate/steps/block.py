"""Steps that run a block: their inputs and arguments, and the level that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from netspec import library
from netspec.diagnostics import Label, clipped
from netspec.dims import pretty_shape
from netspec.elaborate.building.block_arguments import block_arguments, origins_of_arguments, visible_to
from netspec.elaborate.building.level_inputs import Reads, level_inputs
from netspec.elaborate.building.nodes import add_step, make_op, mark_training, require
from netspec.elaborate.building.outputs import guard_order, read_outputs
from netspec.elaborate.building.step_names import step_name
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.locals import with_locals
from netspec.elaborate.reading.scope import Scope, names_in, origin_labels, show
from netspec.elaborate.reading.values import AlreadyReported, Through
from netspec.elaborate.state.cache import BlockArguments, Expanded
from netspec.elaborate.state.levels import ABSENT, LevelBuilder
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Call, Level, Value
from netspec.ops import OPS, ShapeError
from netspec.spec import NAME, BlockSpec, CallStep
from netspec.syntax import ScalarNode


def run_block(
    context: Context,
    frame: Frame,
    step: CallStep,
    key: str,
    block: BlockSpec,
    prev: Value | None,
    default_name: str | None,
) -> Value:
    name = step_name(context, frame, step, default_name)
    guard_nesting(context, step, key, block)
    formal = formal_inputs(context, key, block)
    call = context.cache.block_call(step, block)
    inputs = level_inputs(context, frame, Reads(key, step.source, call.inputs, step.span), formal, prev)
    env = frame.env.of_shape(UNKNOWN_VALUE if inputs is None else next(iter(inputs.values())).shape)
    arguments = block_arguments(context, step, key, block, call, env)
    if inputs is None:
        raise AlreadyReported
    read = tuple([(name, value.tensor, value.optional) for name, value in inputs.items()])
    memo = key, library.owns(block.span.source), arguments.key, read, context.requirements.training
    level = made_before(context, step, memo, (key, block))
    if level is None:
        through = context.reader.through(
            f"block {key}, {frame.builder.path_of(name)} ({context.at(step.span)})", step.span
        )
        scope = inner_scope(context, step, (key, block), arguments, env, through)
        with through:
            level = block_level(
                context,
                step,
                (key, block),
                memo,
                arguments.values,
                lambda: expand(context, key, block, scope, arguments.values, inputs, frame.builder, name),
            )
    actual = [*inputs.values()]
    outputs = tuple(Value(value.tensor) for value in level.outputs)
    actual += measured_inputs(frame.builder, level, len(actual))
    mark_training(context, frame, actual, outputs, step.span)
    named = step.is_named
    add_step(context, frame, Call(name, level, tuple(actual), outputs, step.span, named, frame.training))
    frame.builder.bind(name, dict(zip(level.output_names, outputs)))
    return outputs[0]


def inner_scope(
    context: Context,
    step: CallStep,
    called: tuple[str, BlockSpec],
    arguments: BlockArguments,
    env: Scope,
    through: Through,
) -> Scope:
    """Return what the expressions of a block see in a call; guards what the block requires of it."""
    key, block = called
    origins = origins_of_arguments(block, arguments, env)
    scope = visible_to(context, block).extended({**arguments.values, "shape": env["shape"]}, origins)
    with through:
        scope = with_locals(context.reader, block.let, scope, arguments.values)
    guard_required(context, step, key, block, scope)
    return scope


def measured_inputs(caller: LevelBuilder, level: Level, first: int) -> list[Value]:
    """Return the inputs of the network whose sizes a block reads, as the level that calls it has them."""
    given = {name: value for value, _, name in caller.network.declared}
    return [caller.bring(caller.network, given[name], name) for name in level.input_names[first:]]


def guard_nesting(context: Context, step: CallStep, key: str, block: BlockSpec) -> None:
    """Guard: the block does not call itself, and stands in no more levels than allowed."""
    around = [other for _, other in context.calling]
    if block in around:
        cycle = " -> ".join([*(other for other, _ in context.calling[around.index(block) :]), key])
        help = "to run steps several times, use `repeat`"
        raise context.reader.error("block-recursion", f"a block calls itself: {cycle}", step.span, help=help)
    if context.around + len(context.calling) >= context.budget.limits.depth:
        message = f"blocks are nested more than {context.budget.limits.depth} levels deep"
        raise context.reader.error("too-deep", message, step.span, help="nest fewer blocks")


def made_before(context: Context, step: CallStep, memo: Any, called: tuple[str, BlockSpec]) -> Level | None:
    """Return the level of a block that an equal call has made, in this variant or in another one.

    After a fault there is none: every call is to tell what is wrong with it.
    """
    if context.reader.report.count:
        return None
    known = context.expanded.get(memo)
    if known is not None:
        context.requirements.noted += known[2]  # for the blocks around this step, which need it, too
    else:
        known = fitting(context, context.cache.expanded.get((memo, block_context(context, *called))))
        if known is None:
            return None
        context.expanded[memo] = known
    context.budget.charge_layers(known[1], step.span)
    return known[0]


def block_level(
    context: Context,
    step: CallStep,
    called: tuple[str, BlockSpec],
    memo: Any,
    arguments: Mapping[str, Any],
    make: Callable[[], Level],
) -> Level:
    """Return the level of a block: one that was made before where that is the same, else what ``make`` makes."""
    if memo in context.expanded:
        known = context.expanded[memo]
        if known is None:
            raise AlreadyReported
        context.budget.charge_layers(known[1], step.span)
        context.requirements.noted += known[2]  # for the blocks around this step, which need it, too
        return known[0]
    exact = memo, block_context(context, *called)
    context.budget.charge_iterations(5, step.span)  # an expansion costs about as much
    context.expanded[memo] = None  # as long as it has not come to a good end
    known = anew(context, called[1], exact, arguments, make)
    if known[0].has_ties:  # by their keys, which begin with this call's path
        del context.expanded[memo]
        return known[0]
    if not context.reader.report.count:
        context.cache.expanded[exact] = known
    context.expanded[memo] = known
    return known[0]


def fitting(context: Context, known: Expanded | None) -> Expanded | None:
    """Return a level that another variant has made, if it fits this one."""
    if known is None:
        return None
    try:
        require(context, known[2])
    except ShapeError:  # expanded again, it is reported where it belongs
        return None
    return known


def anew(
    context: Context, block: BlockSpec, exact: Any, arguments: Mapping[str, Any], make: Callable[[], Level]
) -> Expanded:
    """Return the level of a block that was not made before, from one that differs in its ``drop_path`` alone if
    there is one.
    """
    (key, standard, values, *others), seen = exact
    rate = context.cache.rate(block)
    if rate is None or not rate.is_between(arguments):
        return expanded(context, make)
    values = tuple(value for value in values if value[0] != rate.name)
    alike = key, standard, values, *others, seen, context.reader.caller
    known = context.cache.alike.get(alike)
    if known is not None and context.budget.has_layers(known[1]) and fitting(context, known) is not None:
        level, layers, needed = known
        context.budget.layers += layers
        op = make_op(context, OPS["stochastic_depth"], {"p": arguments[rate.name]})
        return context.cache.interned.level(rate.changed(level, arguments, op)), layers, needed
    known = expanded(context, make)
    if not known[0].has_ties:
        context.cache.alike[alike] = known
    return known


def expanded(context: Context, make: Callable[[], Level]) -> Expanded:
    """Return a level that is made now, with its number of layers and what it requires."""
    before, first = context.budget.layers, len(context.requirements.noted)
    level = make()
    return level, context.budget.layers - before, tuple(dict.fromkeys(context.requirements.noted[first:]))


def block_context(context: Context, key: str, block: BlockSpec) -> Any:
    """The values of what a block may see beside its arguments."""
    standard = library.owns(block.span.source)
    if (key, standard) not in context.contexts:
        context.contexts[key, standard] = context.cache.context((key, standard), block, context.blocks, context.globals)
    return context.contexts[key, standard]


def guard_required(context: Context, step: CallStep, key: str, block: BlockSpec, scope: Scope) -> None:
    """Guard: what a block requires of its parameters and of its first input's shape holds in this call."""
    for node in block.require:
        if context.reader.condition(node, scope, "a requirement"):
            continue
        assert isinstance(node, ScalarNode)
        named = {name: scope[name] for name in names_in(node) if name in scope}
        named = {name: pretty_shape(value) if name == "shape" else show(value) for name, value in named.items()}
        values = ", ".join(f"{name} = {text}" for name, text in named.items())
        labels = (Label(node.span, "required here"), *origin_labels(scope, [node], step.span))
        message = f"`{key}` needs `{clipped(node.text, 120)}`"
        raise context.reader.error(
            "requirement-failed", message, step.span, f"with {values}" if values else "", secondary=labels
        )


def formal_inputs(context: Context, key: str, block: BlockSpec) -> Mapping[str, bool]:
    """The names of a block's inputs, each with whether a call may leave it out; guards how they are written."""
    if block in context.cache.formal:
        return context.cache.formal[block]
    names, written = block.formal, block.inputs or ()
    if block.inputs is not None and (len(names) != len(written) or not names or not all(map(NAME.match, names))):
        span = next((node.span for node in written if not isinstance(node, ScalarNode)), block.span)
        help = "write `inputs: [query, key]`"
        raise context.reader.error("wrong-type", f"the inputs of `{key}` must be a list of names", span, help=help)
    guard_order(context, [*zip(names, (node.span for node in written), names.values())])
    context.cache.formal[block] = names
    return names


def expand(
    context: Context,
    key: str,
    block: BlockSpec,
    scope: Scope,
    arguments: Mapping[str, Any],
    inputs: Mapping[str, Value],
    caller: LevelBuilder,
    name: str,
) -> Level:
    """A block's body as a level, for these arguments and inputs; its expressions see ``scope``."""
    title = key.rpartition(".")[2]  # without the prefix that its file is imported under
    builder = LevelBuilder("block", title, block.span, caller.path_of(name), caller=caller)
    formal = {name: replace(value) for name, value in inputs.items()}
    builder.declared = [(value, value, name) for name, value in formal.items()]
    builder.names = {**dict.fromkeys(block.formal, ABSENT), **formal}
    frame = Frame(builder, scope)
    context.calling.append((key, block))
    try:
        last = context.run(frame, block.body, next(iter(formal.values())))
        outputs = read_outputs(context, frame, block.outputs, last, block.span)
    finally:
        context.calling.pop()
    if any(output.training for output in outputs.values()):  # which has been reported
        raise AlreadyReported
    if any(output.value in context.training_only for output in outputs.values()):
        help = "move the `side` into the network's own body, or remove its `when: training`"
        message = f"the block `{key}` returns a value that exists only in training"
        raise context.reader.error("training-only", message, block.span, help=help)
    level, _ = builder.close(
        context.cache.interned, {name: output.value for name, output in outputs.items()}, dict(arguments)
    )
    return level
