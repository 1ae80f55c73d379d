"""The draft of a graph, which the passes over the network's body complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netspec.dataclass import dataclass
from netspec.diagnostics import Source
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import Reader
from netspec.graph import InitRule, Level, Requirement, Value
from netspec.ops import InputRange
from netspec.spec import Written


@dataclass
class Draft:
    """A network whose body is finished, on its way to a graph: each pass sets what it ensures.

    ``rules`` are the initialisation rules at the top of the spec, ``start`` what its ``train`` says of them;
    ``declared`` are the sizes that the author or the caller set, ``below`` bounds the whole numbers of inputs. ``own``
    is the text of a spec that extends another one.
    """

    body: Level
    inputs: Mapping[str, Value]
    requirements: tuple[Requirement, ...]
    reader: Reader
    env: Scope
    declared: Mapping[str, int] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)
    rules: tuple[InitRule, ...] = ()
    start: Written | None = None
    own: Source | None = None
    init: tuple[InitRule, ...] | None = None
    sizes: Mapping[str, int] | None = None
    input_ranges: Mapping[str, InputRange] | None = None
