"""Bodies: phrases as the steps of a spec, in plain lists and mappings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from netspec.importer.write.arguments import block_arguments, main_argument, op_arguments, plain
from netspec.importer.write.layout import Steps
from netspec.importer.write.naming import Namer, final_wires, output_names
from netspec.importer.write.phrases import (
    BlockPhrase,
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
    SharePhrase,
    SidePhrase,
    Wire,
)
from netspec.importer.write.rooms import Room, label_text, phrases_in
from netspec.importer.write.scans import zero_states
from netspec.importer.write.sizes import spell_size
from netspec.ops import OPS
from netspec.spec import STEP_NAME

Prev = Wire | None
ROLES = {"query": "query", "key": "key", "value": "value", "attn_mask": "mask"}
"""The names of steps without one that are read by these ports."""
Said = tuple[str, Any]
"""A step: its word, and what stands under it (``None`` for nothing)."""


class BodyWriter:
    """Writes the bodies of the network and of the blocks."""

    def __init__(self, namer: Namer):
        self.namer = namer
        self.loops: tuple[str, ...] = ()  # the indices of the loops that the level at hand is unrolled in

    def write(self, phrases: Sequence[Phrase], prev: Prev, room: Room) -> Steps:
        """Return the steps of a body, which begins behind ``prev``."""
        steps = Steps()
        if prev in self.namer.anchors and prev in self.namer.entries and self.namer.entries[prev][0] is room:
            self._anchor(prev, room, steps)
        for phrase in phrases:
            self.namer.homes[phrase] = room, self.loops
            word, said = WRITERS[type(phrase)](self, phrase, prev, room)
            steps.append(word if said in (None, {}) else {word: said})
            for wire in phrase.makes:
                if wire in self.namer.anchors:
                    self._anchor(wire, room, steps, phrase)
            prev = after(phrase, prev)
        return steps

    def _anchor(self, wire: Wire, room: Room, steps: Steps, maker: Phrase | None = None) -> None:
        """Write a step that passes a wire on, under the name by which others read it; aside, if it is not the last."""
        name, _ = self.namer.anchors[wire]
        self.namer.anchors[wire] = name, room
        if isinstance(maker, (CallPhrase, SharePhrase, GroupPhrase, ScanPhrase)) and wire not in final_wires(maker):
            steps.append({"side": [{"identity": {"name": name, "from": self.namer.path_of(wire, maker, room)}}]})
        else:
            steps.append({"identity": {"name": name}})
        room.count += 1

    def labelled(self, phrase: Phrase, room: Room) -> dict[str, Any]:
        """Return the name of a step as it is to be written, and count it."""
        position, name = str(room.count), phrase.name
        room.count += 1
        self.namer.positions[phrase] = position
        if name == "" and phrase.place:
            name = phrase.place
        if name == "":
            if phrase.keyed or not room.may_be_taken(position, bool(self.loops)):
                return {}
            name = phrase.name = self.namer.fresh(phrase, room)
        if isinstance(name, NumberedName):
            bare = name.prefix == name.suffix == "" and not room.is_uncertain
            follows = bare and name.at(0) == position and name.step == room.stride
            key = "name" if STEP_NAME.match(name.at(0)) else "state_key"
            return {} if follows else {key: Formula(name.template)}
        if name == position and not self.loops and not room.is_uncertain:
            return {}
        return {"name": name} if isinstance(name, Formula) or STEP_NAME.match(name) else {"state_key": name}

    def _own_name(self, phrase: Phrase) -> str:
        """Return what a level that has been labelled is called in paths."""
        return label_text(phrase.name) or label_text(phrase.place) or self.namer.positions[phrase]

    def source(self, wire: Wire | None, prev: Prev, room: Room) -> dict[str, Any]:
        """Return the `from` of a structure that reads one value."""
        return {} if wire is prev or wire is None else {"from": self.namer.reference(wire, room)}

    def call(self, phrase: CallPhrase, prev: Prev, room: Room) -> Said:
        """Write a call of an op or of a block."""
        block, name = phrase.block, self.labelled(phrase, room)
        reads = self._block_reads(phrase, block, prev, room) if block else self._op_reads(phrase, prev, room)
        word = block.name if block is not None else phrase.word
        arguments = block_arguments(block, phrase.arguments) if block else op_arguments(OPS[word], phrase.arguments)
        if block is None and OPS[word].ports[:1] == ("like",) and not reads and prev is not None:
            arguments = {name: each for name, each in arguments.items() if (name, each) != ("dtype", prev.tensor.dtype)}
        if phrase.keys:
            name = {"state_key": dict(phrase.keys)}
        tied = {name: seen_from(room.path, key) for name, key in phrase.tied.items()}
        ties = {"tie": tied} if tied else {}
        said = {**name, **reads, **arguments, **ties}
        only = next(iter(said.values())) if [*said] == [main_argument(word, block)] else None
        return word, said if only is None or isinstance(only, dict) else only

    def _op_reads(self, phrase: CallPhrase, prev: Prev, room: Room) -> dict[str, Any]:
        """Return the `from` of an op, or its ports by name."""
        kind, reads = OPS[phrase.word], phrase.reads
        if kind.variadic:
            names = [self._name(wire, prev, room) for wire in reads]
            if len(reads) == 1 and reads[0] is not None and reads[0].is_list:
                return {"from": names[0]}
            return (
                {"from": names} if len(reads) > 1 or (phrase.word == "opaque" and names not in ([], ["prev"])) else {}
            )
        given = [(port, wire) for port, wire in zip(kind.ports, reads) if wire is not None]
        if not kind.ports or given == [(kind.ports[0], prev)]:
            return {}
        if len(given) == 1 and given[0][0] == kind.ports[0]:
            return {"from": self._name(given[0][1], prev, room)}
        if any(port in kind.model_fields for port, _ in given):
            return {"from": [self._name(wire, prev, room) for _, wire in given]}
        if given and given[0] == (kind.ports[0], prev):
            given = given[1:]
        return {port: self._name(wire, prev, room, ROLES.get(port, "")) for port, wire in given}

    def _block_reads(self, phrase: CallPhrase, block: BlockPhrase, prev: Prev, room: Room) -> dict[str, Any]:
        given = [(name, wire) for name, wire in zip(block.inputs, phrase.reads) if wire is not None]
        if given and given[0][1] is prev:
            given = given[1:]
        elif len(given) == 1:
            return {"from": self._name(given[0][1], prev, room)}
        return {name: self._name(wire, prev, room) for name, wire in given}

    def _name(self, wire: Wire | None, prev: Prev, room: Room, wish: str = "") -> str:
        assert wire is not None
        return "prev" if wire is prev else self.namer.reference(wire, room, wish)

    def share(self, phrase: SharePhrase, prev: Prev, room: Room) -> Said:
        """Write another step's module once more."""
        name = self.labelled(phrase, room)
        step = self._shared(phrase, room)
        names = [self._name(wire, prev, room) for wire in phrase.reads]
        reads = {} if names in (["prev"], []) else {"from": names[0] if len(names) == 1 else names}
        said = {"step": step, **name, **reads}
        return "share", step if [*said] == ["step"] and not step.isdecimal() else said

    def _shared(self, phrase: SharePhrase, room: Room) -> str:
        """Return the name of the step whose module runs once more, or the path to it."""
        if phrase.step is not None:
            return self.namer.name_of(phrase.step, room)
        return phrase.original.removeprefix(f"{room.path}." if room.path else "")

    def group(self, phrase: GroupPhrase, prev: Prev, room: Room) -> Said:
        """Write a level in its place."""
        name = self.labelled(phrase, room)
        inner = room.child(self._own_name(phrase), phrase.body)
        inner.entered = {inside: outside for inside, outside in zip(phrase.takes, phrase.reads) if outside is not None}
        main = next((at for at, wire in enumerate(phrase.reads) if wire is prev and not phrase.let), 0)
        if inner.path in self.namer.originals and phrase.takes:
            inner.entered.pop(phrase.takes[main], None)  # it is another one where the level stands once more
            self.namer.entries[phrase.takes[main]] = inner, ()
        source = self.source(phrase.reads[main], prev, room) if phrase.reads else {}
        if phrase.takes and inner.path in self.namer.shared:
            self.namer.entries[phrase.takes[main]] = inner, ()
        body = self._inside(phrase.body, phrase.takes[main] if phrase.takes else None, inner)
        if phrase.let:
            body.insert(0, {"let": dict(phrase.let)})
        return "sequential", {**name, **source, "body": body} if name or source else body

    def _inside(self, body: Sequence[Phrase], prev: Prev, room: Room) -> Steps:
        """Write the body of a level, which has names of its own in each iteration of the loops around it."""
        loops, self.loops = self.loops, ()
        made = self.write(body, prev, room)
        self.loops = loops
        return made

    def residual(self, phrase: ResidualPhrase, prev: Prev, room: Room) -> Said:
        """Write a residual, whose steps are those of the level that it stands in."""
        source = self.source(phrase.reads[0], prev, room)
        said: dict[str, Any] = {"body": self._ending(phrase.body, phrase.result, phrase.reads[0], room)}
        if phrase.around:
            said[phrase.around] = self.write(phrase.other, phrase.reads[0], room)
            room.is_uncertain |= phrase.around == "projection"
        said |= {"merge": phrase.merge} if phrase.merge != "add" else {}
        if phrase.drop is not None and (
            rate := op_arguments(OPS["stochastic_depth"], phrase.drop.arguments).get("p", 0.5)
        ):
            said["drop_path"] = rate
        return "residual", {**source, **said} if source or len(said) > 1 else said["body"]

    def _ending(self, phrases: Sequence[Phrase], result: Wire | None, prev: Prev, room: Room) -> Steps:
        steps = self.write(phrases, prev, room)
        last = final_wires(phrases[-1]) if phrases else [prev]
        if result is not None and result not in last:
            steps.append({"identity": {"from": self.namer.reference(result, room)}})
            room.count += 1
        return steps

    def parallel(self, phrase: ParallelPhrase, prev: Prev, room: Room) -> Said:
        """Write branches, each of which is a level unless it is one step."""
        said: dict[str, Any] = self.source(phrase.reads[0], prev, room)
        branches: dict[str, Any] = {}
        for branch in phrase.branches:
            if [each.name for each in branch.body] == [branch.name]:
                (only,) = branch.body
                self.namer.homes[only] = room, self.loops
                kept = only.name, only.keyed, only.place
                only.name, only.keyed, only.place = "", True, ""  # the branch is the step's name
                word, inner = WRITERS[type(only)](self, only, phrase.reads[0], room)
                only.name, only.keyed, only.place = kept
                branches[branch.name] = Steps([word if inner in (None, {}) else {word: inner}])
                continue
            room.count += bool(branch.body)
            inner_room = room.child(branch.name, branch.body)
            branches[branch.name] = self._inside(branch.body, phrase.reads[0], inner_room)
        dim = {} if phrase.dim in (None, _default_dim(phrase.merge)) else {"dim": phrase.dim}
        return "parallel", {**said, "branches": branches, "merge": phrase.merge, **dim}

    def side(self, phrase: SidePhrase, prev: Prev, room: Room) -> Said:
        """Write steps that the main path goes past."""
        source = self.source(phrase.reads[0] if phrase.reads else None, prev, room)
        body = self.write(phrase.body, phrase.reads[0] if phrase.reads else prev, room)
        return "side", {**source, "body": body} if source else body

    def choice(self, phrase: IfPhrase, prev: Prev, room: Room) -> Said:
        """Write steps that are there under a condition; else what they would read is passed on."""
        said: dict[str, Any] = {"test": phrase.has, "then": self.write(phrase.body, prev, room)}
        if phrase.reads[0] is not prev:
            said["else"] = Steps([{"identity": {"from": self.namer.reference(phrase.reads[0], room)}}])  # type: ignore[arg-type]
        room.is_uncertain = True
        return "if", said

    def scan(self, phrase: ScanPhrase, prev: Prev, room: Room) -> Said:
        """Write a scan, whose body is a level of its own."""
        name = self.labelled(phrase, room)
        inner = room.child(self._own_name(phrase), phrase.body) if phrase.is_level else room.beside(phrase.body)
        count = phrase.sequences + phrase.states
        inner.formal = dict(zip(phrase.takes[:count], phrase.names))
        around = zip(phrase.takes[count:], phrase.reads[count:])
        inner.entered = {inside: outside for inside, outside in around if outside is not None}
        firsts = [self._name(wire, prev, room) for wire in phrase.reads[: phrase.sequences]]
        zeros = {*zero_states(phrase)}
        states = [
            _shape(wire) if at in zeros else self._name(wire, prev, room)
            for at, wire in enumerate(phrase.reads[phrase.sequences : count])
        ]
        body = self._inside(phrase.body, phrase.takes[0], inner)
        last = after(phrase.body[-1], None) if phrase.body else None
        made = ["prev" if wire is last else self.namer.reference(wire, inner) for wire in phrase.results]
        collected = dict(zip(phrase.ports, made[: len(made) - phrase.states]))
        said: dict[str, Any] = {**name} if phrase.is_level else {**name, "level": False}
        said["over"] = dict(zip(phrase.names, firsts))
        said |= {"state": dict(zip(phrase.names[phrase.sequences :], states))} if states else {}
        said["body"] = body
        said |= {"next": dict(zip(phrase.names[phrase.sequences :], made[len(collected) :]))} if states else {}
        said |= {"collect": collected} if collected != {"output": "prev"} else {}
        return "scan", said | ({"reverse": True} if phrase.reverse else {})

    def loop(self, phrase: LoopPhrase, prev: Prev, room: Room) -> Said:
        """Write a loop; with a name it is a level, and each iteration is one in it."""
        source = self.source(phrase.reads[0] if phrase.reads else None, prev, room)
        name: dict[str, Any] = {}
        if phrase.name:
            name = self.labelled(phrase, room)
            inner = room.child(label_text(phrase.name), ()).child("0", phrase.body)
            body = self._iteration(phrase, inner)
        else:
            body = self._unrolled(phrase, room)
        collected = {"collect": {phrase.collect: self._of_iteration(phrase)}} if phrase.collect else {}
        index = {"index": phrase.index} if mentions(body, phrase.index) else {}
        if phrase.columns:
            lists = phrase.columns.items()
            each = {word: [*map(plain, rows)] if isinstance(rows, tuple) else rows for word, rows in lists}
            return "for", {**name, **source, "each": each, **index, **collected, "body": body}
        return "repeat", {**name, **source, "count": phrase.count, **index, **collected, "body": body}

    def _of_iteration(self, loop: LoopPhrase) -> str:
        """Return how a loop calls what each of its iterations gives."""
        (only,) = loop.body
        assert isinstance(only, CallPhrase)
        return f"prev.{output_names(only)[loop.port]}" if loop.port else "prev"

    def _iteration(self, phrase: LoopPhrase, room: Room) -> Steps:
        """Write an iteration that is a level; a lone step without a name is the iteration itself."""
        if phrase.entry is not None:
            self.namer.entries[phrase.entry] = room, ()
        return self._inside(phrase.body, phrase.entry, room)

    def _unrolled(self, phrase: LoopPhrase, room: Room) -> Steps:
        """Write an iteration whose steps are those of the level that the loop stands in."""
        self.loops = (*self.loops, phrase.index)
        if phrase.entry is not None:
            self.namer.entries[phrase.entry] = room, self.loops
        first, stride = room.count, room.stride
        room.stride = steps_of(phrase.body)
        made = [phrase.entry, *(wire for each in phrases_in(phrase.body) for wire in each.makes)]
        room.is_uncertain |= any(wire in self.namer.anchors for wire in made)
        body = self.write(phrase.body, phrase.entry, room)
        room.stride = stride
        self.loops = self.loops[:-1]
        room.count = first + (room.count - first) * phrase.turns
        return body


