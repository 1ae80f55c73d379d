"""What every part of the elaboration shares: its state, names and references, and the making of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, TypeVar

from netspec.diagnostics import Label, Span, clipped, did_you_mean
from netspec.dims import TooComplexError, pretty_shape
from netspec.elaborate.levels import ABSENT, UNKNOWN, Builder, Ports, hashable
from netspec.elaborate.messages.hints import elsewhere_help, find_named
from netspec.elaborate.requirements import Requirements
from netspec.elaborate.scope import Scope, origin_labels, show
from netspec.elaborate.shared import Shared
from netspec.elaborate.taken import free_name, why_taken
from netspec.elaborate.values import Failed, Reader
from netspec.graph import Call, Level, Node, Requirement, Value, parameter_count
from netspec.ops import OPS
from netspec.ops.core.base import Op, ShapeError, Tensor
from netspec.spec import NAME, BlockSpec, CallStep, Entry, Step, Written, name_help
from netspec.syntax import DEFAULT, ListNode, ScalarNode
from netspec.syntax import Limits as FileLimits

AnyStep = TypeVar("AnyStep", Node, Call)

WEIGHTS = "float32"
"""The dtype of all parameters and buffers with which something is computed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a spec may take before it is called a mistake; ``file`` bounds its files."""

    iterations: int = 20_000
    layers: int = 20_000
    depth: int = 32
    file: FileLimits = DEFAULT


@dataclass(frozen=True, slots=True)
class Frame:
    """Where steps are being elaborated: the level they go to, what expressions see, whether for training only, and
    whether their parameters are frozen.
    """

    builder: Builder
    env: Scope
    training: bool = False
    frozen: bool = False

    def seeing(self, env: Scope) -> Frame:
        """The same place where expressions see something else."""
        return Frame(self.builder, env, self.training, self.frozen)


class Through:
    """A stretch of the elaboration with one more entry in the trail; entered for every turn of every loop."""

    __slots__ = ("before", "reader", "trail")

    def __init__(self, reader: Reader, trail: str):
        self.reader, self.trail, self.before = reader, trail, reader.trail

    def __enter__(self) -> None:
        self.reader.trail = (*self.before, self.trail)

    def __exit__(self, *_: object) -> None:
        self.reader.trail = self.before


class Elaboration:
    """The state of an elaboration. ``globals`` are the parameters and symbolic dimensions that every block sees."""

    def __init__(
        self,
        blocks: Mapping[str, BlockSpec],
        network: Sequence[Step],
        globals: Scope,
        reader: Reader,
        requirements: Requirements,
        limits: Limits,
        shared: Shared,
    ):
        self.blocks, self.network, self.globals, self.reader, self.limits = blocks, network, globals, reader, limits
        self.requirements = requirements
        self.shared = shared
        self.interned, self.ops = shared.interned, shared.ops
        self.refused: set[Any] = set()  # arguments that have been reported
        self.expanded: dict[Any, Level | None] = {}
        self.contexts: dict[tuple[str, bool], Any] = {}
        self.sizes_of: dict[Level, int] = {}
        self.training_only: set[Value] = set()
        self.calling: list[tuple[str, BlockSpec]] = []
        self.iterations = 0
        self.layers = 0

    def run(self, frame: Frame, steps: Sequence[Step], prev: Value | None) -> Value | None:
        """Elaborate a body; gives the value of its last step (``None`` where that leaves no single value)."""
        raise AssertionError("the structures of a body are elaborated in `steps`")

    def value(self, frame: Frame, step: Step, prev: Value | None, name: str | None) -> Value | None:
        """What a step of any kind gives, under ``name`` where its place gives it one."""
        raise AssertionError("the kinds of steps are told apart in `steps`")

    @property
    def in_loop(self) -> bool:
        """Return whether the trail goes through a loop."""
        return any(not entry.startswith(("block ", "variant ")) for entry in self.reader.trail)

    def at(self, span: Span) -> str:
        """A place for a trail: the line where the file goes without saying."""
        return f"line {span.line}" if span.source is self.network[0].span.source else span.place

    def through(self, trail: str) -> Through:
        """Diagnostics inside say that they were reached through this."""
        return Through(self.reader, trail)

    def place(self, frame: Frame, written: ScalarNode | None, given: str | None, span: Span) -> str:
        """The name of a step in its level; reports a name that is taken or is none."""
        places = frame.builder.places
        if written is None:
            name = given if given is not None else str(len(places))
        else:
            span = written.span
            name = self.reader.text(written, frame.env)
            if not NAME.match(name) or name == "prev":
                message = f"`{clipped(name)}` cannot be a step's name"
                raise self.reader.error("bad-name", message, span, help=name_help(name))
        self.guard_taken(name, span)
        if name in places:
            raise self.reader.error(
                "duplicate-name",
                f"two steps are called `{frame.builder.path_of(name)}`",
                span,
                secondary=(Label(places[name], "the first"),) if places[name] != span else (),
                help="name the loop, or use a template such as `name: layer{i + 1}`"
                if self.in_loop
                else "give one of them another name",
            )
        places[name] = span
        return name

    def guard_taken(self, name: str, span: Span) -> None:
        """Guard: a step's module is an attribute of its level's, which has methods of its own."""
        why = why_taken(name)
        if why is not None:
            help = f"{why}: write `{free_name(name)}`"
            raise self.reader.error("bad-name", f"`{name}` cannot be a step's name", span, help=help)

    def reference(self, frame: Frame, node: Written, prev: Value | None) -> Value:
        """The value that a reference means."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            help = "write `from: stem`, or a list of names for several inputs"
            raise self.reader.error("wrong-type", "expected the name of a step", node.span, help=help)
        text = self.reader.text(node, frame.env)
        if text == "prev":
            return self.previous(prev, node.span)
        name, _, port = text.partition(".")
        found = frame.builder.find(name, port or None)
        if found is None:
            raise self.unknown_reference(frame, node, text, name, port)
        if found is UNKNOWN:
            raise Failed
        return found

    def unknown_reference(self, frame: Frame, node: ScalarNode, text: str, name: str, port: str) -> Failed:
        """Report a reference that means nothing here, with what it might mean."""
        if frame.builder.is_incomplete():
            return Failed()
        visible = frame.builder.visible()
        bound = visible.get(name)
        known = [f"{name}.{each}" for each in bound.values] if isinstance(bound, Ports) else list(visible)
        message = f"no step is called `{clipped(name)}` here"
        if bound is not None:
            message = f"`{name}` has no output `{clipped(port)}`" if port else f"`{name}` is no single value"
            if not isinstance(bound, Ports):
                known = [name]
        labels: tuple[Label, ...] = ()
        help = did_you_mean(text, [*known, "prev"])
        current = self.calling[-1][0] if self.calling else None
        elsewhere = None if bound is not None else find_named(text, self.network, self.blocks, current)
        if elsewhere is not None:
            span, block = elsewhere
            labels = (Label(span, f"`{name}` is here"),)
            help = elsewhere_help(name, span, block, current, node.span)
        return self.reader.error("unknown-reference", message, node.span, help=help, secondary=labels)

    def previous(self, prev: Value | None, span: Span) -> Value:
        if prev is UNKNOWN:
            raise Failed
        if prev is None:
            help = "say what it reads with `from:`"
            raise self.reader.error("no-value", "the step before leaves no single value to read", span, help=help)
        return prev

    def required(self, value: Value, span: Span, what: str, help: str | None = None) -> Value:
        """Guard: a value is there whenever the network runs."""
        if not value.optional:
            return value
        why = "is left out by this call" if value is ABSENT else "may be left out"
        help = help or "`coalesce: {from: …, default: …}` gives another value where it is left out"
        raise self.reader.error("optional-value", f"{what} needs a value, but this one {why}", span, help=help)

    def references(self, frame: Frame, source: Written, prev: Value | None) -> list[Value]:
        nodes = source.items if isinstance(source, ListNode) else (source,)
        return [self.reference(frame, node, prev) for node in nodes]

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
        structure: Literal["", "residual", "parallel", "scan"] = "",
        wires: Sequence[Written] = (),
        ports: tuple[str, ...] = (),
        ties: tuple[tuple[str, str], ...] = (),
        optional: bool = False,
    ) -> Node:
        """Add a node; its outputs' shapes are inferred, or what forbids them is reported."""
        marks = span, named, structure, frame.training, ports, ties
        try:
            made = self.infer(op, Node(name, op, tuple(inputs), (), *marks).tensors, span)
        except ShapeError as found:
            self.shape_fault(frame, found, op, inputs, span, arguments, structure, wires)
            raise Failed from None
        self.charge_layers(1, span)
        outputs = tuple(Value(tensor, optional) for tensor in made)
        self.mark(frame, inputs, outputs, span)
        return self.add(frame, Node(name, op, tuple(inputs), outputs, *marks))

    def add(self, frame: Frame, step: AnyStep) -> AnyStep:
        """Put a step at the end of its level; frozen, where that is asked for and it has parameters."""
        if frame.frozen and parameter_count(step):
            step = replace(step, frozen=True)
        frame.builder.steps.append(step)
        return step

    def make(self, kind: type[Op], arguments: Mapping[str, Any]) -> Op:
        """The op with these arguments, one object for all that are alike. Raises Pydantic's ``ValidationError``."""
        key = kind, hashable(arguments)
        if key not in self.ops:
            self.ops[key] = kind.model_validate(arguments)
        return self.ops[key]

    def infer(self, op: Op, tensors: tuple[Tensor, ...], span: Span) -> tuple[Tensor, ...]:
        """What an op makes of these tensors, worked out once. Raises ``ShapeError`` where it cannot take them."""
        key = op, tensors
        free = self.shared.free.get(key)
        if free is not None:
            return free
        place = self.reader.place(span)
        marked = *key, self.requirements.training
        known = self.shared.inferred.get(marked)
        if known is not None:
            made, needed = known
            self.require(replace(each, span=place) for each in needed)
            return made
        first = len(self.requirements.noted)
        try:
            self.requirements.check(op.requirements(*tensors), place)
            made = op.infer(*tensors)
            guard_precision(op, tensors)
            self.requirements.sizes(made, op.name, place)
            self.requirements.bounds(op.bounds(*tensors), place)
            op.macs(tensors, made)  # what it costs can be told too
        except TooComplexError as found:
            raise ShapeError(f"{op.name} makes {found}", help="write the sizes of the input as numbers") from None
        needed = tuple(self.requirements.noted[first:])
        if needed:
            self.shared.inferred[marked] = made, needed
        else:
            self.shared.free[key] = made
        return made

    def require(self, needed: Iterable[Requirement]) -> None:
        """Require what an op or a block needs that another variant has worked out."""
        for each in needed:
            self.requirements.add(each)

    def shape_fault(
        self,
        frame: Frame,
        found: ShapeError,
        op: Op,
        inputs: Sequence[Value],
        span: Span,
        arguments: Mapping[str, Entry],
        structure: str,
        wires: Sequence[Written],
    ) -> None:
        shapes = " and ".join(pretty_shape(value.shape) for value in inputs)
        labels: list[Label] = []
        if found.argument is not None and found.argument in arguments:
            _, node = arguments[found.argument]
            value = getattr(op, found.argument, None)
            labels.append(Label(node.span, f"{found.argument} is {value if isinstance(value, str) else show(value)}"))
            labels += origin_labels(frame.env, [node], span)
        if len(wires) == len(inputs) > 1:
            labels += [Label(wire.span, f"gives {pretty_shape(value.shape)}") for wire, value in zip(wires, inputs)]
        message = str(found)
        told = structure or len(wires) > 1 or any(pretty_shape(value.shape) in message for value in inputs)
        self.reader.error(
            "shape-mismatch", message, span, "" if told else f"reads {shapes}", secondary=tuple(labels), help=found.help
        )

    def mark(self, frame: Frame, inputs: Iterable[Value], outputs: Iterable[Value], span: Span) -> None:
        """Keep count of what exists in training only, and guard what must not read it."""
        if frame.training:
            self.training_only.update(outputs)
        elif any(value in self.training_only for value in inputs):
            help = "move this step into the `side`, or leave out `when: training`"
            raise self.reader.error("training-only", "this reads a value that exists in training only", span, help=help)

    def look_ahead(self, steps: Sequence[Step]) -> None:
        """Guard, before any of them is worked out: the ops of a body are no more layers than are left."""
        left = self.limits.layers - self.layers
        if len(steps) <= left:
            return
        ops = [step for step in steps if isinstance(step, CallStep) and step.key.text in OPS]
        if len(ops) > left:
            self.charge_layers(len(ops), ops[left].span)

    def charge_layers(self, count: int, span: Span) -> None:
        self.layers += count
        if self.layers > self.limits.layers:
            few = self.limits.layers
            self.exhausted(f"the network has more than {few:,} layer{'s' * (few > 1)}", span)

    def charge_turns(self, count: int, span: Span) -> None:
        """Turns of loops and expansions of blocks: what costs time even where it makes no layer."""
        self.iterations += count
        if self.iterations > self.limits.iterations:
            self.exhausted(f"the loops take more than {self.limits.iterations:,} turns", span)

    def exhausted(self, message: str, span: Span) -> NoReturn:
        """A bound is reached: nothing after it is looked at."""
        help = "`--max-layers` raises the bound, if the network is meant to be so large"
        self.reader.error("too-large", message, span, help=help)
        self.reader.report.raise_if_any()
        raise AssertionError("a fault has been reported")


def guard_precision(op: Op, tensors: Iterable[Tensor | None]) -> None:
    """Guard: weights are float32, and torch combines them with nothing else."""
    other = next((each.dtype for each in tensors if each and "float" in each.dtype and each.dtype != WEIGHTS), None)
    if other is not None and (op.parameters(*tensors) or op.buffers(*tensors)):  # type: ignore[arg-type]
        help = f"`- cast: {WEIGHTS}` before it, and after it another cast back if need be"
        raise ShapeError(f"{op.name} has weights of {WEIGHTS}, but its input is {other}", help=help)
