"""From classes of levels to blocks, and to levels written in their place, from the whole network inwards."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.importer.fold.classes import CONTAINERS, LevelClass
from netspec.importer.fold.numbers.formulas import names_of, substituted
from netspec.importer.fold.tables import table_type
from netspec.importer.write.class_names import snake_case
from netspec.importer.write.phrases import (
    BlockPhrase,
    CallPhrase,
    Formula,
    GroupPhrase,
    IfPhrase,
    LoopPhrase,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    ScanPhrase,
    SidePhrase,
)
from netspec.importer.write.rooms import groups_in
from netspec.ops import OPS
from netspec.spec.steps import STRUCTURES

KINDS = {"bool": bool, "int": int, "str": str}


class Renderer:
    """Puts numbers and formulas into the steps that are written, and calls in place of the levels that are blocks.

    ``taken`` are names that no block may have.
    """

    def __init__(self, classes: Sequence[LevelClass], taken: Iterable[str]):
        self.classes = sorted(classes, key=lambda each: -each.rank)
        self.blocks: list[BlockPhrase] = []
        self.names = {*taken}

    def render(self, body: list[Phrase]) -> list[Phrase]:
        """Return the network's own steps; ``blocks`` has the blocks then, the inner ones first."""
        self._count(body, 1, False)
        for each in self.classes:
            if each.sites == 0:
                continue
            if is_block(each):
                each.block = self._declared(each)
                self._count(each.whole.body, 1, False)
            else:
                self._count(each.whole.body, each.sites, bool(each.looped))
        made = self._body(body, {})
        for each in sorted(self.classes, key=lambda each: each.rank):
            if each.block is not None:
                self._fill(each.whole, each, {})
                each.block.body = self._body(each.whole.body, {})
                self.blocks.append(each.block)
        return made

    def _count(self, body: Sequence[Phrase], times: int, looped: bool) -> None:
        """Count the levels in a body by their classes."""
        for group, inside in groups_in(body, looped):
            group.level.sites += times
            group.level.looped += inside

    def _declared(self, each: LevelClass) -> BlockPhrase:
        """Return the block of a class, which has no body yet."""
        base = snake_case(each.kind) if each.kind not in CONTAINERS else _container_name(each.whole.body)
        base = f"{base}_block" if base in OPS or base in STRUCTURES or keyword.iskeyword(base) else base
        name, number = base, 1
        while name in self.names:
            number += 1
            name = f"{base}{number}"
        self.names.add(name)
        inputs = ("input", *(f"input{at}" for at in range(2, len(each.whole.takes) + 1)))
        params = {one.name: type_name(one.values) if one.default is None else one.default for one in each.parameters}
        made = BlockPhrase(name, params, inputs or ("input",), each.whole.takes, [], each.whole.results)
        made.let = each.whole.let
        made.words = {one.name: one.word for one in each.parameters}
        made.types = {one.name: type_name(one.values) for one in each.parameters}
        alike = [group.numbers for group in each.members]
        made.numbers = {name: one for name, one in alike[0].items() if all(own.get(name) == one for own in alike)}
        return made

    def _fill(self, group: GroupPhrase, each: LevelClass, values: Mapping[str, Any]) -> None:
        """Put numbers into the slots of a level, whose parameters have these values."""
        known = dict(values)
        used = {name for value in values.values() if isinstance(value, Formula) for name in names_of(value)}
        for slot, own in zip(each.slots, each.own_slots[group]):
            if own is not None:
                for loop, mine in zip(slot.loops, own.loops):
                    known[loop.index] = Formula(mine.index)
                    named = {name: f"{name}_" if name in used else name for name in each.columns[loop]}
                    mine.columns = {
                        named[name]: substituted(column, known) for name, column in each.columns[loop].items()
                    }
                    known.update((name, Formula(new)) for name, new in named.items() if new != name)
        for own, formula in zip(each.own_slots[group], each.formulas):
            if own is not None:
                own.write(substituted(formula, known))

    def _body(self, body: Sequence[Phrase], values: Mapping[str, Any]) -> list[Phrase]:
        return [each for phrase in body for each in self._phrase(phrase)]

    def _phrase(self, phrase: Phrase) -> list[Phrase]:
        """Return what is written for a step."""
        if isinstance(phrase, GroupPhrase):
            return [self._group(phrase)]
        if isinstance(phrase, IfPhrase):
            return self._choice(phrase)
        if isinstance(phrase, ResidualPhrase):
            phrase.body, phrase.other = self._body(phrase.body, {}), self._body(phrase.other, {})
        elif isinstance(phrase, ParallelPhrase):
            for branch in phrase.branches:
                branch.body = self._body(branch.body, {})
        elif isinstance(phrase, (SidePhrase, LoopPhrase, ScanPhrase)):
            phrase.body = self._body(phrase.body, {})
        return [phrase]

    def _choice(self, phrase: IfPhrase) -> list[Phrase]:
        """Return an ``if``; the steps themselves where all levels have them."""
        phrase.body = self._body(phrase.body, {})
        if phrase.has is True:
            last = phrase.body[-1]
            last.makes = [phrase.makes[0], *last.makes[1:]]
            phrase.makes[0].maker = last
            return phrase.body
        if phrase.has is False:
            call = CallPhrase(reads=phrase.reads[:1], makes=phrase.makes, word="identity", ports=("output",))
            phrase.makes[0].maker = call
            return [call]
        return [phrase]

    def _group(self, group: GroupPhrase) -> Phrase:
        """Return a level as a call of its block, or with its own steps."""
        level: LevelClass = group.level
        if level.block is not None:
            call = CallPhrase(group.name, group.keyed, group.reads, group.makes, group.place)
            call.word, call.block, call.arguments = level.block.name, level.block, group.arguments
            for wire in group.makes:
                wire.maker = call
            return call
        if not level.is_open:
            self._fill(group, level, group.arguments)
        group.body = self._body(group.body, {})
        return as_loop(group)


