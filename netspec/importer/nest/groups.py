"""The groups of a program's steps by the paths of their modules, before they are in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Union

from netspec.dataclass import dataclass
from netspec.importer.program import SCAN, SCAN_END, ForeignLoop, ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignTensor


@dataclass(eq=False)
class PlacedStep:
    """One step. ``name`` is its part of the path; ``keys`` are those of its tensors that it does not tell."""

    step: ForeignStep
    name: str
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def keyed(self) -> bool:
        """Return whether it has tensors in the ``state_dict``."""
        return bool(self.step.reading and self.step.reading.state)


@dataclass(eq=False)
class StepGroup:
    """The steps of one call of a module, or below one part of a path: ``name`` is that part, ``path`` the whole.

    With a ``loop`` they are a scan's, the first and the last its marks; it has the path of what it stands in.
    """

    name: str
    path: str
    call: ModuleCall | None = None
    children: list[Item] = field(default_factory=list)
    loop: ForeignLoop | None = None

    def leaves(self) -> Iterator[PlacedStep]:
        """Yield its steps, and those of the groups in it."""
        for child in self.children:
            if isinstance(child, PlacedStep):
                yield child
            else:
                yield from child.leaves()

    @property
    def keyed(self) -> bool:
        """Return whether anything in it has tensors in the ``state_dict``."""
        return any(leaf.keyed for leaf in self.leaves())


Item = Union[PlacedStep, StepGroup]


def group_steps(program: ForeignProgram, steps: Sequence[ForeignStep]) -> StepGroup:
    """Return the root of the groups that the steps fall into by their keys and their modules' calls."""
    root = StepGroup("", "", ModuleCall("", program.kind))
    groups: dict[Any, StepGroup] = {(): root}
    busy = _busy(steps)
    around: list[dict[Any, StepGroup]] = []
    for step in steps:
        if step.op == SCAN:
            around.append(groups)
            groups = _scan_groups(step, groups)
        elif step.op == SCAN_END:
            groups[()].children.append(PlacedStep(step, ""))
            groups = around.pop()
        else:
            _place(step, groups, busy, program)
    _lift_single_steps(root)
    _join_scans(root)
    return root


def _scan_groups(step: ForeignStep, groups: dict[Any, StepGroup]) -> dict[Any, StepGroup]:
    """Return the groups that the body of a scan falls into: in one of its own, in the call of the module around."""
    path = step.scopes[-1].path if step.scopes else ""
    outer = _group_at(path, step, groups)
    inner = StepGroup("", path, outer.call, [PlacedStep(step, "")], step.loop)
    outer.children.append(inner)
    key = next(key for key, group in groups.items() if group is outer)
    return {key[:count]: inner for count in range(len(key) + 1)}


def _join_scans(group: StepGroup) -> None:
    """Let a scan be the module's level where nothing else in the module has a key: what else it does goes before it or
    behind.
    """
    children: list[Item] = []
    for child in group.children:
        if isinstance(child, PlacedStep):
            children.append(child)
            continue
        _join_scans(child)
        scans = [each for each in child.children if isinstance(each, StepGroup) and each.loop is not None]
        others = [each for each in child.children if each not in scans]
        alone = len(scans) == 1 and not scans[0].name and not any(each.keyed for each in others)
        if child.loop is None and alone and (scans[0].keyed or not others):
            scans[0].name = child.name if scans[0].keyed else ""
            children += child.children
        else:
            children.append(child)
    group.children = children


def _place(step: ForeignStep, groups: dict[Any, StepGroup], busy: set[str], program: ForeignProgram) -> None:
    """Put a step into the group where its keys are, or else where its module is called."""
    inside = step.scopes[-1].path if step.scopes else ""
    state = step.reading.state if step.reading else {}
    if not state:
        _group_at(inside, step, groups).children.append(PlacedStep(step, ""))
        return
    keys = {name: _key_near(tensor, inside, program) for name, tensor in state.items()}
    path = own_path(keys)
    if path is not None and path not in busy:
        parent, _, name = path.rpartition(".")
        _group_at(parent, step, groups).children.append(PlacedStep(step, name))
        return
    parent = _common(keys.values())
    relative = {name: key[len(parent) + 1 if parent else 0 :] for name, key in keys.items()}
    _group_at(parent, step, groups).children.append(PlacedStep(step, "", relative))


