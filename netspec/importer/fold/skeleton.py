"""The skeleton of steps, which is equal for steps that differ in numbers alone, and the places of those numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from pydantic_core import PydanticUndefined

from netspec.dataclass import dataclass
from netspec.importer.fold.tables import table_type
from netspec.importer.write.phrases import (
    CallPhrase,
    GroupPhrase,
    IfPhrase,
    LoopPhrase,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    ScanPhrase,
    SharePhrase,
    SidePhrase,
    Wire,
)
from netspec.ops import OPS

NUMBER = re.compile(r"\d+")


class AbsentNumber:
    """Stands for a number of a step that is not there, as in a projection that a residual does not need."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = AbsentNumber()


class LoopRow(tuple[Any, ...]):
    """The values of one place in the iterations of a loop."""

    __slots__ = ()


@dataclass(eq=False)
class NumberSlot:
    """A place that holds a number: an argument of a step, or item ``at`` of it.

    ``value`` is a ``LoopRow`` inside a loop, of rows inside two; so is ``shape``, that of what the step reads.
    ``default`` is the value that need not be written, and ``word`` the argument's name, which says what it means;
    ``label`` is what the class of the level there calls it.
    """

    phrase: Phrase
    argument: str
    at: int | None
    value: Any
    shape: Any
    word: str = ""
    default: Any = None
    loops: tuple[LoopPhrase, ...] = ()
    label: str = ""

    def write(self, value: Any) -> None:
        """Put a value, or a formula, in the place."""
        if isinstance(self.phrase, LoopPhrase):
            self.phrase.count = value
            return
        if isinstance(self.phrase, IfPhrase):
            self.phrase.has = value
            return
        assert isinstance(self.phrase, (CallPhrase, GroupPhrase))
        arguments = self.phrase.arguments
        if self.at is None:
            arguments[self.argument] = value
        else:
            items = [*arguments[self.argument]]
            items[self.at] = value
            arguments[self.argument] = tuple(items)


@dataclass(eq=False)
class Skeleton:
    """The form of some steps: ``parts`` without the shortcuts of residuals, which are ``others``, one for each.

    ``outside`` are the wires that the steps read from elsewhere, in the order of their numbers.
    """

    parts: list[Any] = field(default_factory=list)
    slots: list[NumberSlot] = field(default_factory=list)
    others: list[tuple[Any, list[NumberSlot]]] = field(default_factory=list)
    numbers: dict[Wire, int] = field(default_factory=dict)
    outside: list[Wire] = field(default_factory=list)
    key: Any = None


def skeleton_of(
    phrases: Sequence[Phrase], takes: Iterable[Wire] = (), results: Iterable[Wire] = (), names: bool = True
) -> Skeleton:
    """Return the skeleton of steps. Without ``names``, numbers in the names of the steps themselves do not matter."""
    made = Skeleton()
    for wire in takes:
        made.numbers[wire] = len(made.numbers)
    _Reading(made).body(phrases, names)
    made.parts.append(tuple(made.numbers.get(wire, -1) for wire in results))
    made.key = tuple(made.parts)
    return made


