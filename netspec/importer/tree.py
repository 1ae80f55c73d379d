"""A network as levels in each other, as its modules are, each a closed function of what it reads.

``nest`` makes the tree of a program, ``fold`` finds the blocks and loops in it, ``write`` spells it as YAML. A level
knows its surroundings by the numbers of its inputs alone, so two levels that do the same are equal but for numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.importer.program import NamedNumber
from netspec.ops.core.tensors import Tensor


class Ref(NamedTuple):
    """A value inside a level: output ``port`` of its node number ``at``, or its own input ``port`` (``at`` is -1)."""

    at: int
    port: int = 0


@dataclass(eq=False)
class TreeNode:
    """A step of a level. ``name`` is its part of the path, empty where no key and no reference needs one; where its key
    leads through levels that could not stay together, it has dots (``blocks.0``).

    ``inputs`` are what it reads, by its ports, ``None`` for one left out; ``outputs`` the tensors that it gives.
    ``shared`` is the path of the earlier node that it is once more, with the same weights; ``again`` is that node where
    it has no name, and ``shared`` a key of it then. ``place`` is the line of Python that it comes from.
    """

    name: str
    inputs: tuple[Ref | None, ...]
    outputs: tuple[Tensor, ...]
    shared: str = ""
    place: str = ""
    again: TreeNode | None = None


@dataclass(eq=False)
class OpNode(TreeNode):
    """A call of an op. ``arguments`` are its fields, where they differ from their defaults.

    ``keyed`` says that it has tensors in the ``state_dict``, so that its name counts. ``keys`` are the keys of its own
    tensors in its level, where they are not its name with torch's: ``{"weight": "gamma"}``. ``tied`` are those of its
    own tensors that are another's: torch's name of it by the other's whole key.
    """

    op: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keyed: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class ModuleLevel(TreeNode):
    """A call of a module, or a part of a path that is no module's call.

    ``takes`` are the tensors of its inputs, ``results`` what it gives: first what its last node does, if that is read.
    ``kind`` is its class, with the module that it is from; ``numbers`` are those that the class has names for.
    """

    body: list[TreeNode] = field(default_factory=list)
    takes: tuple[Tensor, ...] = ()
    results: tuple[Ref, ...] = ()
    kind: str = ""
    numbers: Mapping[str, NamedNumber] = field(default_factory=dict)


@dataclass(eq=False)
class ScanLevel(TreeNode):
    """A scan: its inputs are ``sequences`` whole ones, ``states`` first states, and what its body reads beside them.

    ``takes`` are the same inside, one step of each sequence; ``results`` what is collected, then the next states.
    ``is_level`` says that its steps have keys below its name.
    """

    body: list[TreeNode] = field(default_factory=list)
    takes: tuple[Tensor, ...] = ()
    results: tuple[Ref, ...] = ()
    sequences: int = 0
    states: int = 0
    reverse: bool = False
    is_level: bool = False


@dataclass(eq=False)
class NetworkTree:
    """The whole: a level with names for its inputs, its outputs and its symbolic dimensions' sizes."""

    name: str
    body: ModuleLevel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: Mapping[str, int]
    doc: str = ""
