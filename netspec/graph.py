"""The shaped graph: what a spec means once every block is expanded and every shape is known.

A ``Graph`` is a tree. Its ``body`` is a level; a level holds steps in the order they run; a step is a ``Node``
(one op) or a ``Call`` (another level). Values connect them: a level has formal inputs, its steps make new
values, and it names some of them as its outputs. Nothing refers to a value of another level: what a level takes
from around it is an input of its own.

Equal levels are one object (``elaborate`` interns them), so ``is`` tells a repeat from a change, and whatever is
computed for a level is computed once. Paths are not stored: a level knows its steps' names, and ``walk`` joins them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, TypeVar, Union

from netspec.diagnostics import Span
from netspec.dims import Shape, Size
from netspec.ops import OPS
from netspec.ops.base import Numbers, Op, Tensor

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
    result and the shortcut, in this order). ``training`` marks what runs in training only. ``ports`` names the inputs
    of an op that has optional ones. ``ties`` maps parameters that are another's to the path of that one.
    """

    name: str
    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span
    named: bool = False
    structure: Literal["", "residual", "parallel"] = ""
    training: bool = False
    ports: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()

    def arranged(self, given: Sequence[Item]) -> list[Item | None]:
        """One item for each port of the op, ``None`` for a port left out, from one for each input."""
        if not self.ports:
            return [*given]
        by_port = dict(zip(self.ports, given))
        return [by_port.get(port) for port in self.op.ports]

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
    def macs(self) -> Size:
        """Multiply-accumulates of one forward pass (FLOPs are two per MAC)."""
        return self.op.macs(self.tensors, tuple(value.tensor for value in self.outputs))


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A level at its place in the level around it. ``inputs`` match ``body.inputs`` one to one, outputs likewise."""

    name: str
    body: Level
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span
    named: bool = False
    training: bool = False

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.body.output_names


Step = Union[Node, Call]
LevelKind = Literal["network", "block", "sequential", "repeat", "iteration", "branch"]


@dataclass(frozen=True, eq=False)
class Level:
    """A body of steps with its own names: the network, a block, a group, a repeat, an iteration, a branch.

    ``title`` is the block's name (empty for what has none). ``arguments`` are the block's parameter values.
    ``input_names`` and ``output_names`` match ``inputs`` and ``outputs``.
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

    @cached_property
    def macs(self) -> Size:
        """Multiply-accumulates of one inference pass through the level; training-only steps left out."""
        total: Size = 0
        for step in self.steps:
            if not step.training:
                total = total + (step.macs if isinstance(step, Node) else step.body.macs)
        return total

    @cached_property
    def parameter_count(self) -> int:
        """Learned numbers in the level, training-only steps included."""
        return sum(parameter_count(step) for step in self.steps)

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
    """Learned numbers of a step; what is tied to another's counts there."""
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


@dataclass(frozen=True, slots=True)
class Output:
    """A result of the network. ``training`` marks one that is returned in training only (an auxiliary head)."""

    value: Value
    training: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold of the symbolic dimensions for the network to run: ``left == right`` or ``left >= right``."""

    left: Size
    relation: Literal["==", ">="]
    right: Size
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class InitRule:
    """One rule of ``init``: which parameters (an ``op.parameter`` pair or a path pattern) get which initial values."""

    pattern: str
    function: str
    arguments: Mapping[str, Any]
    span: Span

    @property
    def op(self) -> str | None:
        """The op that the rule is for; ``None`` where the pattern is a path."""
        op, _, parameter = self.pattern.partition(".")
        return op if op in OPS and "." not in parameter else None

    def sets(self, path: str, node: Node, parameter: str) -> bool:
        """Whether the rule gives this parameter of the node at ``path`` its values."""
        if self.op is not None:
            return self.pattern == f"{node.op.name}.{parameter}"
        return fnmatchcase(f"{path}.{parameter}" if parameter else path, self.pattern)


@dataclass(frozen=True, slots=True)
class Graph:
    """A compiled spec.

    ``sizes`` gives every symbolic dimension the size at which costs are quoted; ``numbers`` says which whole numbers
    the inputs take that have such.
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


def walk(level: Level, prefix: str = "", training: bool = False) -> Iterator[tuple[str, Step, bool]]:
    """Every step with its path and whether it runs in training only, levels before what is in them."""
    for step in level.steps:
        path = prefix + step.name
        only = training or step.training
        yield path, step, only
        if isinstance(step, Call):
            yield from walk(step.body, path + ".", only)


def walk_parameters(level: Level) -> Iterator[tuple[str, Node, str, str]]:
    """Every learned parameter: its node's path, the node, its torch name, and its ``state_dict`` key."""
    for path, step, _ in walk(level):
        if isinstance(step, Node):
            for name in step.parameters:
                yield path, step, name, f"{path}.{name}" if name else path