def is_block(each: LevelClass) -> bool:
    """Return whether levels of a class are written once, as a block."""
    if any(wire.maker is None and wire in each.whole.takes for wire in each.whole.results):
        return False
    if each.is_open or each.needs_block:
        return not each.is_open
    small = len(each.whole.body) == 1 and not isinstance(each.whole.body[0], ResidualPhrase)
    if each.kind in CONTAINERS:
        row = _row(each.whole.body)
        lines = each.size if isinstance(row[0], ResidualPhrase) else len(row)
        return each.sites > 1 and (len(row) > 2 or (each.sites > 2 and lines > 3))
    return each.sites > 1 or (each.looped > 0 and not small)


def _row(body: list[Phrase]) -> list[Phrase]:
    """Return the steps of a level, or of the loop that is all of it."""
    (only,) = body if len(body) == 1 else (None,)
    return only.body if isinstance(only, LoopPhrase) else body


def _container_name(body: list[Phrase]) -> str:
    """Return what to call a level whose class says nothing, by its first step: ``conv_block``."""
    first = _row(body)[0]
    if isinstance(first, ResidualPhrase):
        calls = [group.level.block for group, _ in groups_in(first.body, False) if group.level.block is not None]
        return f"{calls[0].name}_layer" if len(calls) == 1 else "layer"
    return (
        f"{re.sub('[1-3]d$', '', first.word)}_block" if isinstance(first, CallPhrase) and not first.block else "block"
    )


def as_loop(group: GroupPhrase) -> Phrase:
    """Return a level that is nothing but a loop of levels as a named loop."""
    loop = group.body[0] if len(group.body) == 1 else None
    if not isinstance(loop, LoopPhrase) or loop.name or len(loop.body) != 1 or group.let:
        return group  # a loop that has a name is a level of its own: `layer` in `encoder`
    if loop.reads != group.takes or len(group.makes) != 1 + bool(loop.collect):
        return group
    (only,) = loop.body
    if not isinstance(only, (CallPhrase, GroupPhrase)) or only.name or not only.keyed:
        return group
    if not group.name or (isinstance(group.name, str) and group.name.isdecimal()):
        return group
    loop.name, loop.keyed, loop.place = group.name, group.keyed, group.place
    loop.reads, loop.makes, only.place = group.reads, group.makes, ""
    for wire in loop.makes:
        wire.maker = loop
    return loop


def type_name(values: Sequence[Any]) -> str:
    """Return the type of a parameter that has these values."""
    if isinstance(values[0], tuple):
        if kind := table_type(values[0]):
            return kind
        inner = type_name([item for value in values for item in value])
        return f"list[{inner}]"
    kinds = {type(value) for value in values}
    return next((name for name, kind in KINDS.items() if kinds == {kind}), "float")
