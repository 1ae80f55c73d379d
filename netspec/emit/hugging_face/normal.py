"""A graph as the nodes that run in inference, one after another, without levels and without what changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import NamedTuple, Union

from netspec import library
from netspec.dataclass import dataclass
from netspec.dims import Shape
from netspec.graph import Call, Graph, Level, Node, Step, Value

UNCHANGED = frozenset(
    (
        *("identity", "stochastic_depth", "alpha_dropout", "feature_alpha_dropout"),
        *(f"dropout{dimensions}" for dimensions in ("", "1d", "2d", "3d")),
    )
)
"""Ops that give what they are given, in inference."""
RESHAPES = frozenset(("reshape", "flatten", "unflatten", "squeeze", "unsqueeze"))
"""Ops that divide the elements anew, in their order: it is the shape of the result that counts."""
COMMUTATIVE = frozenset(("add", "multiply", "maximum", "minimum"))


class Made(NamedTuple):
    """A value: the output ``at`` of a running node, or an input of the network by its name."""

    by: Union[RunningNode, str]
    at: int = 0


@dataclass(frozen=True, eq=False)
class RunningNode:
    """A node where it runs: its ``path``, what it reads by port (``None`` for one that is left out), and the
    ``state_dict`` keys of its tensors by their torch names. ``place`` is where the spec has it: the call, for what is
    inside a block of the library. A scan is one node.
    """

    path: str
    step: Step
    inputs: tuple[Made | None, ...] = field(repr=False)
    keys: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[str, str] = field(default_factory=dict)
    place: str = ""

    @property
    def kind(self) -> str:
        """The name of its op; those that only divide elements anew, or only turn dimensions, are of one kind."""
        if isinstance(self.step, Call):
            return "scan"
        name = self.step.op.name
        if name in RESHAPES:
            return "reshape"
        return {"transpose": "permute", "chunk": "split"}.get(name, name)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of its outputs."""
        return tuple(value.shape for value in self.step.outputs)

    @property
    def input_shapes(self) -> list[Shape]:
        """The shapes of its inputs, without those that are left out."""
        return [value.shape for value in self.step.inputs]

    @property
    def is_leaf(self) -> bool:
        """Return whether it reads nothing: a parameter, or a constant."""
        return not any(each is not None for each in self.inputs)


@dataclass(frozen=True, eq=False)
class NormalForm:
    """The nodes of a graph in their order, and the values that are its outputs, by their names."""

    graph: Graph
    nodes: Sequence[RunningNode]
    outputs: Mapping[str, Made]

    def of_kind(self, *kinds: str) -> list[RunningNode]:
        """Return the nodes of these kinds."""
        return [node for node in self.nodes if node.kind in kinds]


def normal_form(graph: Graph) -> NormalForm:
    """Return a graph without levels."""
    reader = _NormalReader()
    given = {value: Made(name) for name, value in zip(graph.body.input_names, graph.body.inputs)}
    made = reader.level(graph.body, given, "", "")
    outputs = {name: each for name, each in zip(graph.body.output_names, made) if each is not None}
    return NormalForm(graph, reader.nodes, outputs)


class _NormalReader:
    def __init__(self) -> None:
        self.nodes: list[RunningNode] = []

    def level(self, level: Level, known: dict[Value, Made], prefix: str, place: str) -> list[Made | None]:
        """Add the nodes of a level, and return its outputs; ``None`` for those that are made in training alone."""
        for step in level.steps:
            if step.training:
                continue
            path = prefix + step.name
            here = place if step.span.source in library.READ else step.span.place
            if isinstance(step, Call) and step.body.loop is None:
                inner = {own: known[value] for own, value in zip(step.body.inputs, step.inputs) if value in known}
                owner = prefix + step.shares if step.shares else path
                made = self.level(step.body, inner, f"{owner}.", here)
                known.update((value, each) for value, each in zip(step.outputs, made) if each is not None)
            else:
                known.update(zip(step.outputs, self.step(step, known, path, here)))
        return [known.get(value) for value in level.outputs]

    def step(self, step: Step, known: Mapping[Value, Made], path: str, place: str) -> list[Made]:
        values = [known[value] for value in step.inputs]
        if isinstance(step, Call):
            node = RunningNode(path, step, tuple(values), place=place)
        elif _changes_nothing(step):
            return [values[-1]]
        else:
            keys = {name: step.key(path.removesuffix(step.name), name) for name in step.state}
            node = RunningNode(path, step, tuple(step.arranged(values)), keys, dict(step.ties), place)
        self.nodes.append(node)
        return [Made(node, at) for at in range(len(step.outputs))]


def _changes_nothing(node: Node) -> bool:
    """Return whether a node gives its last input as it is."""
    if node.op.name in UNCHANGED or (node.op.name == "coalesce" and len(node.inputs) == 1):
        return True
    same = len(node.inputs) == 1 and node.inputs[0].tensor == node.outputs[0].tensor
    return same and node.op.name in (*RESHAPES, "cast", "expand")
