"""A level held against the body of a standard block, step by step: which arguments would make the one of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from netspec.dims import evaluate_shape
from netspec.importer.standard.bindings import Bindings
from netspec.importer.standard.blocks import StandardBlock, is_name, standard_blocks
from netspec.importer.standard.sameness import VIEWS, op_of
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase, Wire
from netspec.ops import OPS
from netspec.ops.core.arguments import text_rule

PASSED = (*VIEWS, "identity", "dropout", "stochastic_depth", "parameter")
"""The ops that a level may have where the block says none, and the other way round."""
WORKED_OUT = ("constant", "arange", "cast", "scale", "shift", "add", "divide", "exp", "transpose", "not_equal")
"""The ops that a block says constants by: they may have been worked out where a level is read."""
CALL_KEYS = ("name", "from", "init", "state_key", "freeze")
MOST_TRIED = 20_000
"""A level is held against a block in no more steps."""

Place = tuple[int, Bindings]
"""The number of the level's steps that have been gone past, and what they have told."""


class Gone(NamedTuple):
    """A level that is being gone through: its steps, and the wires outside for those inside it."""

    phrases: Sequence[Phrase]
    outside: Mapping[Wire, Wire]

    def wire(self, inside: Wire | None) -> Wire | None:
        """Return a wire as the whole level has it."""
        return None if inside is None else self.outside.get(inside, inside)


