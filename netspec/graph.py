"""The shaped graph: what a spec means once every block is expanded and every shape is known.

A ``Graph`` is a tree. Its ``body`` is a level; a level holds steps in the order they run; a step is a ``Node``
(one op) or a ``Call`` (another level). Values connect them: a level has formal inputs, its steps make new
values, and it names some of them as its outputs. Nothing refers to a value of another level: what a level takes
from around it is an input of its own.

Equal levels are one object (``elaborate`` interns them), so ``is`` tells a repeat from a change, and whatever is
computed for a level is computed once. Paths are not stored: a level knows its steps' names, and ``walk`` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, Union

from netspec.diagnostics import Span
from netspec.dims import Shape, Size, total
from netspec.ops import OPS, Numbers, Op, Tensor

if TYPE_CHECKING:
    from netspec.recipes.recipe import Recipe

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor that flows through the network; compared by identity.

    ``optional`` marks one that the caller may leave out, and what is made of such a one alone.
    """

    tensor: Tensor
    optional: bool = False

    @property
    def shape(self) -> Shape:
        return self.tensor.shape


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One op at work.

    ``name`` is its place in its level; ``named`` says that the author chose it. ``structure`` is ``residual`` or
    ``parallel`` for a node that a structure made to merge its branches (a residual's inputs are the body's
    result and the shortcut, in this order), ``scan`` for what a scan begins with: zeros, the numbers of its turns.
    ``training`` marks what runs in training only. ``ports`` names the inputs of an op that has optional ones. ``ties``
    maps parameters that are another's to the path of that one. ``shares`` is the step of the same level whose module
    this runs again. ``frozen`` says that its own parameters are not trained, ``init`` where they start.
    """

    name: str
    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span
    named: bool = False
    structure: Literal["", "residual", "parallel", "scan"] = ""
    training: bool = False
    ports: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()
    shares: str = ""
    frozen: bool = False
    init: tuple[InitRule, ...] = ()

    def arranged(self, given: Sequence[Item]) -> list[Item | None]:
        """One item for each port of the op, ``None`` for a port left out, from one for each input."""
        if not self.ports:
            return [*given]
        by_port = dict(zip(self.ports, given))
        return [by_port.get(port) for port in self.op.ports]

    @property
    def merges(self) -> bool:
        """Return whether a structure made it to merge its branches."""
        return self.structure in ("residual", "parallel")

    @property
    def tensors(self) -> tuple[Any, ...]:
        """What is known of the inputs, as the op's methods take it."""
        return tuple(self.arranged([value.tensor for value in self.inputs]))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The op's output ports."""
        return self.op.output_names(*self.tensors)

    @property
    def parameters(self) -> Mapping[str, Shape]:
        """Learned tensors by their torch names: ``{"weight": (64, 3, 7, 7)}``."""
        return self.op.parameters(*self.tensors)

    @property
    def state(self) -> Mapping[str, Shape]:
        """What the ``state_dict`` has of the node, by torch name: learned parameters, then buffers."""
        return {**self.parameters, **self.op.buffers(*self.tensors)}

    @property
    def macs(self) -> Size:
        """Multiply-accumulates of one forward pass (FLOPs are two per MAC)."""
        return self.op.macs(self.tensors, tuple(value.tensor for value in self.outputs))


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A level at its place in the level around it. ``inputs`` match ``body.inputs`` one to one, outputs likewise.

    ``shares`` is the step of the same level whose module this runs again. ``frozen`` says that no parameter in it is
    trained, ``init`` where some of them start.
    """

    name: str
    body: Level
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span
    named: bool = False
    training: bool = False
    shares: str = ""
    frozen: bool = False
    init: tuple[InitRule, ...] = ()

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.body.output_names


Step = Union[Node, Call]
LevelKind = Literal["network", "block", "sequential", "repeat", "iteration", "branch", "scan"]


Phase = Literal["ahead", "before", "after"]
"""When a step runs that need not run in every turn of a scan.

``ahead``: once, as it gives the same in every turn. ``before`` and ``after``: for all turns at once, ahead of the loop,
as no state needs to be known for it, or behind it, as no state depends on it.
"""


@dataclass(frozen=True, slots=True)
class Loop:
    """How a scan runs its body: once for each of ``length`` steps of its sequences, the last first where ``reverse``.

    The body's inputs are one step of each of ``sequences`` sequences, then ``states`` states, then what it reads from
    around it; its outputs are what is collected, then the next states. To the outside, the first inputs are the whole
    sequences, and the first outputs everything collected, along ``axis_of_time``; the states are the first ones and the
    last ones.
    """

    sequences: int
    states: int
    length: Size
    reverse: bool = False


def axis_of_time(per_turn: Shape) -> int:
    """The dimension that holds the turns, where all are in one tensor: the second, behind the batch."""
    return min(1, len(per_turn))


def over_time(tensor: Tensor, length: Size) -> Tensor:
    """All turns' tensors in one."""
    axis = axis_of_time(tensor.shape)
    return Tensor((*tensor.shape[:axis], length, *tensor.shape[axis:]), tensor.dtype)


