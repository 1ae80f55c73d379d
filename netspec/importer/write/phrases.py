"""The steps of a spec as they are going to be written, with values for wires, before names and references are chosen.

A phrase is a step: a call of an op or a block, or a structure around other phrases. What runs between them are
``Wire``s, compared by identity, so that phrases can be moved, joined and replaced; ``write`` finds out which of them
are `prev`, and gives a name to what must be referred to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.dims import Size
from netspec.importer.program import NamedNumber
from netspec.ops.core.tensors import Tensor


class Formula(str):
    """An expression, as against a text that stands for itself."""

    __slots__ = ()


class NumberedName(NamedTuple):
    """The names of a step in a loop: ``prefix``, a number that grows by ``step``, ``suffix``.

    ``letter`` is the loop's index.
    """

    prefix: str
    start: int
    step: int
    suffix: str
    letter: str

    def at(self, iteration: int) -> str:
        """Return the name in one iteration, counted from 0."""
        return f"{self.prefix}{self.start + self.step * iteration}{self.suffix}"

    @property
    def template(self) -> str:
        """The name as a loop writes it: ``layer{i + 1}``."""
        scaled = self.letter if self.step == 1 else f"{self.step} * {self.letter}"
        return f"{self.prefix}{{{scaled}{f' + {self.start}' if self.start else ''}}}{self.suffix}"


StepLabel = str | NumberedName
"""The name of a step, empty where it has none, or those that it has in the iterations of the loop around it."""


class Wire:
    """One tensor inside a level; compared by identity. ``maker`` is the step that makes it, as its output ``port``.

    ``is_list`` says that it stands for one of each iteration of a loop.
    """

    __slots__ = ("is_list", "maker", "port", "tensor")

    def __init__(self, tensor: Tensor, maker: Phrase | None = None, port: int = 0, is_list: bool = False):
        self.tensor, self.maker, self.port, self.is_list = tensor, maker, port, is_list


@dataclass(eq=False)
class Phrase:
    """A step. ``keyed`` says that keys of the ``state_dict`` depend on its name.

    ``place`` is the name of one that has none because its position is its name, as in ``nn.Sequential``.
    """

    name: StepLabel = ""
    keyed: bool = False
    reads: list[Wire | None] = field(default_factory=list)
    makes: list[Wire] = field(default_factory=list)
    place: StepLabel = ""


@dataclass(eq=False)
class CallPhrase(Phrase):
    """A call of an op, or of ``block``. ``ports`` names what an op makes; ``keys`` and ``tied`` are an ``OpNode``'s."""

    word: str = ""
    ports: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    block: BlockPhrase | None = None

    @property
    def drop_argument(self) -> str:
        """The argument that is a rate of stochastic depth: of the op itself, or of a standard block."""
        if self.block is not None:
            return "drop_path" if self.block.is_standard and "drop_path" in self.arguments else ""
        return "p" if self.word == "stochastic_depth" else ""


@dataclass(eq=False)
class SharePhrase(Phrase):
    """The module of an earlier step once more. ``original`` is its path in the whole network; of one in the same level
    that has no name, which ``step`` is, a key.
    """

    original: str = ""
    step: Phrase | None = None


@dataclass(eq=False)
class GroupPhrase(Phrase):
    """A level of its own, written in its place. ``takes`` are its inputs inside, ``results`` what it gives.

    ``kind`` is its class, with the module that it is from, and ``numbers`` what that calls its numbers. ``arguments``
    are those of the level by the parameters that levels like it have, if there are others; ``level`` is what it has in
    common with these. ``around`` is the class of the level that it stands in, ``let`` has names for the sizes of its
    first input.
    """

    takes: list[Wire] = field(default_factory=list)
    body: list[Phrase] = field(default_factory=list)
    results: list[Wire] = field(default_factory=list)
    kind: str = ""
    numbers: Mapping[str, NamedNumber] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    level: Any = None
    around: str = ""
    let: Mapping[str, Formula] = field(default_factory=dict)


