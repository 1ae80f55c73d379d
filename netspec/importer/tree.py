"""A network as levels in each other, as its modules are, each a closed function of what it reads.

``nest`` makes the tree of a program, ``fold`` finds the blocks and loops in it, ``write`` spells it as YAML. A level
knows its surroundings by the numbers of its inputs alone, so two levels that do the same are equal but for numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.ops.core.tensors import Tensor


class Ref(NamedTuple):
    """A value inside a level: output ``port`` of its node number ``at``, or its own input ``port`` (``at`` is -1)."""

    at: int
    port: int = 0


@dataclass(eq=False)
class TreeNode:
    """A step of a level. ``name`` is its part of the path, empty where no key and no reference needs one.

    ``inputs`` are what it reads, by its ports, ``None`` for one left out; ``outputs`` the tensors that it gives.
    ``place`` is the line of Python that it comes from.
    """

    name: str
    inputs: tuple[Ref | None, ...]
    outputs: tuple[Tensor, ...]
    place: str = ""


@dataclass(eq=False)
class OpNode(TreeNode):
    """A call of an op. ``arguments`` are its fields, where they differ from their defaults.

    ``keyed`` says that it has tensors in the ``state_dict``, so that its name counts. ``tied`` are those of its own
    tensors that are another's: torch's name of it by the other's whole key.
    """

    op: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keyed: bool = False
    tied: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class ModuleLevel(TreeNode):
    """A call of a module, or a part of a path that is no module's call.

    ``takes`` are the tensors of its inputs, ``results`` what it gives, and ``kind`` its class, with the module that it
    is from. ``shared`` says that it is an earlier level's module again, the one at this path.
    """

    body: list[TreeNode] = field(default_factory=list)
    takes: tuple[Tensor, ...] = ()
    results: tuple[Ref, ...] = ()
    kind: str = ""
    shared: str = ""


@dataclass(eq=False)
class NetworkTree:
    """The whole: a level with names for its inputs, its outputs and its symbolic dimensions' sizes."""

    name: str
    body: ModuleLevel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: Mapping[str, int]
    doc: str = ""
