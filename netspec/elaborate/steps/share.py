"""Steps that run another step's module again: its weights are there once, whoever uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from netspec import library
from netspec.diagnostics import Label, clipped, did_you_mean
from netspec.dims import pretty_shape
from netspec.elaborate.building.paths import hand_out_again
from netspec.elaborate.building.references import path_to, reference
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.messages.hints import find_named
from netspec.elaborate.reading.scope import Scope, listed
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder
from netspec.graph import Call, Level, Node, Step, Value, walk
from netspec.ops import OPS, ForwardCall
from netspec.spec import block_meant
from netspec.spec.reading import Source, StepReference, keyword
from netspec.spec.steps import CallStep, NamedStructure
from netspec.spec.steps import Step as Written
from netspec.syntax.nodes import ListNode, ScalarNode


class Share(NamedStructure):
    """Another step's module once more, with the same weights."""

    known_as = "share"
    main = "step"
    usage = (
        """\
inputs: {a: [N, 16], b: [N, 16]}
network:
  - linear: {name: encoder, out_features: 8, from: a}
  - share: {step: encoder, name: again, from: b}
  - concat: {from: [encoder, again], dim: 1}""",
    )

    step: StepReference
    """a step that stands before it in the same body, or the path to one in a group of it: `encoder.conv1`"""
    source: Annotated[Source | None, keyword("from")] = None
    """the step that it reads, or a list of them; default: the step before it"""


@elaborates(Share)
def elaborate(
    context: Context, frame: Frame, step: Share, prev: Value | None, default_name: str | None
) -> Value | None:
    name = context.reader.text(step.step, frame.env)
    home, level, original = shared_step(context, frame, step, name)
    before = len(frame.builder.steps)
    source, env = level.authored[original.name]
    again = rewritten(context, frame, step.changed(source=said_here(context, frame, step.source)), source)
    if not isinstance(source, CallStep) and step.source is not None:
        prev = reference(context, frame, step.source, prev)
    shape = frame.env.get("shape")
    scope = env if shape is None else Scope({**env, "shape": shape}, env.origins)
    with context.reader.through(f"shared: `{clipped(name)}` ({context.at(step.span)})"):
        result = context.value(frame.seeing(scope), again, prev, default_name)
    steps = frame.builder.steps[before:]
    if len(steps) != 1:
        raise AlreadyReported
    guard_alike(context, step, name, original, steps[0])
    if isinstance(original, Call) or original.op.functional is None:  # else there is nothing to share
        shares = ".".join([*home, original.shares or original.name])
        again_there = replace(steps[0], shares=shares, frozen=original.frozen, init=())
        if isinstance(original, Node) and isinstance(again_there, Node) and original.keys:
            again_there = replace(again_there, keys=keys_here(context, step, original, home))
        frame.builder.steps[-1] = again_there
        hand_out_again(context, (level, original.name), (frame.builder, steps[0].name), step.span)
    return result