def own_path(keys: Mapping[str, str]) -> str | None:
    """Return the path whose tensors these are, by torch's names of them: ``conv1`` of ``conv1.weight``."""
    paths = {_without(key, name) for name, key in keys.items()}
    return paths.pop() if len(paths) == 1 else None


def _without(key: str, name: str) -> str | None:
    """Return a key without torch's name of the tensor at its end; a parameter by itself has none."""
    if not name:
        return key
    return key.removesuffix(f".{name}") if key.endswith(f".{name}") else None


def _busy(steps: Sequence[ForeignStep]) -> set[str]:
    """Return the paths of the modules that do more than one step in a call, or hold a tensor that is read by itself:
    each is a level.
    """
    counts = Counter(step.scopes[-1] for step in steps if step.scopes and step.op not in ("parameter", "buffer"))
    inner = {call.path for step in steps for call in step.scopes[:-1]}
    alone = [step for step in steps if step.op in ("parameter", "buffer") and step.reading is not None]
    holders = {each.key.rpartition(".")[0] for step in alone for each in step.reading.state.values()}  # type: ignore[union-attr]
    return inner | holders | {call.path for call, count in counts.items() if count > 1}


def _key_near(tensor: ForeignTensor, inside: str, program: ForeignProgram) -> str:
    """Return that of a tensor's keys which is nearest to where it is used."""
    names = [tensor.key, *(other for other, first in program.tied.items() if first == tensor.key)]
    return max(names, key=lambda key: (key.startswith(f"{inside}.") if inside else False, key == tensor.key))


def _common(keys: Any) -> str:
    """Return the path that keys have in common."""
    parts = [key.split(".")[:-1] for key in keys]
    common = parts[0]
    for other in parts[1:]:
        same = [one == two for one, two in zip(common, other)]
        common = common[: same.index(False) if False in same else min(len(common), len(other))]
    return ".".join(common)


def _group_at(path: str, step: ForeignStep, groups: dict[Any, StepGroup]) -> StepGroup:
    """Return the group of a path, in the call of each module on the way that the step is in."""
    calls = {call.path: call for call in step.scopes}
    key: tuple[Any, ...] = ()
    group = groups[key]
    parts = path.split(".") if path else []
    for at, part in enumerate(parts):
        whole = ".".join(parts[: at + 1])
        call = calls.get(whole)
        key = (*key, (part, call.turn if call is not None else 0))
        if key not in groups:
            groups[key] = StepGroup(part, whole, call)
            group.children.append(groups[key])
        group = groups[key]
        if group.call is None:
            group.call = call
    return group


def _lift_single_steps(group: StepGroup) -> None:
    """Put the only step of a module in the module's place: what a ``ReLU`` does is a step, not a level."""
    children: list[Item] = []
    for child in group.children:
        if isinstance(child, PlacedStep):
            children.append(child)
            continue
        _lift_single_steps(child)
        after = _layer_and_after(child) if child.loop is None else []
        only = child.children[0] if len(child.children) == 1 else None
        if isinstance(only, PlacedStep) and _is_the_module(only):
            child = PlacedStep(only.step, child.name)
        children += [child, *after]
    group.children = children


def _is_the_module(only: PlacedStep) -> bool:
    """Return whether a module's only step can stand for it: without tensors, or with those that the module holds."""
    return all(name == key for name, key in only.keys.items()) and (bool(only.keys) or not only.keyed)


def _layer_and_after(group: StepGroup) -> list[Item]:
    """Take what comes after a module's own layer out of the module, and return it, where nothing in it has a key.

    The module is then that layer: a normalisation that holds its activation has the keys of a normalisation.
    """
    own = [child for child in group.children if isinstance(child, PlacedStep) and child.keys]
    keyed = [child for child in group.children if child.keyed]
    if len(own) != 1 or keyed != own or any(name != key for name, key in own[0].keys.items()):
        return []
    at = group.children.index(own[0])
    end = at + 1 + (at > 0 and _puts_back(group.children, at))
    after = group.children[end:]
    group.children = group.children[:end]
    return after


def _puts_back(children: list[Item], at: int) -> bool:
    """Return whether a permutation follows the layer that follows one: a normalisation of another dimension."""
    around = children[at - 1], children[at + 1 : at + 2]
    return all(isinstance(each, PlacedStep) and each.step.op == "permute" for each in (around[0], *around[1]))
