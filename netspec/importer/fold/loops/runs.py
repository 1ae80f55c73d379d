"""Runs of steps in a level that do the same one after another, as loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from netspec.importer.fold.skeleton import ABSENT, NUMBER, LoopRow, NumberSlot, Skeleton, skeleton_of
from netspec.importer.write.naming import final_wires
from netspec.importer.write.phrases import (
    CallPhrase,
    GroupPhrase,
    IfPhrase,
    LoopPhrase,
    NumberedName,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    SharePhrase,
    SidePhrase,
    Wire,
)
from netspec.importer.write.rooms import phrases_in

LONGEST_UNIT = 12
"""An iteration has no more steps."""


class LoopUnit(NamedTuple):
    """The steps of an iteration: their skeleton, what they begin with (among ``outside``), and what they make."""

    phrases: Sequence[Phrase]
    skeleton: Skeleton
    final: Wire | None


class RunFinder:
    """Finds the runs in one level. ``uses`` are the steps that read each wire, ``None`` for the level's results."""

    def __init__(self, body: Sequence[Phrase], results: Sequence[Wire], letter: Callable[[], str]):
        self.body, self.letter = [*body], letter
        self.owners = {inner: at for at, phrase in enumerate(self.body) for inner in phrases_in([phrase])}
        self.uses: dict[Wire, set[int]] = {}
        for at, phrase in enumerate(self.body):
            for wire in skeleton_of([phrase]).outside:
                self.uses.setdefault(wire, set()).add(at)
        for wire in results:
            self.uses.setdefault(wire, set()).add(len(self.body))
        self.tokens = [_token(phrase) for phrase in self.body]

    def find(self) -> list[Phrase]:
        """Return the level's steps, with loops in place of runs."""
        made: list[Phrase] = []
        at = 0
        while at < len(self.body):
            length, units = self._best(at)
            if len(units) < 2:
                made.append(self.body[at])
                at += 1
                continue
            made.append(self._loop(units))
            at += length * len(units)
        return made

    def is_one_run(self) -> bool:
        """Return whether the steps of the level are one run."""
        length, units = self._best(0)
        return length * len(units) == len(self.body) and len(units) > 1

    def _best(self, start: int) -> tuple[int, list[LoopUnit]]:
        """Return the length of an iteration and the iterations of the run that begins there, the most steps of all."""
        best: tuple[int, list[LoopUnit]] = (1, [])
        tokens, end = self.tokens, len(self.tokens)
        for length in range(1, min(LONGEST_UNIT, (end - start) // 2) + 1):
            first = tokens[start : start + length]
            if tokens[start + length : start + 2 * length] != first or (length > 1 and len({*first}) == 1):
                continue
            turns = 2
            while tokens[start + turns * length : start + (turns + 1) * length] == first:
                turns += 1
            if turns * length <= best[0] * len(best[1]):
                continue
            units = self._units(start, length, turns)
            if len(units) > 1 and length * len(units) > best[0] * len(best[1]) and worth(units):
                best = length, units
        return best

    def _units(self, start: int, length: int, turns: int) -> list[LoopUnit]:
        """Return as many iterations as read nothing of each other but what the one before has made."""
        units: list[LoopUnit] = []
        entry = -1
        for turn in range(turns):
            first = start + turn * length
            phrases = self.body[first : first + length]
            skeleton = skeleton_of(phrases, names=False)
            unit = LoopUnit(phrases, skeleton, next(iter(final_wires(phrases[-1])), None))
            if units:
                at = self._entry(units[-1], unit)
                if at is None or (turn > 1 and at != entry):
                    break
                entry = at
            if self._leaks(unit, first, length):
                break
            units.append(unit)
            following = range(first + length, first + 2 * length)
            if unit.final is None or any(at not in following for at in self.uses.get(unit.final, ())):
                break
        if units and not _names_count(units):
            return self._while_names_count(units)
        return units

    def _while_names_count(self, units: list[LoopUnit]) -> list[LoopUnit]:
        while len(units) > 1 and not _names_count(units):
            units = units[:-1]
        return units

    def _entry(self, before: LoopUnit, unit: LoopUnit) -> int | None:
        """Return which wire that an iteration reads the one before makes; ``None`` if they differ in more."""
        if unit.skeleton.key != before.skeleton.key or before.final is None:
            return None
        if before.final not in unit.skeleton.outside:
            return None
        at = unit.skeleton.outside.index(before.final)
        theirs = [*before.skeleton.outside]
        ours = [*unit.skeleton.outside]
        if ours[:at] + ours[at + 1 :] != theirs[:at] + theirs[at + 1 :] or not _same_others(before, unit):
            return None
        return at

    def _leaks(self, unit: LoopUnit, first: int, length: int) -> bool:
        """Return whether something else reads what an iteration makes, beside its last value."""
        inside = range(first, first + length)
        made = [wire for phrase in phrases_in(unit.phrases) for wire in phrase.makes if wire is not unit.final]
        return any(at not in inside for wire in made for at in self.uses.get(wire, ()))

    def _loop(self, units: list[LoopUnit]) -> LoopPhrase:
        """Return the loop of a run."""
        whole = max(units, key=lambda unit: sum(form is not None for form, _ in unit.skeleton.others))
        first, last = units[0].skeleton, units[-1]
        at = units[1].skeleton.outside.index(units[0].final)  # type: ignore[arg-type]
        assert last.final is not None
        letter = self.letter()
        loop = LoopPhrase(reads=[first.outside[at]], index=letter, count=len(units), turns=len(units))
        result = Wire(last.final.tensor, last.final.maker)
        ending = last.phrases[-1]
        ending.makes = [result if wire is last.final else wire for wire in ending.makes]
        outer = whole.skeleton.outside[at]
        loop.body, loop.entry = [*whole.phrases], Wire(outer.tensor)
        replace_reads(loop.body, outer, loop.entry)
        loop.result = result if whole is last else whole.final
        loop.makes = [last.final]
        last.final.maker = loop
        loop.outside = [first.outside[at], *(wire for k, wire in enumerate(first.outside) if k != at)]
        loop.form = (at, first.key, tuple(form for form, _ in whole.skeleton.others), _name_forms(units))
        loop.slots = loop_slots(loop, units, whole)
        for phrases in zip(*(phrases_in(unit.phrases) for unit in units)):
            _number_names(phrases, letter)
        return loop


def _token(phrase: Phrase) -> Any:
    """Return what a step must have in common with others to be an iteration like them."""
    skeleton = skeleton_of([phrase], names=False)
    return skeleton.key if not isinstance(phrase, SharePhrase) else (skeleton.key, phrase.original)


def worth(units: Sequence[LoopUnit]) -> bool:
    """Return whether a loop reads better than its iterations below each other: they are many, or differ in little."""
    groups = [phrase for phrase in units[0].phrases if isinstance(phrase, GroupPhrase)]
    inline = sum(phrase.level.size for phrase in groups if not phrase.level.reads_as_block)
    rows = {*zip(*([slot.value for slot in unit.skeleton.slots] for unit in units))}
    changing = sum(any(value != row[0] for value in row) for row in rows)
    standard = any(isinstance(phrase, CallPhrase) and phrase.block is not None for phrase in units[0].phrases)
    if (groups or standard) and not inline:
        named = units[0].phrases[0].name != units[1].phrases[0].name  # so that a loop needs an index, and a template
        return (len(units) - 1) * len(units[0].phrases) >= changing + 2 * named
    size = len(units[0].phrases) + inline
    return bool((len(units) - 1) * size > 1 + changing * (0.5 if inline else 1))


def _same_others(left: LoopUnit, right: LoopUnit) -> bool:
    """Return whether the shortcuts of two iterations are the same, or absent in one."""
    pairs = zip(left.skeleton.others, right.skeleton.others)
    return all(one[0] == two[0] or None in (one[0], two[0]) for one, two in pairs)


def _names_count(units: Sequence[LoopUnit]) -> bool:
    """Return whether the names of each step count up, or are the same, as in levels of their own."""
    return all(_numbers(phrases) is not None for phrases in zip(*(phrases_in(unit.phrases) for unit in units)))


def _numbers(phrases: Sequence[Phrase]) -> tuple[str, int, int, str] | None:
    """Return the name of a step in all iterations, as what stands before and behind a number that counts up."""
    names = [phrase.name if phrase.keyed else "" for phrase in phrases]
    if not any(names):
        return "", 0, 0, ""
    if not all(isinstance(name, str) for name in names):
        return None
    found = [[(match.start(), match.end(), int(match[0])) for match in NUMBER.finditer(str(name))] for name in names]
    if len({len(each) for each in found}) != 1:
        return None
    varying = [k for k in range(len(found[0])) if len({each[k][2] for each in found}) > 1]
    if len(varying) != 1:
        return None
    (k,) = varying
    values = [each[k][2] for each in found]
    step = values[1] - values[0]
    if any(right - left != step for left, right in itertools.pairwise(values)) or step < 1:
        return None
    start, end, number = found[0][k]
    prefix, suffix = str(names[0])[:start], str(names[0])[end:]
    if any(name != f"{prefix}{value}{suffix}" for name, value in zip(names, values)):
        return None
    return prefix, number, step, suffix


def _name_forms(units: Sequence[LoopUnit]) -> tuple[Any, ...]:
    return tuple(_numbers(phrases) for phrases in zip(*(phrases_in(unit.phrases) for unit in units)))


def _number_names(phrases: Sequence[Phrase], letter: str) -> None:
    places = [phrase.place for phrase in phrases]
    if all(isinstance(place, str) and place.isdecimal() for place in places):
        start, following = int(str(places[0])), int(str(places[1]))
        for phrase in phrases:
            phrase.place = NumberedName("", start, following - start, "", letter)
    numbers = _numbers(phrases)
    if numbers is not None and numbers[2]:
        name = NumberedName(*numbers, letter)
        for phrase in phrases:
            phrase.name = name


def loop_slots(loop: LoopPhrase, units: Sequence[LoopUnit], whole: LoopUnit) -> list[NumberSlot]:
    """Return the slots of an iteration, each with a row of what they hold."""
    slots = merged_slots([unit.skeleton for unit in units], whole.skeleton)
    return [
        NumberSlot(slot.phrase, slot.argument, slot.at, LoopRow(values), LoopRow(shapes), slot.word, slot.default,
                   (loop, *slot.loops), slot.label)
        for slot, values, shapes in slots
    ]  # fmt: skip


def merged_slots(skeletons: Sequence[Skeleton], whole: Skeleton) -> list[tuple[NumberSlot, list[Any], list[Any]]]:
    """Return each slot of the most complete skeleton with its value, and the shape it reads, in every one."""
    made = []
    for at, slot in enumerate(whole.slots):
        made.append((slot, [each.slots[at].value for each in skeletons], [each.slots[at].shape for each in skeletons]))
    for which, (_, slots) in enumerate(whole.others):
        for at, slot in enumerate(slots):
            found = [each.others[which][1] for each in skeletons]
            values = [each[at].value if each else ABSENT for each in found]
            shapes = [each[at].shape if each else () for each in found]
            made.append((slot, values, shapes))
    return made


def replace_reads(phrases: Sequence[Phrase], old: Wire, new: Wire) -> None:
    """Let steps, and those in their structures, read another wire."""
    for phrase in phrases:
        phrase.reads = [new if wire is old else wire for wire in phrase.reads]
        if isinstance(phrase, ResidualPhrase):
            replace_reads([*phrase.body, *phrase.other], old, new)
        elif isinstance(phrase, ParallelPhrase):
            for branch in phrase.branches:
                replace_reads(branch.body, old, new)
        elif isinstance(phrase, (SidePhrase, IfPhrase)):
            replace_reads(phrase.body, old, new)
        elif isinstance(phrase, LoopPhrase):
            phrase.outside = [new if wire is old else wire for wire in phrase.outside]
            replace_reads(phrase.body, old, new)
