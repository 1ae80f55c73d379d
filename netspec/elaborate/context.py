"""The state of an elaboration, and the one place where steps are dispatched to the function for their form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, TypeVar, Union

from netspec.dataclass import dataclass
from netspec.diagnostics import Source, Span, clipped, nearest
from netspec.elaborate.reading.locals import with_locals
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.state.budget import Budget
from netspec.elaborate.state.cache import ElaborationCache, Expanded
from netspec.elaborate.state.levels import ABSENT, UNKNOWN, LevelBuilder
from netspec.elaborate.state.requirements import Requirements
from netspec.expressions import UNKNOWN_VALUE
from netspec.graph import Value
from netspec.spec import STEP_NAME, BlockSpec, CallStep, Spec, Step, UsedSpec, nested
from netspec.spec.steps import Let, TrainableStructure
from netspec.syntax import ScalarNode


@dataclass(slots=True, eq=False)
class Frame:
    """The place where steps are being elaborated: the level they go to, what expressions see, whether for
    training only, and whether their parameters are frozen. Nothing changes one.
    """

    builder: LevelBuilder
    env: Scope
    training: bool = False
    frozen: bool = False

    def seeing(self, env: Scope) -> Frame:
        """The same place where expressions see something else."""
        return Frame(self.builder, env, self.training, self.frozen)


Handler = Callable[["Context", Frame, Any, Union[Value, None], Union[str, None]], Union[Value, None]]
"""Elaborates a step of one form: from the value before it, and the name that its place gives it, to its value."""
Registered = TypeVar("Registered", bound=Callable[..., Any])


HANDLERS: dict[type, Handler] = {}
"""The function for each form of a step."""


def elaborates(*forms: type) -> Callable[[Registered], Registered]:
    """Enter a function into the table, for these forms."""

    def register(handler: Registered) -> Registered:
        HANDLERS.update(dict.fromkeys(forms, handler))
        return handler

    return register


@dataclass(eq=False)
class Context:
    """The state that all functions of an elaboration share.

    ``globals`` are the parameters and symbolic dimensions that every block sees. ``calling`` are the blocks being
    expanded, from the outermost, ``uses`` the networks that steps run; ``around`` is the number of levels around a
    network that is used. ``expanded`` has what each call's block has come to (``None`` until it is finished, or
    where it failed).
    """

    blocks: Mapping[str, BlockSpec]
    network: Sequence[Step]
    globals: Scope
    reader: Reader
    requirements: Requirements
    budget: Budget
    cache: ElaborationCache
    refused: set[Any] = field(default_factory=set)  # arguments that have been reported
    expanded: dict[Any, Expanded | None] = field(default_factory=dict)
    contexts: dict[tuple[str, bool], Any] = field(default_factory=dict)
    training_only: set[Value] = field(default_factory=set)
    twins: dict[str, list[tuple[LevelBuilder, str]]] = field(default_factory=dict)  # steps of one module, by path
    calling: list[tuple[str, BlockSpec]] = field(default_factory=list)
    uses: Mapping[tuple[Source, str], UsedSpec] = field(default_factory=dict)
    networks: dict[Any, Any] = field(default_factory=dict)  # what each use of a network has come to
    around: int = 0
    checked: set[Spec] = field(default_factory=set)  # networks whose names have been looked at

    def run(self, frame: Frame, steps: Sequence[Step], prev: Value | None) -> Value | None:
        """Elaborate a body; gives the value of its last step (``None`` where that leaves no single value)."""
        self.budget.look_ahead(steps)
        for step in steps:
            frame, prev = self.advance(frame, step, prev)
        return prev

    def advance(self, frame: Frame, step: Step, prev: Value | None) -> tuple[Frame, Value | None]:
        """Elaborate a step of a body; gives the place of the next one and the value before it."""
        if type(step) is not Let:
            return frame, self.step(frame, step, prev)
        env = with_shape(frame.env, prev)
        return frame.seeing(with_locals(self.reader, step.values, env, frame.env)), prev

    def step(self, frame: Frame, step: Step, prev: Value | None, name: str | None = None) -> Value | None:
        """Elaborate one step, under ``name`` where its place gives it one. A fault makes its value unknown."""
        if prev in (None, UNKNOWN, ABSENT) or "shape" not in frame.env or self.cache.reads_shape(step):
            frame = frame.seeing(with_shape(frame.env, prev))
        count = len(frame.builder.name_spans)
        try:
            value = self.value(frame, step, prev, name)
        except AlreadyReported:
            bind_unknown(self.reader, frame, step, name, count)
            return UNKNOWN
        if step.shareable:
            last = frame.builder.steps[-1] if frame.builder.steps else None
            if last is not None and (last.span is step.span or last.span == step.span):
                frame.builder.authored[last.name] = step, frame.env
        return value

    def value(self, frame: Frame, step: Step, prev: Value | None, name: str | None) -> Value | None:
        """Elaborate a step with its ``freeze``, ``init`` and ``recompute``. Raises ``AlreadyReported`` at a fault."""
        elaborate = HANDLERS[type(step)]
        if not isinstance(step, (CallStep, TrainableStructure)) or not step.says_more:
            return elaborate(self, frame, step, prev, name)
        frozen = step.freeze is not None and self.reader.condition(step.freeze, frame.env, "`freeze`")
        first = len(frame.builder.steps)
        result = elaborate(self, replace(frame, frozen=frame.frozen or frozen), step, prev, name)
        made = frame.builder.steps[first:]
        if not made or result is UNKNOWN:
            return result
        key = step.key.text if isinstance(step, CallStep) else step.known_as
        if frozen and not any(each.frozen for each in made):
            assert step.freeze is not None
            message = f"`{clipped(key)}` has no parameters of its own to freeze"
            raise self.reader.error("bad-argument", message, step.freeze.span, help="leave `freeze` out")
        if step.init is not None:
            from netspec.elaborate.passes.init_steps import started  # most steps have none

            is_level = step.is_level or step.is_named
            frame.builder.steps[first:] = started(made, step.init, key, is_level, self.reader, frame.env)
        if step.recompute is not None and self.reader.condition(step.recompute, frame.env, "`recompute`"):
            from netspec.elaborate.state.recomputed import recompute_levels  # most steps have none

            recompute_levels(frame.builder, first, self.cache.interned, self.reader, step)
        return result

    def at(self, span: Span) -> str:
        """A place for a trail: the line where the file goes without saying."""
        own = not self.around and span.source is self.network[0].span.source
        return f"line {span.line}" if own else span.place


def with_shape(env: Scope, prev: Value | None) -> Scope:
    """The scope of a step that reads ``prev``; where no single value comes before, there is no ``shape``."""
    made = Scope(env, env.origins)
    if prev is not None:
        made["shape"] = UNKNOWN_VALUE if prev is UNKNOWN else prev.shape
        if prev is ABSENT:
            del made["shape"]
    else:
        made.pop("shape", None)
    return made


def bind_unknown(reader: Reader, frame: Frame, step: Step, name: str | None, count: int) -> None:
    """Give a faulty step its name all the same, so that what refers to it keeps quiet.

    ``count`` steps had names before it: an unnamed step is called by its place among them.
    """
    written: ScalarNode | None = getattr(step, "name", None)
    try:
        name = reader.text(written, frame.env) if written is not None else name
    except AlreadyReported:
        name, frame.builder.incomplete = None, True
    names = [] if name is None else [str(name)]
    if isinstance(key := getattr(step, "state_key", None), ScalarNode):
        frame.builder.names.setdefault(key.text, UNKNOWN)
        frame.builder.incomplete = frame.builder.incomplete or not {"{", "."}.isdisjoint(key.text)
    if not step.is_named and name is None:
        if step.is_level:
            name = str(count)
            names.append(name)
        else:
            frame.builder.is_miscounted = True
    if isinstance(step, CallStep):
        if not step.arguments:  # it may have lost its name with everything else
            frame.builder.incomplete = True
        misspelt = [node for word, (_, node) in step.arguments.items() if nearest(word, ["name"])]
        names += [node.text for node in misspelt if isinstance(node, ScalarNode)]
    else:  # what is written inside may not have come to its name
        names += [written.text for inner in nested(step) if (written := getattr(inner, "name", None)) is not None]
        names += step.bound_names()
    if any(not STEP_NAME.match(each) for each in names):  # a template, or no name at all
        frame.builder.incomplete = True
    for each in names:
        if each == name or each not in frame.builder.names:
            frame.builder.names[each] = UNKNOWN
    if name is not None:
        frame.builder.name_spans.setdefault(name, step.span)
