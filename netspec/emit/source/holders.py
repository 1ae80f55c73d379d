"""The modules that only hold others, where names of steps are paths: ``self.inner_blocks[0]``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from netspec.elaborate.building.reserved import RESERVED_NAMES
from netspec.emit.source.forms import is_module
from netspec.emit.source.names import is_attribute, word_of
from netspec.graph import Call, Level, Node, Step
from netspec.text.quoting import literal


class Holders:
    """The holders that a level's class makes, outer ones first.

    ``lists`` are those that hold modules called 0, 1, 2 and so on: each is an ``nn.ModuleList``, any other is an
    ``nn.Module``.
    """

    def __init__(self, level: Level):
        self.paths: tuple[str, ...] = ()
        self.lists: frozenset[str] = frozenset()
        self.callers: dict[str, str] = {}
        keys = [key for step in level.steps if isinstance(step, Node) and not step.shares for _, key in step.keys]
        self.callers = callers(level)
        if not keys and not any("." in step.name for step in level.steps):
            return
        own = [step for step in level.steps if not step.shares and is_module(step, level)]
        names = [step.name for step in own if not (step.is_transparent if isinstance(step, Call) else step.keys)]
        found = dict.fromkeys(path for name in (*names, *keys) for path in prefixes(name))
        self.paths = tuple(path for path in found if not exists(level.steps, path))
        modules = {*names, *self.paths}
        self.lists = frozenset(path for path in self.paths if is_list(path, modules, keys))

    def expression(self, path: str) -> str:
        """Return the expression for a module of the level: ``self.conv1``, ``self.inner_blocks[0]``."""
        if not self.lists.isdisjoint(prefixes(path)):
            return self._indexed(path.split("."))
        if "." not in path:
            return f"self.{path}" if is_attribute(path) else f"getattr(self, {literal(path)})"
        return f"self.{path}" if all(map(is_attribute, path.split("."))) else f"self.get_submodule({literal(path)})"

    def _indexed(self, parts: list[str]) -> str:
        text = "self"
        for at, part in enumerate(parts):
            if ".".join(parts[:at]) in self.lists:
                text += f"[{part}]"
            elif is_attribute(part):
                text += f".{part}"
            else:
                return f"{text}.get_submodule({literal('.'.join(parts[at:]))})"
        return text

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Return names of steps in the order that their modules are made in: those in holders last, lists in order."""
        names = [*names]
        roots = {name.partition(".")[0]: at for at, name in reversed([*enumerate(names)])}
        return sorted(
            names, key=lambda name: ("." in name, "." in name and roots[name.partition(".")[0]], _parts(name))
        )


def callers(level: Level) -> dict[str, str]:
    """Return names for what runs the steps of a level whose tensors are the level's, by the names of the steps: ops
    whose tensors have keys of their own, and scans that are no levels.
    """
    if not any(step.is_transparent if isinstance(step, Call) else step.keys for step in level.steps):
        return {}
    taken = {
        *RESERVED_NAMES,
        *(path.partition(".")[0] for path in _placed(level)),
        *(step.name for step in level.steps),
    }
    found: dict[str, str] = {}
    for step in level.steps:
        keyed = step.is_transparent if isinstance(step, Call) else step.keys
        if keyed and not step.shares:
            name = f"{'scan' if isinstance(step, Call) else step.op.name}_{word_of(step.name)}"
            while name in taken:
                name += "_"
            taken.add(name)
            found[step.name] = name
    return found


def _parts(name: str) -> list[tuple[int, str]]:
    """Return the parts of a path as they are counted; nothing for a name that is no path."""
    return [(int(part) if part.isdecimal() else -1, part) for part in name.split(".")] if "." in name else []


def prefixes(path: str) -> Iterator[str]:
    """Yield the paths around a path, the shortest first."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def exists(steps: Iterable[Step], path: str) -> bool:
    """Return whether the modules of some steps have a module at a path."""
    for step in steps:
        inner = path.removeprefix(f"{step.name}.")
        if isinstance(step, Node) and step.keys:
            continue
        if path == step.name:
            return True
        if inner == path:
            continue
        if isinstance(step, Node):
            return any(name.startswith(f"{inner}.") for name in step.state)
        return exists(step.body.steps, inner) or any(inner in prefixes(each) for each in _placed(step.body))
    return False


def _placed(level: Level) -> Iterator[str]:
    """Yield the paths that the steps of a level have in it."""
    for step in level.steps:
        if isinstance(step, Call) and step.is_transparent:
            yield from _placed(step.body)
        else:
            yield from [step.name] if isinstance(step, Call) or not step.keys else [key for _, key in step.keys]


def is_list(holder: str, modules: Collection[str], tensors: Iterable[str]) -> bool:
    """Return whether a holder has nothing but modules that are called 0, 1, 2 and so on."""
    parts = [each.removeprefix(f"{holder}.").split(".") for each in modules if each.startswith(f"{holder}.")]
    inside = {part[0] for part in parts}
    return inside == {str(number) for number in range(len(inside))} and not any(
        tensor.rpartition(".")[0] == holder for tensor in tensors
    )