@dataclass(frozen=True, eq=False)
class Level:
    """A body of steps with its own names: the network, a block, a group, a repeat, an iteration, a branch, a scan.

    ``title`` is the block's name (empty for what has none). ``arguments`` are the block's parameter values.
    ``input_names`` and ``output_names`` match ``inputs`` and ``outputs``. ``loop`` is set for a scan. ``phases`` has
    the steps that are taken out of the turns of a scan: in its own body, or in a level that its turns run.
    ``training_outputs`` names the outputs that the network returns in training only.
    """

    kind: LevelKind
    title: str
    inputs: tuple[Value, ...]
    input_names: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...]
    span: Span
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loop: Loop | None = None
    phases: Mapping[Step, Phase] = field(default_factory=dict)
    training_outputs: frozenset[str] = frozenset()

    @cached_property
    def is_prepared(self) -> bool:
        """Return whether something in the level runs ahead of the scan around it."""
        if self.loop is not None:
            return False
        inner = (step.body for step in self.steps if isinstance(step, Call))
        return bool(self.phases) or any(body.is_prepared for body in inner)

    @cached_property
    def macs(self) -> Size:
        """Multiply-accumulates of one inference pass through the level; training-only steps left out."""
        ahead, run = Tally[Size](lambda node: node.macs, lambda loop: loop.length).work(self)
        return ahead + run

    @cached_property
    def parameter_count(self) -> int:
        """Learned numbers in the level, training-only steps included."""
        return sum(parameter_count(step) for step in self.steps)

    @cached_property
    def frozen_count(self) -> int:
        """Of the learned numbers in the level, those that are frozen in it."""
        return sum(frozen_count(step) for step in self.steps)

    @cached_property
    def has_init(self) -> bool:
        """Return whether a step in the level says where its parameters start."""
        return any(step.init or (isinstance(step, Call) and step.body.has_init) for step in self.steps)

    @cached_property
    def uses(self) -> Mapping[Value, int]:
        """How often each value is read within the level, as an output of the level too."""
        counts: dict[Value, int] = {}
        for step in self.steps:
            for value in step.inputs:
                counts[value] = counts.get(value, 0) + 1
        for value in self.outputs:
            counts[value] = counts.get(value, 0) + 1
        return counts


def parameter_count(step: Step) -> int:
    """Learned numbers of a step; what is another's counts there."""
    if step.shares:
        return 0
    if isinstance(step, Call):
        return step.body.parameter_count
    if type(step.op).parameters is Op.parameters:  # it learns nothing
        return 0
    total = 0
    tied = dict(step.ties)
    for shape in (shape for name, shape in step.parameters.items() if name not in tied):
        count = 1
        for size in shape:
            assert isinstance(size, int), "a parameter's shape is known"
            count *= size
        total += count
    return total


def frozen_count(step: Step) -> int:
    """Learned numbers of a step that are not trained."""
    if step.frozen:
        return parameter_count(step)
    return 0 if isinstance(step, Node) or step.shares else step.body.frozen_count


class Pace(NamedTuple):
    """How often the steps of a level run in one pass through the network: as a rule, and those that run ahead."""

    run: Size = 1
    ahead: Size = 1

    def at(self, level: Level, step: Step) -> Pace:
        """The pace of a step of the level."""
        return Pace(self.ahead, self.ahead) if level.phases.get(step) == "ahead" else self

    def inside(self, body: Level) -> Pace:
        """The pace in a level that a step of this pace runs."""
        return self if body.loop is None else Pace(self.run * body.loop.length, self.run)


ONCE = Pace()
Count = TypeVar("Count", int, Size)


class Tally(Generic[Count]):
    """Adds up ``of`` over the nodes that run in inference; what a scan repeats counts as often as ``turns`` says."""

    def __init__(self, of: Callable[[Node], Count], turns: Callable[[Loop], Count]):
        self.of: Callable[[Node], Count] = of
        self.turns: Callable[[Loop], Count] = turns
        self._known: dict[Node | Level, tuple[Count, Count]] = {}

    def work(self, what: Step | Level) -> tuple[Count, Count]:
        """What one run takes: once, ahead of the scan around it, and each time. Of a scan: all of its turns."""
        if isinstance(what, Call):
            ahead, run = self.work(what.body)
            return (ahead, run) if what.body.loop is None else (0, ahead + self.turns(what.body.loop) * run)
        if what not in self._known:
            self._known[what] = self._level(what) if isinstance(what, Level) else (0, self.of(what))
        return self._known[what]

    def _level(self, level: Level) -> tuple[Count, Count]:
        all_ahead: list[Count] = []
        all_run: list[Count] = []
        for step in level.steps:
            if not step.training:
                ahead, run = self.work(step)
                all_ahead.append(ahead)
                (all_ahead if level.phases.get(step) == "ahead" else all_run).append(run)
        return total(all_ahead), total(all_run)


