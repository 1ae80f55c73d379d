"""The compiled spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from netspec.dataclass import dataclass
from netspec.diagnostics import Source, Span
from netspec.dims import Size
from netspec.graph.init_rule import InitRule
from netspec.graph.level import Level, Value
from netspec.graph.low_rank import WeightChange
from netspec.ops import InputRange

if TYPE_CHECKING:
    from netspec.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """A result of the network. ``training`` marks one that is returned in training only (an auxiliary head)."""

    value: Value
    training: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """A condition on the symbolic dimensions for the network to run: ``left == right`` or ``left >= right``.

    ``training`` marks what only training-only steps need: inference is not bound by it.
    """

    left: Size
    relation: Literal["==", ">="]
    right: Size
    span: Span
    reason: str
    training: bool = False

    def at(self, span: Span) -> Requirement:
        """Return the same requirement of another place."""
        if span is self.span:
            return self
        return Requirement(self.left, self.relation, self.right, span, self.reason, self.training)


@dataclass(frozen=True, slots=True)
class Graph:
    """A compiled spec.

    ``sizes`` gives every symbolic dimension the size at which costs are quoted; ``input_ranges`` says which whole
    numbers the inputs take that have such, ``ranges`` between which two an input's real numbers lie; ``recipe`` says
    how it is trained, where the spec does; ``changes`` are those of weights that the recipe's ``lora`` has steps for,
    ``unchanged`` the graph without these steps; ``texts`` are the spec's own and those of all files that it takes
    from.
    """

    name: str
    doc: str
    body: Level
    inputs: Mapping[str, Value]
    outputs: Mapping[str, NetworkOutput]
    sizes: Mapping[str, int]
    requirements: tuple[Requirement, ...]
    init: tuple[InitRule, ...]
    parameters: Mapping[str, Any]
    spec: str
    digest: str
    input_ranges: Mapping[str, InputRange] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    recipe: Recipe | None = None
    changes: tuple[WeightChange, ...] = ()
    unchanged: Graph | None = None
    texts: tuple[Source, ...] = field(default=(), repr=False, compare=False)

    @property
    def file(self) -> str:
        """The name of the spec's file; what is not UTF-8 in it is escaped, as in a text that is."""
        return PurePath(self.spec).name.encode(errors="backslashreplace").decode()