def keys_here(context: Context, step: Share, original: Node, home: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the keys of the shared op's tensors. Guard: the level that has them is this one."""
    if home:
        message = "an op whose tensors have keys of their own is shared in its own level alone"
        help = "share the group that it is in"
        raise context.reader.error("bad-argument", message, step.step.span, help=help)
    return original.keys


def shared_step(context: Context, frame: Frame, step: Share, text: str) -> tuple[list[str], LevelBuilder, Step]:
    """The step whose module is run again, one that stands before; the level that it is in, and the path to that."""
    level, home = frame.builder, []
    rest: Sequence[str] = text.split(".")
    while True:
        name, rest = level.start(rest) or (rest[0], rest[1:])
        original = next((each for each in level.steps if each.name == name), None)
        if not rest:
            break
        if not isinstance(original, Call) or original.name not in level.inner:
            raise nothing_shared(context, frame, step, text)
        level = level.inner[original.name]
        home.append(original.shares or original.name)
    if original is None or original.name not in level.authored:
        raise nothing_shared(context, frame, step, text)
    return home, level, original


def step_at(level: LevelBuilder, word: str) -> Step | None:
    """Return the step of a level that a reference calls so."""
    name = level.aliases.get(word, word)
    return next((each for each in level.steps if each.name == name), None)


def nothing_shared(context: Context, frame: Frame, step: Share, text: str) -> AlreadyReported:
    """Report a path to no step that can be run again."""
    if frame.builder.is_incomplete() or frame.builder.find_name(text.partition(".")[0]) is UNKNOWN:
        return AlreadyReported()
    inside = (f"{name}.{each}" for name, level in frame.builder.inner.items() for each in level.authored)
    known = [*frame.builder.authored, *frame.builder.aliases]
    help = did_you_mean(text, [*known, *inside] if "." in text else known)
    help = place_help(context, frame, text.partition(".")[0], step) or help
    help = help or "only an earlier step of the same body, or of a group in it, can be shared"
    message = f"no step `{clipped(text)}` can be shared here"
    return context.reader.error("unknown-reference", message, step.step.span, help=help)


def place_help(context: Context, frame: Frame, name: str, step: Share) -> str | None:
    """Return what to do about a step that is there, but not in reach of this one; ``None`` where there is none."""
    inside = path_to(frame.builder, name)
    if inside is not None or step_at(frame.builder, name) is not None:
        return None if inside is None else f"write `{inside}`"
    current = context.calling[-1][0] if context.calling else None
    found = find_named(name, context.network, context.blocks, current)
    if found is None or found[1] != current:
        return None
    span = found[0]
    if span.order > step.step.span.order:
        first = "put the step itself where it runs first, and `share` where it runs again"
        return f"`{name}` is defined later, at line {span.line}: {first}"
    reach = "a step shares those of its own body, and those of groups in that by their paths"
    return f"`{name}` is in another body, at line {span.line}: {reach}"


def rewritten(context: Context, frame: Frame, step: Share, source: Any) -> Written:
    """The shared step as it would be written here: under its own name, reading what ``share`` says."""
    if isinstance(source, CallStep):
        called = source.key.text
        name = block_meant(context.blocks, called, context.calling[-1][0] if context.calling else "")
        block = context.blocks[name] if name else (None if called in OPS else library.find(called))
        inputs = {*(block.formal if block is not None else OPS[called].ports if called in OPS else ()), "tie"}
        kept = {key: entry for key, entry in source.arguments.items() if key not in inputs}
        return replace(source, name=step.name, state_key=step.state_key, source=step.source, arguments=kept)
    if not source.is_level and not step.is_named:
        help = "`share: {step: …, name: …}`"
        raise context.reader.error(
            "missing-key", f"sharing a `{source.known_as}` requires a name", step.span, help=help
        )
    reads = {"source": None} if hasattr(source, "source") else {}
    copied: Written = source.changed(name=step.name, state_key=step.state_key, **reads)
    return copied


def said_here(context: Context, frame: Frame, node: Any) -> Any:
    """The names that a step reads, as they are where it stands: the shared step may stand in another loop."""
    if isinstance(node, ListNode):
        return replace(node, items=tuple(said_here(context, frame, item) for item in node.items))
    if not isinstance(node, ScalarNode) or "{" not in node.text:
        return node
    text = context.reader.text(node, frame.env)
    return ScalarNode(node.span, text, text, node.plain)


def guard_alike(context: Context, step: Share, name: str, original: Step, again: Step) -> None:
    """Guard that the module fits what it is given the second time."""
    if is_alike(original, again):
        return
    first, second = learned(original), learned(again)
    changed = next((key for key in first if key in second and first[key] != second[key]), None)
    message = f"`{clipped(name)}` cannot be shared here: it would be a different module for this input"
    if changed is not None:
        was, now = pretty_shape(first[changed]), pretty_shape(second[changed])
        message = f"`{clipped(name)}` cannot be shared here: its {changed} is {was}, but {now} would be needed"
    labels = (Label(original.span, "the shared step"),)
    help = "steps that share weights must read the same number of features"
    if isinstance(original, Call) and isinstance(again, Call):
        was, now = (listed(call.body.input_names) for call in (original, again))
        if was != now:
            message = f"`{clipped(name)}` cannot be shared here: it reads {was}, but this step reads {now}"
            help = "give both the same inputs"
    raise context.reader.error("shape-mismatch", message, step.span, secondary=labels, help=help)


def is_alike(left: Step, right: Step) -> bool:
    """Return whether two steps are one module: the same op and sizes, or the same steps inside."""
    if isinstance(left, Node) and isinstance(right, Node):
        return left.op == right.op and left.parameters == right.parameters and _made(left) == _made(right)
    if isinstance(left, Call) and isinstance(right, Call):
        ours, theirs = left.body.steps, right.body.steps
        if left.body.input_names != right.body.input_names:  # one is given what the other leaves out
            return False
        if _wiring(left.body) != _wiring(right.body):
            return False
        return [each.name for each in ours] == [each.name for each in theirs] and all(map(is_alike, ours, theirs))
    return False


def _wiring(level: Level) -> object:
    """Return the values that each step of a level reads, and which of its inputs are optional."""
    numbers: dict[Value, int] = {}
    read = [level.inputs, *(each for step in level.steps for each in (step.inputs, step.outputs)), level.outputs]
    wires = [tuple(numbers.setdefault(value, len(numbers)) for value in values) for values in read]
    ports = [step.ports if isinstance(step, Node) else () for step in level.steps]
    return wires, ports, [value.optional for value in level.inputs], level.loop and replace(level.loop, length=0)


def _made(node: Node) -> object:
    """Return the PyTorch that the node becomes: all of it that may depend on sizes."""
    if node.op.has_module:
        return node.op.module(*node.tensors)
    arguments = [None if each is None else f"a{at}" for at, each in enumerate(node.arranged(node.inputs))]
    targets: list[str | None] = [f"b{at}" for at in range(len(node.outputs))]
    return node.op.statements(ForwardCall(None, arguments, targets, node.tensors, lambda name: name))


def learned(step: Step) -> dict[str, tuple[Any, ...]]:
    """The shapes of a step's parameters by their place in it."""
    if isinstance(step, Node):
        return dict(step.parameters)
    nodes = ((path, each) for path, each, _ in walk(step.body) if isinstance(each, Node))
    return {f"{path}.{name}": shape for path, node in nodes for name, shape in node.parameters.items()}