@dataclass(frozen=True, slots=True)
class Output:
    """A result of the network. ``training`` marks one that is returned in training only (an auxiliary head)."""

    value: Value
    training: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold of the symbolic dimensions for the network to run: ``left == right`` or ``left >= right``.

    ``training`` marks what only training-only steps need: inference is not bound by it.
    """

    left: Size
    relation: Literal["==", ">="]
    right: Size
    span: Span
    reason: str
    training: bool = False


@dataclass(frozen=True, slots=True)
class InitRule:
    """One rule of ``init``: which parameters (an ``op.parameter`` pair or a path pattern) get which initial values.

    Of a rule that stands on a step ``keys`` has the parameters one by one, as the step's own ``state_dict`` calls them;
    in a graph's rules, as the network's does.
    """

    pattern: str
    function: str
    arguments: Mapping[str, Any]
    span: Span
    keys: frozenset[str] | None = None

    @property
    def op(self) -> str | None:
        """The op that the rule is for; ``None`` where the pattern is a path: an op that learns nothing is a name."""
        op, dot, parameter = self.pattern.partition(".")
        learns = op in OPS and OPS[op].parameters is not Op.parameters
        return op if learns and dot and "." not in parameter and self.keys is None else None

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two rules have in common that do the same to the same parameters."""
        return self.function, tuple(self.arguments.items()), self.keys

    def sets(self, path: str, node: Node, parameter: str) -> bool:
        """Return whether the rule gives this parameter of the node at ``path`` its values."""
        if self.keys is not None:
            return state_key(path, parameter) in self.keys
        if self.op is not None:
            return self.pattern == f"{node.op.name}.{parameter}"
        return fnmatchcase(state_key(path, parameter), self.pattern)


@dataclass(frozen=True, slots=True)
class Graph:
    """A compiled spec.

    ``sizes`` gives every symbolic dimension the size at which costs are quoted; ``numbers`` says which whole numbers
    the inputs take that have such, ``ranges`` between which two an input's real numbers lie; ``recipe`` says how it is
    trained, where the spec does.
    """

    name: str
    doc: str
    body: Level
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Output]
    sizes: Mapping[str, int]
    requirements: tuple[Requirement, ...]
    init: tuple[InitRule, ...]
    parameters: Mapping[str, Any]
    spec: str
    digest: str
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    recipe: Recipe | None = None

    @property
    def file(self) -> str:
        """The name of the spec's file; what is not UTF-8 in it is escaped, as in a text that is."""
        return PurePath(self.spec).name.encode(errors="backslashreplace").decode()


class Visit(NamedTuple):
    """A step on a walk: its path, if it runs in training only, how often, if its weights are another's or frozen."""

    path: str
    step: Step
    training: bool
    pace: Pace
    shared: bool
    frozen: bool


def visits(
    level: Level,
    prefix: str = "",
    training: bool = False,
    pace: Pace = ONCE,
    shared: bool = False,
    frozen: bool = False,
) -> Iterator[Visit]:
    """Every step of a level, and of those that it calls; levels before what is in them."""
    for step in level.steps:
        path, only, own = prefix + step.name, training or step.training, pace.at(level, step)
        found = Visit(path, step, only, own, shared or bool(step.shares), frozen or step.frozen)
        yield found
        if isinstance(step, Call):
            yield from visits(step.body, path + ".", only, own.inside(step.body), found.shared, found.frozen)


def walk(level: Level) -> Iterator[tuple[str, Step, bool]]:
    """Every step with its path and whether it runs in training only, levels before what is in them."""
    return (visit[:3] for visit in visits(level))


def walk_parameters(level: Level) -> Iterator[tuple[str, Node, str, str]]:
    """Every learned parameter: its node's path, the node, its torch name, and its ``state_dict`` key."""
    for path, step, _, _, shared, _ in visits(level):
        if isinstance(step, Node) and not shared:
            for name in step.parameters:
                yield path, step, name, state_key(path, name)


def walk_state(level: Level) -> Iterator[tuple[str, Shape]]:
    """Every key of the ``state_dict`` with its shape: parameters and buffers, node by node."""
    for path, step, _, _, shared, _ in visits(level):
        if isinstance(step, Node) and not shared:
            for name, shape in step.state.items():
                yield state_key(path, name), shape


def state_key(path: str, name: str) -> str:
    """The ``state_dict`` key of a node's parameter or buffer; that of a bare parameter is the node's path."""
    return f"{path}.{name}" if name else path
