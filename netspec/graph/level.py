"""Levels and their steps: what is in a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar, Union

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.dims import Shape, Size, total
from netspec.graph.init_rule import InitRule, key_of, state_key
from netspec.ops import Op, Tensor

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class Value:
    """One tensor that flows through the network; compared by identity.

    Nothing changes one; like a node and a call, it is not frozen for the reason that a span is not.

    ``optional`` marks one that the caller may leave out, and what is made of such a one alone; ``absence`` names the
    symbolic dimensions that are 0 where it is left out.
    """

    tensor: Tensor
    optional: bool = False
    absence: frozenset[str] = frozenset()

    @property
    def shape(self) -> Shape:
        """The sizes of the tensor."""
        return self.tensor.shape


@dataclass(slots=True, eq=False)
class Node:
    """One op at work.

    ``name`` is its place in its level; ``named`` says that the author chose it. ``structure`` is ``residual`` or
    ``parallel`` for a node that a structure made to merge its branches (a residual's inputs are the body's
    result and the shortcut, in this order), ``scan`` for what a scan begins with: zeros, the numbers of its iterations.
    ``training`` marks what runs in training only. ``ports`` names the inputs of an op that has optional ones; behind
    those of the ports come inputs of which the op reads nothing but their sizes. ``ties``
    maps parameters that are another's to the path of that one. ``shares`` is the step of the same level whose module
    this runs again. ``frozen`` says that its own parameters are not trained, ``init`` where they start. ``keys`` maps
    its tensors, by torch name, to their keys from the level on, where they do not stand under the node's own name.
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
    keys: tuple[tuple[str, str], ...] = ()

    def key(self, prefix: str, name: str) -> str:
        """Return the ``state_dict`` key of a tensor by its torch name; ``prefix`` is the path of the level, with a dot.

        Of a node that runs another's module it is that one's.
        """
        own = dict(self.keys).get(name) if self.keys else None
        return key_of(prefix) + (state_key(self.shares or self.name, name) if own is None else own)

    def arranged(self, items: Sequence[Item]) -> list[Item | None]:
        """One item for each port of the op, ``None`` for a port left out, from one for each input; then the others."""
        return arranged(items, self.ports, self.op)

    def without(self, absent: Collection[int]) -> tuple[Op, list[Any]]:
        """Return the op and its inputs, arranged, where those at some places are absent: their sizes are 0 then."""
        values = self.arranged(self.inputs)
        empty = {name: 0 for at in absent if (value := values[at]) is not None for name in value.absence}
        tensors = [None if value is None or at in absent else value.tensor for at, value in enumerate(values)]
        if not empty:
            return self.op, tensors
        return self.op.with_sizes(empty), [each and each.at(empty) for each in tensors]

    @property
    def merges(self) -> bool:
        """Return whether a structure made it to merge its branches."""
        return self.structure in ("residual", "parallel")

    @property
    def tensors(self) -> tuple[Any, ...]:
        """The shapes and dtypes of the inputs, as the op's methods take them: ``None`` for a port left out."""
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
        """The shapes in the ``state_dict`` of the node, by torch name: learned parameters, then buffers."""
        return {**self.parameters, **self.op.buffers(*self.tensors)}

    @property
    def macs(self) -> Size:
        """Multiply-accumulates of one forward pass (FLOPs are two per MAC)."""
        return self.op.macs(self.tensors, tuple(value.tensor for value in self.outputs))


def arranged(items: Sequence[Item], ports: Sequence[str], op: Op) -> list[Item | None]:
    """One item for each port of the op, ``None`` for one left out, from one for each of ``ports``; then the others."""
    if not ports:
        return [*items]
    by_port = dict(zip(ports, items))
    return [*(by_port.get(port) for port in op.ports), *items[len(ports) :]]


@dataclass(slots=True, eq=False)
class Call:
    """A level at its place in the level around it. ``inputs`` match ``body.inputs`` one to one, outputs likewise.

    ``shares`` is the step of the same level whose module this runs again. ``frozen`` says that no parameter in it is
    trained, ``init`` where some of them start. With ``recompute``, training keeps nothing that is made in it for the
    backward pass, which runs it again.
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
    recompute: bool = False

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the level's outputs."""
        return self.body.output_names

    @property
    def is_transparent(self) -> bool:
        """Return whether it is no level in the ``state_dict``: its steps have the keys of the level around it."""
        return self.name.startswith("(")