class _Reading:
    """Reads steps into a skeleton; ``names`` of steps count as they are, or with ``#`` for each number."""

    def __init__(self, made: Skeleton):
        self.made = made

    def body(self, phrases: Sequence[Phrase], names: bool) -> None:
        for phrase in phrases:
            self.phrase(phrase, names)

    def phrase(self, phrase: Phrase, names: bool) -> None:
        name = phrase.name if phrase.keyed else ""
        label = name if names or not isinstance(name, str) else NUMBER.sub("#", name)
        self.made.parts.append((type(phrase).__name__, label, tuple(self._numbers(phrase.reads))))
        READERS[type(phrase)](self, phrase, names)
        for wire in phrase.makes:
            self.made.numbers[wire] = len(self.made.numbers)

    def _numbers(self, wires: Iterable[Wire | None]) -> Iterable[int]:
        for wire in wires:
            if wire is None:
                yield -1
                continue
            if wire not in self.made.numbers:
                self.made.numbers[wire] = len(self.made.numbers)
                self.made.outside.append(wire)
            yield self.made.numbers[wire]

    def call(self, phrase: CallPhrase, names: bool) -> None:
        literal: list[Any] = [phrase.word, tuple(phrase.keys.items()), tuple(phrase.tied.items())]
        shape = phrase.reads[0].tensor.shape if phrase.reads and phrase.reads[0] is not None else ()
        for argument, default in argument_defaults(phrase).items():
            value = phrase.arguments.get(argument, default)
            if is_number(value) or (phrase.block is not None and isinstance(value, str)):
                self._slot(phrase, argument, None, value, shape, default)
                literal.append(argument)
            elif isinstance(value, tuple) and (kind := table_type(value)):
                self._slot(phrase, argument, None, value, shape, default)
                literal.append((argument, kind))
            elif isinstance(value, tuple) and len(value) <= 16:
                literal.append((argument, tuple(None if is_number(item) else item for item in value)))
                for at, item in enumerate(value):
                    if is_number(item):
                        self._slot(phrase, argument, at, item, shape, default)
            else:
                literal.append((argument, value))
        self.made.parts.append(tuple(literal))

    def _slot(self, phrase: CallPhrase, argument: str, at: int | None, value: Any, shape: Any, default: Any) -> None:
        word = argument
        if argument == phrase.drop_argument:
            word = "position" if type(value) is int else "drop_path"
        self.made.slots.append(NumberSlot(phrase, argument, at, value, shape, word, default))

    def share(self, phrase: SharePhrase, names: bool) -> None:
        self.made.parts.append(phrase.original)

    def group(self, phrase: GroupPhrase, names: bool) -> None:
        level = phrase.level
        self.made.parts.append((id(level), phrase.kind if level is None else ""))
        if level is not None and level.is_open:
            self.made.slots += level.own_slots[phrase]
            return
        shape = phrase.takes[0].tensor.shape if phrase.takes else ()
        for name, value in phrase.arguments.items():
            word, default, label = level.meanings[name]
            self.made.slots.append(NumberSlot(phrase, name, None, value, shape, word, default, label=label))

    def residual(self, phrase: ResidualPhrase, names: bool) -> None:
        self.made.parts.append((phrase.merge, phrase.around == "shortcut", phrase.drop is not None))
        self.body(phrase.body, names)
        if phrase.drop is not None:
            self.call(phrase.drop, names)
        inner = Skeleton(numbers=dict(self.made.numbers))
        _Reading(inner).body(phrase.other, names)
        shortcut: tuple[Any, list[NumberSlot]] = (tuple(inner.parts), inner.slots) if phrase.other else (None, [])
        if phrase.around == "shortcut":
            self.made.parts.append(shortcut[0])
            self.made.slots += inner.slots
            shortcut = (None, [])
        self.made.others.append(shortcut)

    def choice(self, phrase: IfPhrase, names: bool) -> None:
        inner = Skeleton(numbers=dict(self.made.numbers))
        _Reading(inner).body(phrase.body, names)
        own = next((each.name for each in phrase.body if each.keyed), "")
        word = f"has_{own}" if isinstance(own, str) and own.isidentifier() else "whole"
        self.made.slots.append(NumberSlot(phrase, "has", None, phrase.has, (), word, False))
        self.made.others.append((tuple(inner.parts), inner.slots) if phrase.body else (None, []))

    def parallel(self, phrase: ParallelPhrase, names: bool) -> None:
        self.made.parts.append((phrase.merge, phrase.dim, tuple(branch.name for branch in phrase.branches)))
        for branch in phrase.branches:
            self.made.parts.append(len(branch.body))
            self.body(branch.body, names)

    def side(self, phrase: SidePhrase, names: bool) -> None:
        self.made.parts.append(len(phrase.body))
        self.body(phrase.body, names)

    def scan(self, phrase: ScanPhrase, names: bool) -> None:
        self.made.parts.append((phrase.sequences, phrase.states, phrase.reverse, phrase.is_level))
        for wire in phrase.takes:
            self.made.numbers[wire] = len(self.made.numbers)
        self.body(phrase.body, names)
        self.made.parts.append(tuple(self.made.numbers.get(wire, -1) for wire in phrase.results))

    def loop(self, phrase: LoopPhrase, names: bool) -> None:
        self.made.parts.append((phrase.form, tuple(self._numbers(phrase.outside))))
        self.made.slots.append(NumberSlot(phrase, "count", None, phrase.turns, (), "count"))
        self.made.slots += phrase.slots


READERS: dict[type[Phrase], Any] = {
    CallPhrase: _Reading.call,
    SharePhrase: _Reading.share,
    GroupPhrase: _Reading.group,
    ResidualPhrase: _Reading.residual,
    IfPhrase: _Reading.choice,
    ParallelPhrase: _Reading.parallel,
    SidePhrase: _Reading.side,
    LoopPhrase: _Reading.loop,
    ScanPhrase: _Reading.scan,
}


def argument_defaults(phrase: CallPhrase) -> dict[str, Any]:
    """Return the arguments that a call may have, each with what it is where it is left out; a block must be given some.

    Arguments of a block that are what they are by default in all its calls are left out of them.
    """
    if phrase.block is not None:
        params = phrase.block.params
        return {name: None if phrase.block.types[name] == each else each for name, each in params.items()}
    fields = OPS[phrase.word].model_fields
    return {name: None if each.default is PydanticUndefined else each.default for name, each in fields.items()}


def is_number(value: Any) -> bool:
    """Return whether a value may differ between steps of one skeleton: a number or a truth value."""
    return isinstance(value, (int, float))
