"""The levels of a network that are standard blocks, as calls of these."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netspec.diagnostics import Source, SpecError
from netspec.graph import Call
from netspec.importer.standard.bindings import Bindings, same
from netspec.importer.standard.blocks import StandardParameter, standard_blocks
from netspec.importer.standard.matching import BlockMatcher
from netspec.importer.standard.sameness import NoPlainLevel, told_by_level, told_by_phrases
from netspec.importer.write.phrases import BlockPhrase, CallPhrase, GroupPhrase, Phrase, SharePhrase, SpecPhrase
from netspec.importer.write.rooms import everything_in
from netspec.pipeline import compile_loaded, load_source

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
"""The classes whose levels are written with their steps, as their author has."""
NAME = "block"
TINY = 1e-9


def recognise(spec: SpecPhrase) -> set[str]:
    """Put calls of standard blocks in the place of the levels that compute the same with the same keys.

    The names of these blocks are returned.
    """
    everything = [*everything_in(spec.body)]
    again = {each.original for each in everything if isinstance(each, SharePhrase)}
    finder = _BlockFinder(spec.sizes, again)
    spec.body = finder.body(spec.body, "")
    for block in finder.blocks.values():
        alike = [each for each in finder.calls if each.call.block is block]
        for name in block.params:
            settle(name, alike)
    return {*finder.blocks}


class FoundCall(NamedTuple):
    """A call with what its level tells of the arguments, and what each of them would be by default."""

    call: CallPhrase
    told: Mapping[str, Any]
    defaults: Mapping[str, Any]


def settle(name: str, calls: Sequence[FoundCall]) -> None:
    """Give an argument to all calls of a block alike: to none if it is a default wherever it counts.

    Where it does not count, as the activation of layers that are not there, it is what it is in the other calls.
    """
    told = [each.told[name] for each in calls if name in each.told]
    if name == "drop_path" and grows(name, calls):
        return
    if all(same(each.told[name], each.defaults[name]) for each in calls if name in each.told):
        return
    usual = told[0] if all(each == told[0] for each in told) else None
    for each in calls:
        default = each.defaults[name] if usual is None else usual
        each.call.arguments[name] = each.told.get(name, default)


def grows(name: str, calls: Sequence[FoundCall]) -> bool:
    """Let a rate grow from call to call, as it does among those where it counts; return whether it does."""
    last = max((at for at, each in enumerate(calls) if name in each.told), default=0)
    unit = calls[last].told.get(name, 0.0) / last if last else 0.0
    told = [(at, each.told[name]) for at, each in enumerate(calls) if name in each.told]
    if not unit or len(told) < 2 or any(abs(rate - unit * at) > TINY for at, rate in told):
        return False
    for at, each in enumerate(calls):
        each.call.arguments[name] = each.told.get(name, unit * at)
    return True


class _BlockFinder:
    """Finds the blocks. ``again`` are the paths of levels that run once more, which stay as they are."""

    def __init__(self, sizes: Mapping[str, Any], again: set[str]):
        self.sizes = {name: 2 * int(size) + 2 * at for at, (name, size) in enumerate(sizes.items(), 1)}
        self.again = again
        self.matcher = BlockMatcher(self.sizes)
        self.known: dict[Any, bool] = {}
        self.blocks: dict[str, BlockPhrase] = {}
        self.calls: list[FoundCall] = []

    def body(self, body: Sequence[Phrase], path: str) -> list[Phrase]:
        """Return the steps of a level, with calls in place of levels."""
        return [self.phrase(each, path) for each in body]

    def phrase(self, phrase: Phrase, path: str) -> Phrase:
        """Return a step, or the call that it is."""
        if not isinstance(phrase, GroupPhrase):
            return phrase
        path = f"{path}.{phrase.name}" if path else str(phrase.name)
        call = self._call_of(phrase, path)
        if call is not None:
            return call
        phrase.body = self.body(phrase.body, path)
        return phrase

    def _call_of(self, group: GroupPhrase, path: str) -> CallPhrase | None:
        """Return a level as a call of a standard block, if it is one."""
        is_large = len([*everything_in(group.body)]) > 1
        if group.kind.rpartition(".")[2] in CONTAINERS or not group.keyed or not is_large:
            return None
        if any(each == path or each.startswith(f"{path}.") for each in self.again):
            return None
        try:
            wanted = self._told(group)
        except (NoPlainLevel, KeyError):
            return None
        for block in standard_blocks().values():
            for found in self.matcher.readings(group, block):
                if {*found.wires.values()} == {*group.takes} and self._is(group, found, wanted):
                    return self._made(group, found)
        return None

    def _told(self, group: GroupPhrase) -> tuple[int, ...]:
        """Return the hashes of what a level gives."""
        takes = {wire: at for at, wire in enumerate(group.takes)}
        told = told_by_phrases(group.body, takes, f"{NAME}.", self.sizes)
        return tuple(told[wire] for wire in group.results)

    def _is(self, group: GroupPhrase, found: Bindings, wanted: tuple[int, ...]) -> bool:
        """Return whether a block gives the same as a level, where it is called with these arguments."""
        places = {name: group.takes.index(wire) for name, wire in found.wires.items()}
        told = json.dumps([found.block.name, places, said_of(found)], sort_keys=True, default=str)
        inputs = tuple(wire.tensor.at(self.sizes) for wire in group.takes)
        key = told, inputs, wanted
        if key not in self.known:
            self.known[key] = given_by(found, places, inputs)[: len(wanted)] == wanted
        return self.known[key]

    def _made(self, group: GroupPhrase, found: Bindings) -> CallPhrase:
        """Return the call in the place of a level."""
        block = found.block
        if block.name not in self.blocks:
            params = {name: declared(about) for name, about in block.params.items()}
            made = BlockPhrase(block.name, params, tuple(block.inputs), is_standard=True)
            made.usual = {
                name: about.default for name, about in block.params.items() if isinstance(about.default, str)
            }
            made.types = {name: about.type for name, about in block.params.items()}
            self.blocks[block.name] = made
        outside = dict(zip(group.takes, group.reads))
        reads = [outside[found.wires[name]] if name in found.wires else None for name in block.inputs]
        call = CallPhrase(group.name, group.keyed, reads, group.makes, group.place, word=block.name)
        call.block = self.blocks[block.name]
        for wire in call.makes:
            wire.maker = call
        self.calls.append(FoundCall(call, found.values, found.defaults()))
        return call


def said_of(found: Bindings) -> dict[str, Any]:
    """Return the arguments of a call: what is not a default."""
    defaults = found.defaults()
    return {name: value for name, value in found.values.items() if not same(value, defaults[name])}


def declared(about: StandardParameter) -> Any:
    """Return a parameter's type, or its default where that is a plain value."""
    reads_others = isinstance(about.default, str) and (not about.is_text or "{" in about.default)
    return about.type if about.default is None or reads_others else about.default


def given_by(found: Bindings, places: Mapping[str, int], inputs: Sequence[Any]) -> tuple[int, ...]:
    """Return the hashes of what a block gives, called with these arguments; nothing where it refuses them."""
    names = [f"x{at}" for at in range(len(inputs))]
    shapes = {name: {"shape": [*each.shape], "dtype": each.dtype} for name, each in zip(names, inputs)}
    call = {"name": NAME, **{name: names[at] for name, at in places.items()}, **_plain(said_of(found))}
    first = next(iter(found.block.inputs))
    call["from"] = call.pop(first)
    text = json.dumps({"netspec": 1, "name": "it", "inputs": shapes, "network": [{found.block.name: call}]})
    try:
        graph = compile_loaded(load_source(Source("it.yaml", text)))
        step = next(each for each in graph.body.steps if isinstance(each, Call))
        known = {graph.inputs[name]: at for at, name in enumerate(names)}
        told_by_level(graph.body, known, "")
    except (SpecError, NoPlainLevel, KeyError):
        return ()
    return tuple(known[value] for value in step.outputs)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as YAML says them."""
    return {name: [*value] if isinstance(value, tuple) else value for name, value in arguments.items()}