Step = Union[Node, Call]

LevelKind = Literal["network", "block", "sequential", "repeat", "iteration", "branch", "scan"]

Phase = Literal["hoisted", "before", "after"]
"""When a step runs that need not run in every iteration of a scan.

``hoisted``: once, as it gives the same in every iteration. ``before`` and ``after``: for all iterations at once, ahead
of the loop, as it needs no state, or behind it, as no state depends on it.
"""


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop of a scan: its body runs for each of ``length`` steps of its sequences, backwards if ``reverse``.

    The body's inputs are one step of each of ``sequences`` sequences, then ``states`` states, then what it reads from
    around it; its outputs are what is collected, then the next states. To the outside, the first inputs are the whole
    sequences, and the first outputs everything collected, along ``axis_of_time``; the states are the first ones and the
    last ones.
    """

    sequences: int
    states: int
    length: Size
    reverse: bool = False


def axis_of_time(per_iteration: Shape) -> int:
    """The dimension that holds the iterations, where all are in one tensor: the second, behind the batch."""
    return min(1, len(per_iteration))


def over_time(tensor: Tensor, length: Size) -> Tensor:
    """All iterations' tensors in one."""
    axis = axis_of_time(tensor.shape)
    return Tensor((*tensor.shape[:axis], length, *tensor.shape[axis:]), tensor.dtype)


@dataclass(frozen=True, eq=False)
class Level:
    """A body of steps with its own names: the network, a block, a group, a repeat, an iteration, a branch, a scan.

    ``title`` is the block's name (empty for what has none). ``arguments`` are the block's parameter values.
    ``input_names`` and ``output_names`` match ``inputs`` and ``outputs``. ``loop`` is set for a scan. ``phases`` has
    the steps that are taken out of the iterations of a scan: in its own body, or in a level that its iterations run.
    ``training_outputs`` names the outputs that the network returns in training only. ``unread`` are the steps that were
    left out, as nothing reads them. ``holds_more`` says that its module has modules of a level around it, too.
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
    unread: tuple[Step, ...] = ()
    holds_more: bool = False

    @cached_property
    def has_keys(self) -> bool:
        """Return whether a step in the level has a path for its name, or keys for its tensors."""
        return any(
            "." in step.name
            or (step.is_transparent or step.body.has_keys if isinstance(step, Call) else bool(step.keys))
            for step in self.steps
        )

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
        ahead, run = CostSum[Size](lambda node: node.macs, lambda loop: loop.length).work(self)
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
    def has_ties(self) -> bool:
        """Return whether a parameter in the level is another's."""
        return any(step.ties if isinstance(step, Node) else step.body.has_ties for step in self.steps)

    @cached_property
    def lends(self) -> bool:
        """Return whether the module of a step in the level, or a parameter, is another's."""
        return self.has_ties or any(step.shares or (isinstance(step, Call) and step.body.lends) for step in self.steps)

    @cached_property
    def is_read(self) -> bool:
        """Return whether all that is made in the level is read in it, or is one of its outputs."""
        return all(
            self.uses.keys() >= {*step.outputs} and step.body.is_read
            if isinstance(step, Call)
            else not self.uses.keys().isdisjoint(step.outputs)
            for step in self.steps
        )

    @cached_property
    def uses(self) -> Mapping[Value, int]:
        """The number of times that each value is read within the level, as an output of the level too."""
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


Count = TypeVar("Count", int, Size)


class CostSum(Generic[Count]):
    """The sum of ``of`` over the nodes that run in inference; a scan's body counts as often as ``iterations`` says."""

    def __init__(self, of: Callable[[Node], Count], iterations: Callable[[Loop], Count]):
        self.of: Callable[[Node], Count] = of
        self.iterations: Callable[[Loop], Count] = iterations
        self._known: dict[Node | Level, tuple[Count, Count]] = {}

    def work(self, what: Step | Level) -> tuple[Count, Count]:
        """Return the sums of one run: once, ahead of the scan around it, and each time; of a scan, all iterations."""
        if isinstance(what, Call):
            ahead, run = self.work(what.body)
            return (ahead, run) if what.body.loop is None else (0, ahead + self.iterations(what.body.loop) * run)
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
                (all_ahead if level.phases.get(step) == "hoisted" else all_run).append(run)
        return total(all_ahead), total(all_run)