@dataclass(eq=False)
class ResidualPhrase(Phrase):
    """A merge of the value read, or of what ``other`` makes of it, and ``result``, which ``body`` makes of it.

    ``around`` says how ``other`` is built: as ``projection`` or as ``shortcut``. ``drop`` leaves the result out at
    random.
    """

    body: list[Phrase] = field(default_factory=list)
    result: Wire | None = None
    other: list[Phrase] = field(default_factory=list)
    around: str = ""
    merge: str = "add"
    drop: CallPhrase | None = None


@dataclass(eq=False)
class BranchPhrase:
    """A branch of a ``parallel``: an empty body passes on what is read."""

    name: str
    body: list[Phrase]
    result: Wire


@dataclass(eq=False)
class ParallelPhrase(Phrase):
    """Branches that read one value, merged."""

    branches: list[BranchPhrase] = field(default_factory=list)
    merge: str = "concat"
    dim: int | None = None


@dataclass(eq=False)
class SidePhrase(Phrase):
    """Steps that the main path goes past."""

    body: list[Phrase] = field(default_factory=list)


@dataclass(eq=False)
class IfPhrase(Phrase):
    """Steps that some levels of a class have, and others lack, where what it makes is the first value that it reads.

    ``has`` says whether this level has them, or under what condition; ``result`` is what it passes on.
    """

    body: list[Phrase] = field(default_factory=list)
    result: Wire | None = None
    has: Any = True


@dataclass(eq=False)
class LoopPhrase(Phrase):
    """The body once for each of ``count`` rows of ``columns``; each iteration reads what the one before has made.

    ``body`` is the first iteration's, with formulas in the place of what changes; it reads ``entry`` and makes
    ``result``. ``makes`` has what the last iteration makes. With a name it is a level with the iterations as levels.
    ``turns`` is the number of its rows, ``form`` its skeleton, whose numbers are ``slots``, and ``outside`` the wires
    that it reads. ``collect`` is the name of the list of what each iteration gives as its output ``port``, if there is
    one: it is what the loop makes beside the last value.
    """

    index: str = "i"
    count: Any = 1
    turns: int = 1
    columns: dict[str, Any] = field(default_factory=dict)
    body: list[Phrase] = field(default_factory=list)
    entry: Wire | None = None
    result: Wire | None = None
    form: Any = None
    slots: list[Any] = field(default_factory=list)
    outside: list[Wire] = field(default_factory=list)
    collect: str = ""
    port: int = 0


@dataclass(eq=False)
class ScanPhrase(Phrase):
    """A scan. It reads whole sequences, first states, and what else its body reads; ``takes`` are the same inside.

    ``results`` are what is collected, then the next states; ``names`` those of the steps of sequences and of the
    states in the body, ``ports`` those of what it makes. ``is_level`` says that its steps have keys below its name.
    """

    takes: list[Wire] = field(default_factory=list)
    body: list[Phrase] = field(default_factory=list)
    results: list[Wire] = field(default_factory=list)
    sequences: int = 0
    states: int = 0
    reverse: bool = False
    is_level: bool = False
    names: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)


@dataclass(eq=False)
class BlockPhrase:
    """A block: ``params`` with their types or defaults, and its level.

    ``words`` are the arguments that its parameters are for, ``numbers`` what its class calls those that are the same in
    all its levels. A standard one (``is_standard``) has no level in the text; ``types`` are those of its parameters,
    ``usual`` the expressions that some of them are by default.
    """

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("input",)
    takes: list[Wire] = field(default_factory=list)
    body: list[Phrase] = field(default_factory=list)
    results: list[Wire] = field(default_factory=list)
    let: Mapping[str, Formula] = field(default_factory=dict)
    doc: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, NamedNumber] = field(default_factory=dict)
    is_standard: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class SpecPhrase:
    """A whole spec. ``let`` are names for constants, ``numbers`` those that the network's class has names for."""

    name: str
    doc: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    let: dict[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    inputs: dict[str, Wire] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)
    blocks: list[BlockPhrase] = field(default_factory=list)
    body: list[Phrase] = field(default_factory=list)
    outputs: dict[str, Wire] = field(default_factory=dict)
    expect: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, NamedNumber] = field(default_factory=dict)
