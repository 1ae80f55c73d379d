"""Targets: what a network can be written as. ``netspec emit`` lists them, ``netspec build`` writes them.

A target of one's own is a function from a graph to a text:

    from netspec import Model
    from netspec.targets import Graph, target


    @target("keras", "a summary as Keras prints it", file="summary.txt")
    def summary(graph: Graph) -> str:
        return "\\n".join(f"{row.path} ({row.op})  {row.params:,}" for row in Model(graph).shapes())

It stands in a module that ``--plugin`` names, or that an installed package offers by an entry point of the group
``netspec.plugins``. Then ``netspec emit keras SPEC``, ``netspec build SPEC --only keras`` and ``model.emit("keras")``
give it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from netspec.dataclass import dataclass
from netspec.diagnostics import NetspecError, UsageError
from netspec.files import write_text
from netspec.graph import Graph

__all__ = ["Graph", "Target", "WriteOptions", "Written", "target"]

OWN: Mapping[str, str] = {
    "source": "netspec.emit.source.target",
    "onnx": "netspec.runtime.onnx.target",
    "diagram": "netspec.emit.diagram.target",
    "explorer": "netspec.emit.explorer.target",
    "shapes": "netspec.emit.table.target",
    "hf": "netspec.weights.hugging_face.target",
}
"""The modules of netspec's own targets by their names, in the order in which they are listed."""

BUILT = ("source", "onnx", "diagram", "explorer", "shapes")
"""Those of them that every network has, which a build writes if none is named."""

_brought: dict[str, Target] = {}
"""The targets that plugins have brought."""


@dataclass(frozen=True, slots=True)
class Written:
    """The result of writing a target.

    ``files`` are those that are there now. ``checks`` go into ``build.json``; ``warnings`` are told at once and
    ``notes`` once all is written, a line each. ``failure`` says why the command ends with exit code 1.
    """

    files: tuple[Path, ...]
    checks: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str | None = None


Verification = Literal["none", "quick", "full"]
"""The verification of a file: by no run of the network, by runs at small sizes, or at those of the table too."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options for targets that are verified: the ``device`` that a network is run on (``auto``, ``cpu``, …), and how
    much it is run to ``verify`` a file.

    ``fill``, which is called with the network's module, gives it weights of its own; without, it is as initialised.
    ``origin`` is where those come from, as it was written.
    """

    device: str = "auto"
    verify: Verification = "quick"
    fill: Callable[[Any], None] | None = None
    origin: str = ""


Writer = Callable[[Graph, Path, WriteOptions], Written]
"""Writes a graph into a folder."""


@dataclass(frozen=True, slots=True)
class Target:
    """One of the things that a network can be written as.

    ``name`` is a word of small letters, digits and underscores; ``summary`` says in a line what is written. ``files``
    are the names of the files that ``write`` may leave in a folder. ``text`` gives the same as one text; ``None`` where
    it is no text. Raises ``UsageError`` for another name, and for a file that is not in the folder itself.
    """

    name: str
    summary: str
    files: tuple[str, ...]
    write: Writer
    text: Callable[[Graph], str] | None = None
    needs_torch: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise UsageError(f"a target is named by small letters, digits and underscores, not `{self.name}`")
        for name in self.files:
            if Path(name).name != name:
                raise UsageError(f"the target `{self.name}` writes into a folder, so `{name}` cannot be its file")

    @property
    def module(self) -> str:
        """The module that brings it."""
        return (self.text or self.write).__module__


def target(name: str, summary: str, *, file: str) -> Callable[[Callable[[Graph], str]], Target]:
    """Make a target of a function from a graph to a text, which is written into ``file``. Raises as ``Target``."""

    def made(text: Callable[[Graph], str]) -> Target:
        def write(graph: Graph, folder: Path, options: WriteOptions) -> Written:
            write_text(folder / file, text(graph))
            return Written((folder / file,))

        return Target(name, summary, (file,), write, text)

    return made


def loaded_target(name: str) -> Target | None:
    """Return a target of netspec's, or one that a plugin has brought; ``None`` for another name."""
    if name in OWN:
        return next(target for target in targets_in(import_module(OWN[name])) if target.name == name)
    return _brought.get(name)


def target_names() -> list[str]:
    """Return the names of the targets that there are: netspec's, then those that plugins have brought."""
    return [*OWN, *_brought]


def targets_in(module: ModuleType) -> list[Target]:
    """Return the targets that are a module's own."""
    targets = [value for value in vars(module).values() if isinstance(value, Target)]
    return [target for target in targets if target.module == module.__name__]


def add_target(target: Target) -> None:
    """Add a target from outside. Raises ``UsageError`` where there is one of its name."""
    if target.name in target_names():
        raise UsageError(f"{target.module} brings a target `{target.name}`, which already exists")
    _brought[target.name] = target


def forget_targets() -> None:
    """Forget the targets that plugins have brought."""
    _brought.clear()


@contextmanager
def blamed(target: Target) -> Iterator[None]:
    """Have what goes wrong in a target from outside be told as its own fault, by a ``UsageError``."""
    try:
        yield
    except (NetspecError, OSError, MemoryError):
        raise
    except Exception as fault:
        if target.name in OWN:
            raise
        text = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
        raise UsageError(f"the target `{target.name}` of {target.module} failed: {text}") from fault
