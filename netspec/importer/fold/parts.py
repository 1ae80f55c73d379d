"""Steps that some levels of a class have and others lack, as the last layer of a row: they stand under an ``if``."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from netspec.importer.fold.classes import CONTAINERS, kind_of
from netspec.importer.fold.inputs.merged import form_of
from netspec.importer.fold.structure import RESIDUAL
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, IfPhrase, Phrase, Wire


class LevelPart(NamedTuple):
    """The steps of a full level from ``start`` to ``end``, which others lack.

    Wires go by their numbers in the full level: ``result`` is what is read of the part, ``instead`` what the others
    read in its place, and ``entries`` are what the part reads.
    """

    start: int
    end: int
    result: int
    instead: int
    entries: tuple[int, ...]


def find_parts(ranks: Sequence[Sequence[GroupPhrase]]) -> None:
    """Put an ``if`` around the steps that some levels of a class have, and others lack; the inner levels come first."""
    wider: set[GroupPhrase] = set()
    for groups in ranks:
        by_kind: dict[str, list[GroupPhrase]] = {}
        for group in groups:
            if all(isinstance(each, (CallPhrase, GroupPhrase, IfPhrase)) for each in group.body):
                by_kind.setdefault(_plain_kind(group.kind), []).append(group)
        for kind, members in by_kind.items():
            if kind not in CONTAINERS and len({len(group.body) for group in members}) == 2:
                wider |= {*_divide(members)}
            if wider:
                _pass_on(members, wider)


def _plain_kind(kind: str) -> str:
    """Return what to call a class, without what it has that others lack: ``Layer`` of ``LayerWithBias``."""
    return re.sub(r"(?<=[a-z])With[A-Z]\w*$", "", kind_of(kind))


def _divide(members: Sequence[GroupPhrase]) -> Sequence[GroupPhrase]:
    """Put an ``if`` into the levels of a class, if the long ones have the same steps more than the short ones.

    Returns the levels that give more then than they did.
    """
    most = max(len(group.body) for group in members)
    full = [group for group in members if len(group.body) == most]
    short = [group for group in members if len(group.body) < most]
    if len({_whole(group) for group in full}) > 1:
        return []
    found = [_lacking(full, group) for group in short]
    if None in found or len({each[0] for each in found if each}) > 1:
        return []
    pairs = [each for each in found if each is not None]
    part = pairs[0][0]
    if _is_shortcut(full[0], part) or not any(each.keyed for each in full[0].body[part.start : part.end]):
        return []
    wires = [dict(enumerate(_wires(group))) for group in full] + [known for _, known in pairs]
    given = [[_number(known, wire) for wire in group.results] for group, known in zip([*full, *short], wires)]
    if not any(part.instead in numbers for numbers in given[: len(full)]):  # what they give ends with the part
        given = [[part.result if number == part.instead else number for number in numbers] for numbers in given]
    for group, known in zip(full, wires):
        _put_around(group, part, known)
    for group, known in zip(short, wires[len(full) :]):
        _put_nothing(group, full[0], part, known)
    for group in members:
        group.kind = min((each.kind for each in members), key=len)
    return _give_alike([*full, *short], wires, given)


def _is_shortcut(group: GroupPhrase, part: LevelPart) -> bool:
    """Return whether a part is what a residual calls its projection or its shortcut."""
    result = _wires(group)[part.result]
    readers = [phrase for phrase in group.body if result in phrase.reads]
    merged = all(isinstance(each, CallPhrase) and each.word in RESIDUAL for each in readers)
    return bool(readers) and merged and part.entries == (part.instead,)


def _whole(group: GroupPhrase) -> Hashable:
    return tuple(_codes(group, group.body)), len(group.takes)


def _wires(group: GroupPhrase) -> list[Wire]:
    """Return the wires of a level in the order of their numbers: what it takes, then what its steps make."""
    return [*group.takes, *(wire for phrase in group.body for wire in phrase.makes)]


def _number(known: Mapping[int, Wire], wire: Wire) -> int:
    return next((number for number, each in known.items() if each is wire), -1)


def _codes(group: GroupPhrase, body: Sequence[Phrase]) -> Iterator[Hashable]:
    """Yield what each step is, and the numbers of what it reads."""
    numbers = {wire: number for number, wire in enumerate(_wires(group))}
    for phrase in body:
        yield form_of(phrase), tuple(-1 if wire is None else numbers[wire] for wire in phrase.reads)


def _lacking(full: Sequence[GroupPhrase], short: GroupPhrase) -> tuple[LevelPart, dict[int, Wire]] | None:
    """Return what a level lacks of others, and its wires by their numbers; ``None`` if it differs in more."""
    ours, theirs = [form_of(each) for each in short.body], [form_of(each) for each in full[0].body]
    more = len(theirs) - len(ours)
    for start in range(len(ours), -1, -1):
        if ours[:start] == theirs[:start] and ours[start:] == theirs[start + more :]:
            found = _matched(full[0], short, start, start + more)
            if found is None and _split_inputs(full, short, start, start + more):
                found = _matched(full[0], short, start, start + more)
            if found is not None:
                return found
    return None


def _split_inputs(full: Sequence[GroupPhrase], short: GroupPhrase, start: int, end: int) -> bool:
    """Give levels two inputs for one where another reads two, as attention to itself and to a memory."""
    aligned = [*zip(short.body[:start], range(start)), *zip(short.body[start:], range(end, len(full[0].body)))]
    meant: dict[Wire, Wire] = {}
    for one, at in aligned:
        for mine, their in zip(one.reads, full[0].body[at].reads):
            if mine in short.takes and their in full[0].takes and meant.setdefault(mine, their) is not their:
                return False
    inputs = [full[0].takes.index(their) for their in meant.values()]
    if len({*inputs}) == len(inputs):
        return False
    for group in full:
        own: dict[Wire, Wire] = {}
        made: list[list[Wire]] = [[] for _ in group.takes]
        for mine, number in zip(meant, inputs):
            own[mine] = Wire(group.takes[number].tensor) if made[number] else group.takes[number]
            made[number].append(own[mine])
        for one, at in aligned:
            step = group.body[at]
            step.reads = [own.get(mine, their) if mine else their for mine, their in zip(one.reads, step.reads)]
        wires = [wires or [take] for wires, take in zip(made, group.takes)]
        group.reads = [read for each, read in zip(wires, group.reads) for _ in each]
        group.takes = [wire for each in wires for wire in each]
    return True


def _matched(full: GroupPhrase, short: GroupPhrase, start: int, end: int) -> tuple[LevelPart, dict[int, Wire]] | None:
    """Return the part between two steps, if everything else reads the same in both levels."""
    numbers = {wire: number for number, wire in enumerate(_wires(full))}
    steps = full.body[start:end]
    made = {wire for phrase in steps for wire in phrase.makes}
    result = steps[-1].makes[0]
    known: dict[int, Wire] = {}
    instead: set[Wire] = set()
    for one, other in [*zip(short.body[:start], full.body[:start]), *zip(short.body[start:], full.body[end:])]:
        for mine, their in zip(one.reads, other.reads):
            if mine is None or their is None:
                if mine is not their:
                    return None
            elif their is result:
                instead.add(mine)
            elif their in made or known.setdefault(numbers[their], mine) is not mine:
                return None
        known.update((numbers[their], mine) for mine, their in zip(one.makes, other.makes))
    if not instead and start == len(short.body) and start:
        instead = {*short.body[-1].makes[:1]}
    if len(instead) != 1:
        return None
    (passed,) = instead
    left = [wire for wire in full.takes if numbers[wire] not in known]
    if passed not in known.values() and passed in short.takes and len(left) == 1:
        known[numbers[left[0]]] = passed
    entries = [*dict.fromkeys(numbers[wire] for each in steps for wire in each.reads if wire and wire not in made)]
    told = {*known.values()}
    if passed not in told or len(told) < len(known) or not {*known}.issuperset(entries):
        return None
    if any(numbers[wire] not in known for wire in full.takes) or not told.issuperset(short.takes):
        return None
    if passed.tensor.dtype != result.tensor.dtype or any(wire in made and wire is not result for wire in full.results):
        return None
    return LevelPart(start, end, numbers[result], _number(known, passed), tuple(entries)), known


def _put_around(group: GroupPhrase, part: LevelPart, known: Mapping[int, Wire]) -> None:
    """Put an ``if`` around a level's own steps."""
    steps = group.body[part.start : part.end]
    result = known[part.result]
    inner = Wire(result.tensor, steps[-1])
    steps[-1].makes = [inner, *steps[-1].makes[1:]]
    reads = [*dict.fromkeys(known[number] for number in (part.instead, *part.entries))]
    result.maker = IfPhrase(reads=[*reads], makes=[result], body=steps, result=inner, has=True)
    group.body[part.start : part.end] = [result.maker]


