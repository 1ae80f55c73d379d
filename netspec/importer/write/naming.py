"""References to wires, and the names that steps get because something refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netspec.elaborate.building.reserved import why_reserved
from netspec.importer.write.phrases import (
    BlockPhrase,
    CallPhrase,
    GroupPhrase,
    LoopPhrase,
    Phrase,
    ScanPhrase,
    SharePhrase,
    StepLabel,
    Wire,
)
from netspec.importer.write.rooms import Room, everything_in, fresh_name, label_text, word_of
from netspec.importer.write.scans import name_scans
from netspec.spec import NAME


class Namer:
    """Names what is referred to, where it has no name. It takes another pass to write a name that came late.

    ``homes`` has the room of each phrase that has been written, with the indices of the loops around it there;
    ``anchors`` the names of wires that no step's name means, such as what a residual makes: they are written behind.
    ``originals`` are the paths of the steps that stand somewhere once more.
    """

    def __init__(self) -> None:
        self.homes: dict[Phrase, tuple[Room, tuple[str, ...]]] = {}
        self.positions: dict[Phrase, str] = {}
        self.anchors: dict[Wire, tuple[str, Room]] = {}
        self.entries: dict[Wire, tuple[Room, tuple[str, ...]]] = {}
        self.originals: set[str] = set()
        self.words: set[str] = set()
        self.kept: set[str] = set()  # the names that are keys
        self.shared: frozenset[str] = frozenset()  # the paths of levels that run again, and read nothing by name
        self.late = False

    def start(self, phrases: Iterable[Phrase], inputs: Iterable[str]) -> None:
        """Begin a network or a block, whose names are its own."""
        self.words = {label_text(each.name) for each in everything_in(phrases)} | {*inputs, "prev"}
        self.words |= {name for name, _ in self.anchors.values()}
        self.kept = {label_text(each.name) for each in everything_in(phrases) if each.keyed} | {*inputs}
        self.originals |= {each.original for each in everything_in(phrases) if isinstance(each, SharePhrase)}
        name_scans([each for each in everything_in(phrases) if isinstance(each, ScanPhrase)], self.words)

    def reference(self, wire: Wire, room: Room, wish: str = "") -> str:
        """Return what a wire is called in a room; ``wish`` is a name for its step, where it has none."""
        between: list[Room] = []
        for place in room.around():
            if wire in place.formal:
                return place.formal[wire]
            if wire in self.anchors and self.anchors[wire][1] is place:
                return self.anchors[wire][0]
            if wire in self.entries and self.entries[wire][0] is place:
                return self._anchored(wire, place, self.entries[wire][1])
            if wire in place.entered:
                wire = place.entered[wire]
            elif wire.maker is not None and self.homes.get(wire.maker, (None,))[0] is place:
                return self._made_here(wire, place, between, wish)
            between.append(place)
        raise AssertionError("a wire is made before it is read, in a level around")

    def _made_here(self, wire: Wire, place: Room, between: list[Room], wish: str) -> str:
        """Return the name of a wire that a step of the room ``place`` makes, seen from rooms within it."""
        maker = wire.maker
        assert maker is not None
        loops = self.homes[maker][1]
        if isinstance(maker, LoopPhrase) and wire.is_list:
            return f"{label_text(maker.name)}.{maker.collect}"
        numbered = label_text(maker.name).isdecimal() or (maker.keyed and not maker.name)
        if numbered and (between or len(loops) > 1):  # a number means a step of the level that reads
            return self._anchored(wire, place, loops)
        if not isinstance(
            maker, (CallPhrase, SharePhrase, GroupPhrase, ScanPhrase)
        ):  # a name of a loop would be a level
            return self._anchored(wire, place, loops)
        if between and not maker.name:
            maker.name = self.fresh(maker, place, wish)
        if maker.keyed and is_hidden(label_text(maker.name), between):
            return self._anchored(wire, place, loops)
        return self.path_of(wire, maker, place, wish)

    def path_of(
        self, wire: Wire, maker: CallPhrase | SharePhrase | GroupPhrase | ScanPhrase, place: Room, wish: str = ""
    ) -> str:
        """Return the path to what a step makes, from the room ``place`` that it stands in."""
        if isinstance(maker, GroupPhrase):
            return self._inside(wire, maker, place)
        name, ports = self.name_of(maker, place, wish), output_names(maker)
        return name if wire.port == 0 else f"{name}.{ports[wire.port]}"

    def _inside(self, wire: Wire, group: GroupPhrase, place: Room) -> str:
        """Return the path to what a group makes: the group itself, or a step in it."""
        inner = group.results[wire.port]
        name = self.name_of(group, place)
        if group.body and inner in final_wires(group.body[-1]):
            return name
        room = self.homes[group.body[0]][0]
        return f"{name}.{self.reference(inner, room)}"

    def name_of(self, phrase: Phrase, place: Room, wish: str = "") -> str:
        """Return the name of a step that has been written; it gets one, where it has none."""
        if phrase.name:
            return label_text(phrase.name)
        if phrase.place:
            return label_text(phrase.place)
        if phrase.keyed or (isinstance(phrase, GroupPhrase) and not self.homes[phrase][1]):
            return self.positions[phrase]
        phrase.name = self.fresh(phrase, place, wish)
        return label_text(phrase.name)

    def fresh(self, phrase: Phrase, place: Room, wish: str = "") -> StepLabel:
        """Return a name for a step of a room, which no other step has."""
        word = wish if wish and wish not in self.kept else word_of(phrase)
        name = fresh_name(word, self.words, self.homes[phrase][1])
        self._note(label_text(name), place)
        return name

    def _anchored(self, wire: Wire, place: Room, loops: tuple[str, ...]) -> str:
        """Return the name of a step that passes the wire on, under a name."""
        if wire not in self.anchors:
            name = label_text(fresh_name("x", self.words, loops))
            self.anchors[wire] = name, place
            self._note(name, place)
        return self.anchors[wire][0]

    def _note(self, name: str, place: Room) -> None:
        self.words.add(name)
        place.taken.add(name)
        self.late = True


def is_hidden(name: str, between: Sequence[Room]) -> bool:
    """Return whether a name means another step, in the rooms between the one that it is of and the one that reads it.

    ``between`` has the innermost first. A level that the reader stands in does not yet have its own name there.
    """
    inner = ["", *(room.path.rpartition(".")[2] for room in between)]
    return any(name in room.taken and name != within for room, within in zip(between, inner))


def final_wires(phrase: Phrase) -> list[Wire]:
    """Return the wire that the step after a step reads as ``prev``, in a list that is empty where there is none."""
    if isinstance(phrase, GroupPhrase):
        last = final_wires(phrase.body[-1]) if phrase.body else []
        return [wire for wire, inner in zip(phrase.makes, phrase.results) if inner in last]
    return phrase.makes[:1]


def output_names(phrase: CallPhrase | SharePhrase | ScanPhrase) -> Sequence[str]:
    """Return the names of what a step makes, by which it is read."""
    if isinstance(phrase, ScanPhrase):
        return phrase.ports
    if isinstance(phrase, SharePhrase):
        return tuple(f"output{at or ''}" for at in range(len(phrase.makes)))
    if phrase.block is not None:
        return block_outputs(phrase.block)
    return phrase.ports


def block_outputs(block: BlockPhrase) -> tuple[str, ...]:
    """Return the names of a block's outputs."""
    names: list[str] = []
    for at, wire in enumerate(block.results):
        own = wire.maker.name if at and wire.maker is not None and wire.maker.keyed and wire.port == 0 else ""
        free = isinstance(own, str) and NAME.match(own) and why_reserved(own) is None
        names.append(str(own) if free and own not in (*names, *block.inputs, "output") else f"output{at or ''}")
    return tuple(names)
