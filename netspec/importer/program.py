"""A program as a list of steps: what ``capture`` makes of a module or an ONNX file, and ``lower`` says in ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading


class ModuleCall(NamedTuple):
    """One call of a module: its path (``layer1.0``), its class with the module it is from, and which call it is."""

    path: str
    kind: str
    turn: int = 0

    @property
    def class_name(self) -> str:
        """The name of the class alone."""
        return self.kind.rpartition(".")[2]


Number = int | float | bool


class NamedNumber(NamedTuple):
    """A number that a class of Python has a name for: ``words`` are the arguments that it is passed on as.

    ``is_parameter`` says that it is one of the constructor's, not a local name.
    """

    value: Number
    words: frozenset[str] = frozenset()
    is_parameter: bool = False


@dataclass(eq=False)
class ForeignLoop:
    """The loop of a scan: what its two marks have in common.

    The steps between the marks are its body. The first mark, ``SCAN``, reads whole sequences, of which it gives one
    step each, then the first states, for which it gives those of an iteration. The second, ``SCAN_END``, reads what is
    collected and then the next states, and gives the collected values of all iterations and the last states.
    """

    length: Any
    sequences: int
    states: int
    reverse: bool = False


SCAN, SCAN_END = "scan", "scan_end"


@dataclass(eq=False)
class ForeignStep:
    """A call in its place: inside which modules' calls, the outermost first, and at which line of Python.

    ``op`` and ``reading`` say which op it is, once that is known. ``loop`` is that of a scan that begins or ends.
    """

    call: ForeignCall
    scopes: tuple[ModuleCall, ...] = ()
    place: str = ""
    op: str = ""
    reading: OpReading | None = None
    loop: ForeignLoop | None = None


class LoweringProblem(NamedTuple):
    """A step that no op says, and why."""

    step: ForeignStep
    reason: str

    def __str__(self) -> str:
        module = f" in {self.step.scopes[-1].path} ({self.step.scopes[-1].class_name})" if self.step.scopes else ""
        place = f" at {self.step.place}" if self.step.place else ""
        return f"{self.step.call}{module}{place}: {self.reason}"


@dataclass(eq=False)
class ForeignProgram:
    """A whole network: named inputs and outputs, and the steps between them in an order that they can run in.

    ``state`` has every tensor of the ``state_dict`` once; ``tied`` has the other keys that it goes by, each with
    the one there. ``sizes`` are those of the symbolic dimensions in the example that it was captured with, or sizes
    that it can run at; ``quoted`` those that it says costs are to be quoted at. ``problems`` has what ``lower`` could
    not say. ``own`` says that netspec wrote the program, of the steps that there are: none is to be said otherwise.
    ``numbers`` has, by the path of a module, what its class calls its numbers. ``notes`` are to be told of the spec.
    """

    name: str
    inputs: dict[str, ForeignTensor]
    outputs: dict[str, ForeignTensor]
    steps: list[ForeignStep]
    state: dict[str, ForeignTensor]
    tied: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    quoted: Mapping[str, int] = field(default_factory=dict)
    doc: str = ""
    kind: str = ""
    own: bool = False
    numbers: Mapping[str, Mapping[str, NamedNumber]] = field(default_factory=dict)
    problems: list[LoweringProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def tensors_of(value: Any) -> list[ForeignTensor]:
    """Return the tensors among an argument: itself, or those in its lists."""
    if isinstance(value, ForeignTensor):
        return [value]
    return [tensor for each in value for tensor in tensors_of(each)] if isinstance(value, (list, tuple)) else []


def common_scopes(scopes: Sequence[tuple[ModuleCall, ...]]) -> tuple[ModuleCall, ...]:
    """Return the modules' calls that several steps are in."""
    common = scopes[0] if scopes else ()
    for other in scopes[1:]:
        count = 0
        while count < min(len(common), len(other)) and common[count] == other[count]:
            count += 1
        common = common[:count]
    return common
