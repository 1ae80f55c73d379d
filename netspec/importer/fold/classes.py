"""Levels that are equal up to numbers, as one class with parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from netspec.dataclass import dataclass
from netspec.importer.fold.loops.runs import merged_slots
from netspec.importer.fold.numbers.columns import ParameterColumn, SlotColumn, reduced
from netspec.importer.fold.numbers.formulas import names_of, substituted
from netspec.importer.fold.numbers.meanings import makes_width, parameter_name
from netspec.importer.fold.skeleton import NumberSlot, Skeleton, skeleton_of
from netspec.importer.program import NamedNumber
from netspec.importer.write.phrases import BlockPhrase, Formula, GroupPhrase, IfPhrase, LoopPhrase
from netspec.importer.write.rooms import everything_in, groups_in

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "")
"""The classes that say nothing of what is in them."""
GENERAL = ("in_channels", "out_channels", "in_features", "out_features", "input_channels", "hidden_features")
"""The names that tell nothing outside the level that they are of."""


@dataclass(eq=False)
class LevelClass:
    """Equal levels: ``whole`` is the one whose every step is there, ``formulas`` say its slots by ``parameters``.

    ``sites`` counts the places where the text has such a level, ``looped`` those in a loop; ``block`` is its block,
    where it becomes one, as it must (``needs_block``) where arguments are said by the shape that it reads.
    ``own_slots`` are those of each level, ``columns`` the lists that the loops go through. The numbers of an open one
    (``is_open``) are those of the levels around it.
    """

    kind: str
    whole: GroupPhrase
    slots: list[NumberSlot]
    formulas: list[Any]
    parameters: list[ParameterColumn]
    rank: int
    members: list[GroupPhrase] = field(default_factory=list)
    own_slots: dict[GroupPhrase, list[NumberSlot | None]] = field(default_factory=dict)
    columns: dict[LoopPhrase, dict[str, Any]] = field(default_factory=dict)
    sites: int = 0
    looped: int = 0
    needs_block: bool = False
    is_open: bool = False
    block: BlockPhrase | None = None

    @property
    def size(self) -> int:
        """The number of steps that are written for such a level in its place."""
        return sum(1 for _ in everything_in(self.whole.body))

    @property
    def is_container(self) -> bool:
        """Return whether the class says nothing of what is in it."""
        return self.kind in CONTAINERS

    @property
    def reads_as_block(self) -> bool:
        """Return whether such levels are likely to be calls of a block."""
        return not self.is_container and len(self.members) > 1

    def reads_aside(self, name: str) -> bool:
        """Return whether a parameter is read by a step that reads something else than the level does."""
        if any(
            isinstance(each, Formula) and name in names_of(each)
            for own in self.columns.values()
            for each in own.values()
        ):
            return True
        for slot, formula in zip(self.slots, self.formulas):
            aside = slot.loops or isinstance(slot.phrase, LoopPhrase) or slot.phrase.reads[:1] != self.whole.takes[:1]
            if aside and isinstance(formula, Formula) and name in names_of(formula):
                return True
        return False

    @property
    def meanings(self) -> dict[str, tuple[str, Any, str]]:
        """The parameters with the argument that each feeds, its default, and what the class itself calls it."""
        return {
            each.name: (each.word, each.default, each.name if each.is_named and each.name not in GENERAL else "")
            for each in self.parameters
        }


def classify(groups: Sequence[GroupPhrase], rank: int) -> list[LevelClass]:
    """Return the classes that levels fall into; each level gets its class, and its arguments.

    The levels in them that say nothing of themselves are open, unless they stand in several of the classes.
    """
    made = _classified(groups, rank)
    holders: dict[LevelClass, int] = {}
    for each in made:
        inside = {inner.level for inner, _ in groups_in(each.whole.body, False)}
        for level in inside:
            holders[level] = holders.get(level, 0) + level.is_open
    several = [level for level, count in holders.items() if count > 1]
    for level in several:
        level.is_open = False
    return _classified(groups, rank) if several else made


def _classified(groups: Sequence[GroupPhrase], rank: int) -> list[LevelClass]:
    by_key: dict[Any, list[tuple[GroupPhrase, Skeleton]]] = {}
    for group in groups:
        skeleton = skeleton_of(group.body, group.takes, group.results)
        by_key.setdefault((_family(group.kind), len(group.takes), skeleton.key), []).append((group, skeleton))
    return [_class(members, rank) for alike in by_key.values() for members in _clusters(alike)]


def _family(kind: str) -> str:
    """Return a class with its module, without a number at its end: what is equal but for that is one kind."""
    return re.sub(r"(?<=[A-Za-z])\d+$", "", kind)


def kind_of(kind: str) -> str:
    """Return what to call a class: its name alone, without a number at its end."""
    return _family(kind).rpartition(".")[2]


def _clusters(alike: list[tuple[GroupPhrase, Skeleton]]) -> list[list[tuple[GroupPhrase, Skeleton]]]:
    """Return levels apart whose shortcuts differ; one that needs no shortcut goes with those that do."""
    made: list[tuple[tuple[Any, ...], list[tuple[GroupPhrase, Skeleton]]]] = []
    by_others: dict[tuple[Any, ...], list[tuple[GroupPhrase, Skeleton]]] = {}
    for member in alike:
        by_others.setdefault(tuple(form for form, _ in member[1].others), []).append(member)
    for forms, members in sorted(by_others.items(), key=lambda item: sum(each is None for each in item[0])):
        for known, cluster in made:
            if all(one is None or one == two for one, two in zip(forms, known)):
                cluster += members
                break
        else:
            made.append((forms, members))
    return [cluster for _, cluster in made]


def _class(members: list[tuple[GroupPhrase, Skeleton]], rank: int) -> LevelClass:
    skeletons = [skeleton for _, skeleton in members]
    whole, form = max(members, key=lambda member: sum(other[0] is not None for other in member[1].others))
    slots = merged_slots(skeletons, form)
    reduction = reduced([SlotColumn(*each) for each in slots], {*whole.let}, _shared_names(members))
    made = LevelClass(
        kind_of(whole.kind),
        whole,
        [slot for slot, _, _ in slots],
        reduction.formulas,
        reduction.parameters,
        rank,
    )
    name_widths(made)
    made.columns = {loop: loop.columns for slot in made.slots for loop in slot.loops}
    made.members = [group for group, _ in members]
    for at, (group, skeleton) in enumerate(members):
        group.level = made
        group.arguments = {each.name: each.values[at] for each in reduction.parameters}
        made.own_slots[group] = own_slots(skeleton, form)
    around = {group.around for group, _ in members}
    made.needs_block = any(isinstance(each, IfPhrase) for each in whole.body)
    made.is_open = made.is_container and len(around) == 1 and not around & {*CONTAINERS} and _is_plain(members)
    return made


def _is_plain(members: list[tuple[GroupPhrase, Skeleton]]) -> bool:
    """Return whether levels have no loops and no shortcuts."""
    return all(
        not skeleton.others and not any(slot.loops or isinstance(slot.phrase, LoopPhrase) for slot in skeleton.slots)
        for _, skeleton in members
    )


def _shared_names(members: list[tuple[GroupPhrase, Skeleton]]) -> dict[str, list[NamedNumber]]:
    """Return the names that the class has for numbers in every one of its levels."""
    first = members[0][0].numbers
    common = [name for name in first if all(name in group.numbers for group, _ in members)]
    return {name: [group.numbers[name] for group, _ in members] for name in common}


def own_slots(skeleton: Skeleton, whole: Skeleton) -> list[NumberSlot | None]:
    """Return a level's own slots in the order of its class; ``None`` for those that it lacks."""
    made: list[NumberSlot | None] = [*skeleton.slots]
    for (_, ours), (_, theirs) in zip(skeleton.others, whole.others):
        made += ours if ours else [None] * len(theirs)
    return made


def name_widths(level: LevelClass) -> None:
    """Call what comes out ``width``, or as its argument is called, where a class has several, and others ``hidden``."""
    widths = [each for each in level.parameters if makes_width(each.word) and not each.is_named]
    if len(widths) < 2:
        return
    feeding = [formula for slot, formula in zip(level.slots, level.formulas) if makes_width(slot.word)]
    last = next((formula for formula in reversed(feeding) if isinstance(formula, Formula)), None)
    taken = {each.name for each in level.parameters if each not in widths}
    renamed: dict[str, Formula] = {}
    for each in sorted(widths, key=lambda each: last is None or each.name not in names_of(last)):
        base = parameter_name(each.word) if last is not None and each.name in names_of(last) else "hidden"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}{number}"
        taken.add(name)
        renamed[each.name] = Formula(name)
    for each in widths:
        each.name = renamed[each.name]
    level.formulas = [substituted(formula, renamed) for formula in level.formulas]
    for loop in {loop for slot in level.slots for loop in slot.loops}:
        loop.columns = {name: substituted(column, renamed) for name, column in loop.columns.items()}