def _put_nothing(group: GroupPhrase, full: GroupPhrase, part: LevelPart, known: dict[int, Wire]) -> None:
    """Put an ``if`` without steps where a level lacks those of another, and its inputs into the other's order."""
    passed = known[part.instead]
    reads = [*dict.fromkeys(known[number] for number in (part.instead, *part.entries))]
    made = IfPhrase(reads=[*reads], makes=[Wire(passed.tensor)], result=passed, has=False)
    made.makes[0].maker = made
    known[part.result] = made.makes[0]
    (result,) = full.body[part.start].makes
    for one, other in zip(group.body[part.start :], full.body[part.start + 1 :]):
        one.reads = [made.makes[0] if their is result else mine for mine, their in zip(one.reads, other.reads)]
    group.body.insert(part.start, made)
    outside = dict(zip(group.takes, group.reads))
    group.takes = [known[number] for number in range(len(full.takes))]
    group.reads = [outside[wire] for wire in group.takes]


def _give_alike(
    members: Sequence[GroupPhrase], wires: Sequence[Mapping[int, Wire]], given: Sequence[Sequence[int]]
) -> list[GroupPhrase]:
    """Let all levels give what any of them does; return those that give more then."""
    order = [*dict.fromkeys(number for numbers in given for number in numbers)]
    widened = []
    for group, known, numbers in zip(members, wires, given):
        makes = dict(zip(numbers, group.makes))
        group.results = [known[number] for number in order]
        group.makes = [makes.get(number) or Wire(known[number].tensor, group) for number in order]
        for port, wire in enumerate(group.makes):
            wire.port = port
        if len(order) > len(numbers):
            widened.append(group)
    return widened


def _pass_on(members: Sequence[GroupPhrase], wider: set[GroupPhrase]) -> None:
    """Let levels around those that give more pass it on, where other levels that do the same pass it on."""
    alike: dict[Hashable, list[GroupPhrase]] = {}
    for group in members:
        alike.setdefault(_whole(group), []).append(group)
    for same in alike.values():
        wires = [dict(enumerate(_wires(group))) for group in same]
        given = [[_number(known, wire) for wire in group.results] for group, known in zip(same, wires)]
        order = [*dict.fromkeys(number for numbers in given for number in numbers)]
        missing = [known[number] for known, numbers in zip(wires, given) for number in order if number not in numbers]
        if missing and all(wire.maker in wider for wire in missing):
            wider |= {*_give_alike(same, wires, given)}
