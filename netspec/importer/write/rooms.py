"""The levels of the text while it is written: which names are taken, and what a wire is called from where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netspec.elaborate.building.reserved import why_reserved
from netspec.importer.write.phrases import (
    CallPhrase,
    Formula,
    GroupPhrase,
    IfPhrase,
    LoopPhrase,
    NumberedName,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    ScanPhrase,
    SidePhrase,
    StepLabel,
    Wire,
)


class Room:
    """A level in the text. ``path`` is its own in the whole network, ``formal`` the names of its declared inputs.

    ``is_uncertain`` says that the number of steps so far depends on whether a projection is needed.
    ``places`` are the positions that are names.
    ``count`` is the number of names that its steps have taken, ``stride`` that of an iteration of the loop at hand;
    ``entered`` has, for its inputs, the wires around it.
    """

    def __init__(self, parent: Room | None, path: str, formal: dict[Wire, str], taken: set[str]):
        self.parent, self.path, self.formal, self.taken = parent, path, formal, taken
        self.entered: dict[Wire, Wire] = {}
        self.count = 0
        self.stride = 0
        self.is_uncertain = False
        self.places: set[str] = set()

    def child(self, name: str, phrases: Sequence[Phrase]) -> Room:
        """Return the room of a level inside this one."""
        made = Room(self, f"{self.path}.{name}" if self.path else name, {}, taken_in(phrases))
        made.places = {each.place for each in phrases_in(phrases) if isinstance(each.place, str)}
        return made

    def beside(self, phrases: Sequence[Phrase]) -> Room:
        """Return the room of a body whose steps have the keys of this one's."""
        made = self.child("", phrases)
        made.path = self.path
        return made

    def may_be_taken(self, position: str, looped: bool) -> bool:
        """Return whether another step may have the number of a step's place for a name; in a loop it has several."""
        templates = any(name.startswith("{") for name in self.taken)
        if position in self.taken or position in self.places or templates:
            return True
        names = self.taken if looped and not self.is_uncertain else self.taken | self.places
        return (looped or self.is_uncertain) and any(name.isdecimal() for name in names)

    def around(self) -> Iterator[Room]:
        """Yield the room and those that it stands in."""
        room: Room | None = self
        while room is not None:
            yield room
            room = room.parent


def phrases_in(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    """Yield phrases, and those in their structures that stand in the same level."""
    for phrase in phrases:
        yield phrase
        if isinstance(phrase, ResidualPhrase):
            yield from phrases_in(phrase.body)
            yield from phrases_in(phrase.other)
        elif isinstance(phrase, (SidePhrase, LoopPhrase, IfPhrase)) and not phrase.name:
            yield from phrases_in(phrase.body)


def everything_in(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    """Yield phrases, and those in their structures and levels."""
    for phrase in phrases:
        yield phrase
        if isinstance(phrase, ResidualPhrase):
            yield from everything_in(phrase.body)
            yield from everything_in(phrase.other)
            yield from everything_in([phrase.drop] if phrase.drop else [])
        elif isinstance(phrase, ParallelPhrase):
            for branch in phrase.branches:
                yield from everything_in(branch.body)
        elif isinstance(phrase, (SidePhrase, LoopPhrase, GroupPhrase, ScanPhrase, IfPhrase)):
            yield from everything_in(phrase.body)


def groups_in(body: Sequence[Phrase], looped: bool) -> Iterator[tuple[GroupPhrase, bool]]:
    """Yield the levels that stand in a body, and whether in a loop."""
    for phrase in body:
        if isinstance(phrase, GroupPhrase):
            yield phrase, looped
        elif isinstance(phrase, ResidualPhrase):
            yield from groups_in([*phrase.body, *phrase.other], looped)
        elif isinstance(phrase, ParallelPhrase):
            for branch in phrase.branches:
                yield from groups_in(branch.body, looped)
        elif isinstance(phrase, (SidePhrase, ScanPhrase, IfPhrase)):
            yield from groups_in(phrase.body, looped)
        elif isinstance(phrase, LoopPhrase):
            yield from groups_in(phrase.body, True)


def steps_in(phrases: Iterable[Phrase]) -> Iterator[Phrase]:
    """Yield phrases, and those in their structures, but not those in levels."""
    for phrase in phrases:
        yield phrase
        if isinstance(phrase, ResidualPhrase):
            yield from steps_in([*phrase.body, *phrase.other])
        elif isinstance(phrase, ParallelPhrase):
            yield from steps_in(step for branch in phrase.branches for step in branch.body)
        elif isinstance(phrase, (SidePhrase, LoopPhrase, ScanPhrase, IfPhrase)):
            yield from steps_in(phrase.body)


def taken_in(phrases: Iterable[Phrase]) -> set[str]:
    """Return the names that the steps of a level have, in whatever iteration."""
    taken: set[str] = set()
    for phrase in phrases_in(phrases):
        if isinstance(phrase.name, NumberedName):
            taken.add(phrase.name.template)
        else:
            taken.add(phrase.name)
        if isinstance(phrase, ParallelPhrase):
            taken.update(branch.name for branch in phrase.branches)
    return taken - {""}


def label_text(name: StepLabel) -> str:
    """Return a name as a reference writes it in the same iteration."""
    return name.template if isinstance(name, NumberedName) else name


def word_of(phrase: Phrase) -> str:
    """Return a name that tells what a step does, without a number."""
    if isinstance(phrase, CallPhrase):
        return phrase.block.name if phrase.block is not None else phrase.word
    return "scan" if isinstance(phrase, ScanPhrase) else "x"


def fresh_name(word: str, taken: Iterable[str], loops: tuple[str, ...]) -> StepLabel:
    """Return a name that none of ``taken`` is, a template in the loops with these indices."""
    base = word if why_reserved(word) is None else f"{word}_"
    known = {*taken}
    number = 0
    while True:
        stem = f"{base}_{number}" if number else base
        name = Formula(stem + "_".join(f"{{{index}}}" for index in loops)) if loops else stem
        if name not in known:
            return name
        number += 1
