"""Rows of layers that each give something to one step behind them, such as a sum of all: a loop that collects it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from netspec.importer.fold.loops.runs import RunFinder
from netspec.importer.fold.positions import drop_positions
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, LoopPhrase, Phrase, SpecPhrase, Wire
from netspec.importer.write.rooms import everything_in
from netspec.ops import OPS

LEAST = 3
"""Fewer values are named one by one."""


class CollectedRow(NamedTuple):
    """The output ``port`` of each layer in a level, all of which ``reader`` reads, from its input ``first`` on."""

    port: int
    reader: CallPhrase
    first: int


def collects(spec: SpecPhrase, group: GroupPhrase) -> CollectedRow | None:
    """Return what the steps of a level give, if one step of the network reads it of all, in their order."""
    count = len(group.body)
    can_be_loop = isinstance(group.name, str) and group.name.isidentifier() and len(group.takes) == 1 and not group.let
    if count < LEAST or not can_be_loop or group not in spec.body:
        return None
    if not all(isinstance(each, GroupPhrase) and each.keyed for each in group.body):
        return None
    given = dict(zip(group.results, group.makes))
    uses = Counter(wire for phrase in everything_in(spec.body) for wire in phrase.reads if wire is not None)
    uses.update(spec.outputs.values())
    for port in range(len(group.body[0].makes)):
        wires = [each.makes[port] if port < len(each.makes) else None for each in group.body]
        outer = [given.get(wire) if wire is not None else None for wire in wires]
        others = [wire for wire in group.results if wire not in wires]
        if any(wire is None or uses[wire] != 1 for wire in outer) or others not in ([], group.body[-1].makes[:1]):
            continue
        for reader in spec.body:
            if isinstance(reader, CallPhrase) and outer[0] in reader.reads and OPS[reader.word].variadic:
                first = reader.reads.index(outer[0])
                if reader.reads[first : first + count] == outer:
                    return CollectedRow(port, reader, first)
    return None


def collect(group: GroupPhrase, row: CollectedRow, letter: Callable[[], str]) -> bool:
    """Make a level one loop that collects what its steps give; return whether it is one."""
    drop_positions(group.body)
    finder = RunFinder(group.body, [], letter)
    if not finder.is_one_run() or any(each.name for each in group.body):
        return False
    count, (port, reader, first) = len(group.body), row
    last = group.body[-1]
    one = group.body[0].makes[port]
    maker = group.body[0].results[port].maker  # type: ignore[attr-defined]
    outer = dict(zip(group.results, group.makes))
    (loop,) = finder.find()
    assert isinstance(loop, LoopPhrase)
    loop.collect, loop.port = _name(maker), port
    loop.makes = [loop.makes[0], Wire(one.tensor, loop, 1, True)]
    group.body, group.results = [loop], [*loop.makes]
    final = outer.get(last.makes[0]) if port else None
    group.makes = [final or Wire(loop.makes[0].tensor, group), Wire(one.tensor, group, 1, True)]
    reader.reads[first : first + count] = [group.makes[1]]
    return True


def _name(maker: Phrase | None) -> str:
    name = maker.name if maker is not None and maker.keyed else ""
    return f"{name}s" if isinstance(name, str) and name.isidentifier() else "outputs"