def _shape(wire: Wire | None) -> list[Any]:
    """Return the shape of a state that begins as zeros."""
    assert wire is not None
    return [spell_size(size) for size in wire.tensor.shape]


def seen_from(path: str, key: str) -> str:
    """Return a key as a level at ``path`` refers to it: from the innermost level around both of them on."""
    around, parts = path.split(".") if path else [], key.split(".")
    shared = 0
    while shared < min(len(around), len(parts) - 2) and around[shared] == parts[shared]:
        shared += 1
    return ".".join(parts[shared:])


WRITERS: dict[type[Phrase], Callable[[BodyWriter, Any, Prev, Room], Said]] = {
    CallPhrase: BodyWriter.call,
    SharePhrase: BodyWriter.share,
    GroupPhrase: BodyWriter.group,
    ResidualPhrase: BodyWriter.residual,
    ParallelPhrase: BodyWriter.parallel,
    SidePhrase: BodyWriter.side,
    IfPhrase: BodyWriter.choice,
    LoopPhrase: BodyWriter.loop,
    ScanPhrase: BodyWriter.scan,
}


def after(phrase: Phrase, prev: Prev) -> Prev:
    """Return what the step after a step reads as ``prev``."""
    if isinstance(phrase, SidePhrase):
        return prev
    return next(iter(final_wires(phrase)), None)