class BlockMatcher:
    """Holds levels against standard blocks; ``sizes`` are those of symbolic dimensions."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self.tried = 0

    def readings(self, group: GroupPhrase, block: StandardBlock) -> Iterator[Bindings]:
        """Yield what a block's parameters and inputs may be, so that it is a level; what is a default may be absent."""
        if not group.takes or not group.takes[0].tensor.shape:
            return
        self.tried = 0
        level = Gone(group.body, {})
        for first in group.takes:
            start = Bindings(block, self.shape(first), wires={next(iter(block.inputs)): first}, prev=first)
            start = replace(start, let={name: (text, start.shape) for name, text in block.let.items()})
            for at, found in self._body(block.body, level, (0, start)):
                if all(_passes(phrase) for phrase in group.body[at:]):
                    yield found

    def shape(self, wire: Wire) -> tuple[int, ...]:
        """Return the sizes of a wire."""
        return evaluate_shape(wire.tensor.shape, self.sizes)

    def _body(self, steps: Sequence[Any], level: Gone, place: Place) -> Iterator[Place]:
        self.tried += 1
        if self.tried > MOST_TRIED:
            return
        if not steps:
            yield place
            return
        for after in self._step(steps[0], level, place):
            yield from self._body(steps[1:], level, after)

    def _step(self, step: Any, level: Gone, place: Place) -> Iterator[Place]:
        word, said = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if word in STRUCTURES:
            yield from STRUCTURES[word](self, said, level, place)
        elif word.startswith("$"):
            yield from self._chosen(word[1:], said, level, place)
        elif word in standard_blocks():
            yield from self._inner(standard_blocks()[word], said, level, place)
        elif word == "parameter":
            yield from self._parameter(said, level, place)
        elif word in OPS:
            yield from self._call(word, said, level, place)

    def _let(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        at, known = place
        shape = self.shape(known.prev) if known.prev is not None else known.shape
        yield at, replace(known, let={**known.let, **{name: (text, shape) for name, text in said.items()}})

    def _choice(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        at, known = place
        shape = self.shape(known.prev) if known.prev is not None else known.shape
        for holds, steps in ((True, said["then"]), (False, said.get("else", []))):
            for each in known.assumed(said["test"], holds, shape):
                yield from self._body(steps, level, (at, each))

    def _residual(self, said: Any, level: Gone, place: Place) -> Iterator[Place]:
        about = said if isinstance(said, dict) else {"body": said}
        merge = about.get("merge", "add")
        for inner in self._body(about["body"], level, place):
            for other in self._around(about, level, inner):
                for dropped in self._dropped(about.get("drop_path", 0.0), level, other):
                    yield from self._call(merge, {}, level, dropped)

    def _around(self, about: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind a projection, and before it, as it may not be needed."""
        if "projection" in about:
            yield from self._body(about["projection"], level, place)
        yield from self._body(about["shortcut"], level, place) if "shortcut" in about else [place]

    def _dropped(self, rate: Any, level: Gone, place: Place) -> Iterator[Place]:
        at, known = place
        phrase = level.phrases[at] if at < len(level.phrases) else None
        if isinstance(phrase, CallPhrase) and phrase.word == "stochastic_depth":
            for each in known.told(rate, float(phrase.arguments.get("p", 0.5)), known.shape):
                yield at + 1, each
            return
        for each in known.told(rate, 0.0, known.shape):
            yield at, each

    def _group(self, said: Any, level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind a level, whose steps stand in its place where it is none."""
        about = said if isinstance(said, dict) else {"body": said}
        at, known = place
        phrase = level.phrases[at] if at < len(level.phrases) else None
        if not isinstance(phrase, GroupPhrase):
            yield from self._body(about["body"], level, place)
            return
        inner = Gone(phrase.body, self._wires_inside(phrase, level))
        told = self._told_source(about, known, level.wire(phrase.reads[0]) if phrase.reads else None)
        if told is None:
            return
        entered = replace(told, prev=phrase.takes[0] if phrase.takes else None)
        for end, found in self._body(about["body"], inner, (0, entered)):
            if all(_passes(each) for each in phrase.body[end:]):
                yield at + 1, replace(found, prev=phrase.makes[0] if phrase.makes else None)

    def _repeat(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind iterations, in a level of their own where they have keys; the most of them first."""
        at, known = place
        phrase = level.phrases[at] if at < len(level.phrases) else None
        if not isinstance(phrase, GroupPhrase) or not said.get("name"):
            yield from self._iterations(said, level, place)
            return
        inner = Gone(phrase.body, self._wires_inside(phrase, level))
        entered = replace(known, prev=phrase.takes[0] if phrase.takes else None)
        for end, found in self._iterations(said, inner, (0, entered)):
            if end == len(phrase.body):
                yield at + 1, replace(found, prev=phrase.makes[0])

    def _iterations(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        waiting, count = [place], 0
        made: list[tuple[int, Place]] = []
        while waiting:
            made += [(count, each) for each in waiting]
            count += 1
            waiting = [after for each in waiting for after in self._iteration(said, level, each) if after[0] > each[0]]
        for count, (at, known) in reversed(made):
            for each in known.told(said["count"], count, known.shape):
                yield at, each

    def _iteration(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind an iteration, which is a level if it has several steps."""
        at, _ = place
        phrase = level.phrases[at] if at < len(level.phrases) else None
        if isinstance(phrase, GroupPhrase) and str(phrase.name).isdecimal():
            found = [*self._group(said["body"], level, place)]
            if found:
                yield from found
                return
        yield from self._body(said["body"], level, place)

    def _wires_inside(self, group: GroupPhrase, level: Gone) -> dict[Wire, Wire]:
        outside = ((take, level.wire(read)) for take, read in zip(group.takes, group.reads))
        return {take: wire for take, wire in outside if wire is not None}

    def _told_source(self, about: Mapping[str, Any], known: Bindings, read: Wire | None) -> Bindings | None:
        """Return the bindings with what a step reads, if that is an input of the block by its name."""
        name = about.get("from")
        return known.with_wire(name, read) if is_name(name) and name in known.block.inputs else known

    def _inner(self, block: StandardBlock, said: Any, level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind a level that is another standard block."""
        at, known = place
        phrase = level.phrases[at] if at < len(level.phrases) else None
        if not isinstance(phrase, GroupPhrase):
            return
        about = said if isinstance(said, dict) else {next(iter(block.params)): said}
        shape = self.shape(phrase.takes[0]) if phrase.takes else ()
        for found in self.readings(phrase, block):
            values = {**found.defaults(), **found.values}
            wires = {name: level.wire(_read(phrase, wire)) for name, wire in found.wires.items()}
            start: Bindings | None = self._told_source(about, known, wires.get(next(iter(block.inputs))))
            for name in block.inputs:
                if start is not None and about.get(name) in known.block.inputs:
                    start = start.with_wire(about[name], wires.get(name))
            if start is None:
                continue
            arguments = {name: each for name, each in about.items() if name in block.params}
            texts = {name for name in arguments if block.params[name].is_text}
            for each in self._told(arguments, texts, values, shape, start):
                yield at + 1, replace(each, prev=phrase.makes[0])

    def _chosen(self, name: str, said: Any, level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind an op that a parameter names."""
        at, known = place
        if name in known.values:
            yield from self._step({known.values[name]: said}, level, place)
            return
        for skipped, phrase in self._from(level, at):
            if isinstance(phrase, CallPhrase) and phrase.block is None and not phrase.word.startswith("stochastic"):
                made = known.with_value(name, phrase.word)
                if made is not None:
                    yield from self._call(phrase.word, said, level, (skipped, made))
                return

    def _from(self, level: Gone, at: int) -> Iterator[tuple[int, Phrase]]:
        """Yield the steps from a place on, as far as those before them do nothing that counts."""
        while at < len(level.phrases):
            yield at, level.phrases[at]
            if not _passes(level.phrases[at]):
                return
            at += 1

    def _call(self, word: str, said: Any, level: Gone, place: Place) -> Iterator[Place]:
        """Yield the places behind a call of an op."""
        at, known = place
        about = said if isinstance(said, dict) else {OPS[word].main: said}
        found = False
        for where, phrase in self._from(level, at):
            if isinstance(phrase, CallPhrase) and phrase.word == word and phrase.block is None:
                for each in self._told_call(about, phrase, level, known):
                    found = True
                    yield where + 1, replace(each, prev=phrase.makes[0])
        if word in PASSED or (word in WORKED_OUT and not found):
            rate = about.get("p")
            for each in known.told(rate, 0.0, known.shape) if rate is not None else [known]:
                yield at, each

    def _parameter(self, said: Mapping[str, Any], level: Gone, place: Place) -> Iterator[Place]:
        """Yield the place at hand with what a parameter tells, which may stand anywhere before it is read."""
        at, known = place
        for phrase in level.phrases:
            if isinstance(phrase, CallPhrase) and phrase.word == "parameter" and phrase.name == said["name"]:
                shape = self.shape(known.prev) if known.prev is not None else known.shape
                for each in known.told(said["shape"], phrase.arguments.get("shape"), shape):
                    yield at, each

    def _told_call(
        self, about: Mapping[Any, Any], phrase: CallPhrase, level: Gone, known: Bindings
    ) -> Iterator[Bindings]:
        op = op_of(phrase).with_sizes(self.sizes)
        kind = type(op)
        made = self._told_reads(about, phrase, level, known)
        if made is None:
            return
        read = phrase.reads[0] if phrase.reads else known.prev
        shape = self.shape(read) if read is not None else ()
        arguments = {name: each for name, each in about.items() if name in kind.model_fields}
        values = {name: getattr(op, name) for name in kind.model_fields}
        texts = {name for name in arguments if text_rule(kind, name).any}
        yield from self._told(arguments, texts, values, shape, made)

    def _told_reads(
        self, about: Mapping[str, Any], phrase: CallPhrase, level: Gone, known: Bindings
    ) -> Bindings | None:
        """Return the bindings with the inputs that a step reads by their names."""
        made: Bindings | None = known
        if isinstance(about.get("from"), str) and phrase.reads:
            made = self._told_source(about, known, level.wire(phrase.reads[0]))
        for port, read in zip(OPS[phrase.word].ports, phrase.reads):
            name = about.get(port)
            if made is not None and is_name(name) and name in known.block.inputs:
                optional = read is None and known.block.inputs[name]
                made = made if optional else made.with_wire(name, level.wire(read))
        return made

    def _told(
        self,
        said: Mapping[str, Any],
        texts: set[str],
        values: Mapping[str, Any],
        shape: Sequence[int],
        known: Bindings,
    ) -> Iterator[Bindings]:
        """Yield the bindings under which all arguments are what a level has: lone names tell first."""
        order = sorted(said, key=lambda name: not is_name(said[name]))
        waiting = [known]
        for name in order:
            text, value = said[name], values.get(name)
            if name in texts:
                waiting = [made for each in waiting for made in _told_text(each, text, value)]
            else:
                waiting = [made for each in waiting for made in each.told(text, value, shape)]
        yield from waiting


def _told_text(known: Bindings, said: Any, value: Any) -> Iterator[Bindings]:
    """Yield the bindings under which a text, or what it names in braces, is a value."""
    name = said[1:-1] if isinstance(said, str) and said[:1] == "{" else ""
    if name in known.block.params:
        yield from filter(None, [known.with_value(name, value)])
    elif said == value or name:
        yield known


def _read(group: GroupPhrase, inside: Wire) -> Wire | None:
    """Return what a level reads as one of its inputs."""
    return group.reads[group.takes.index(inside)] if inside in group.takes else None


def _passes(phrase: Phrase) -> bool:
    return isinstance(phrase, CallPhrase) and phrase.word in (*PASSED, "constant")


STRUCTURES: dict[str, Callable[[BlockMatcher, Any, Gone, Place], Iterator[Place]]] = {
    "let": BlockMatcher._let,
    "if": BlockMatcher._choice,
    "residual": BlockMatcher._residual,
    "sequential": BlockMatcher._group,
    "repeat": BlockMatcher._repeat,
}