def _default_dim(merge: str) -> int | None:
    about = OPS[merge].model_fields.get("dim")
    return None if about is None else about.default


def mentions(said: Any, index: str) -> bool:
    """Return whether expressions in a body read the index of its loop."""
    if isinstance(said, dict):
        return any(mentions(each, index) for each in said.values())
    if isinstance(said, (list, tuple)):
        return any(mentions(each, index) for each in said)
    if not isinstance(said, str):
        return False
    return names_in(said, index)


def names_in(text: str, name: str) -> bool:
    """Return whether a name is a word of a text."""
    return re.search(rf"(?<![\w.]){name}(?!\w)", text) is not None


def steps_of(phrases: Sequence[Phrase]) -> int:
    """Return how many names the steps take in their level."""
    count = 0
    for phrase in phrases:
        if isinstance(phrase, ResidualPhrase):
            count += steps_of(phrase.body) + (steps_of(phrase.other) if phrase.around == "shortcut" else 0)
        elif isinstance(phrase, ParallelPhrase):
            count += sum(bool(branch.body) for branch in phrase.branches)
        elif isinstance(phrase, SidePhrase):
            count += steps_of(phrase.body)
        elif isinstance(phrase, LoopPhrase) and not phrase.name:
            count += phrase.turns * steps_of(phrase.body)
        else:
            count += 1
    return count
