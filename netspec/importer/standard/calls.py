"""The levels of a network that are standard blocks, as calls of these."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Source, SpecError
from netspec.graph import Call
from netspec.importer.standard.bindings import Bindings, same
from netspec.importer.standard.blocks import StandardBlock, StandardParameter, standard_blocks
from netspec.importer.standard.matching import BlockMatcher
from netspec.importer.standard.sameness import NoPlainLevel, Told, tell_level, tell_phrases
from netspec.importer.write.phrases import BlockPhrase, CallPhrase, GroupPhrase, Phrase, SharePhrase, SpecPhrase
from netspec.importer.write.rooms import everything_in
from netspec.pipeline import compile_loaded, load_source

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
"""The classes whose levels are written with their steps, as their author has."""
NAME = "block"
TINY = 1e-9
MOST_SIZES = 8
"""A number that nothing tells is tried to be one of so many sizes."""


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


@dataclass(eq=False)
class FoundCall:
    """A call with what its level tells of the arguments (``told``), and what each of them would be by default.

    ``fits`` says whether other values would do, too.
    """

    call: CallPhrase
    told: dict[str, Any]
    defaults: Mapping[str, Any]
    fits: Callable[[Mapping[str, Any]], bool]

    def settle(self, name: str, value: Any) -> None:
        """Give an argument, which is its default where its level does not tell it and the value would not do."""
        if name not in self.told:
            tried = {**self.told, name: value}
            self.told[name] = value if self.fits(tried) else self.defaults[name]
        self.call.arguments[name] = self.told[name]


def settle(name: str, calls: Sequence[FoundCall]) -> None:
    """Give an argument to all calls of a block alike: to none if it is a default wherever it counts.

    Where it does not count, as the activation of layers that are not there, it is what it is in the other calls; so a
    rate that grows from call to call does so there.
    """
    told = [each.told[name] for each in calls if name in each.told]
    unit = growth(name, calls) if name == "drop_path" else 0.0
    if not unit and all(same(each.told[name], each.defaults[name]) for each in calls if name in each.told):
        return
    usual = told[0] if all(each == told[0] for each in told) else None
    for at, each in enumerate(calls):
        each.settle(name, unit * at if unit else each.defaults[name] if usual is None else usual)


def growth(name: str, calls: Sequence[FoundCall]) -> float:
    """Return how much a rate grows from call to call, among those where it counts; 0 where it does not."""
    told = [(at, each.told[name]) for at, each in enumerate(calls) if name in each.told]
    last, most = told[-1] if told else (0, 0.0)
    unit = most / last if last else 0.0
    return unit if len(told) > 1 and all(abs(rate - unit * at) < TINY for at, rate in told) else 0.0


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
            for found in self._guessed(group, block):
                if {*found.wires.values()} == {*group.takes} and self._is(group, found, wanted):
                    return self._made(group, found, wanted)
        return None

    def _guessed(self, group: GroupPhrase, block: StandardBlock) -> Iterator[Bindings]:
        """Yield what a level may be as a block; a number that nothing has told is a size of what the level makes."""
        for found in self.matcher.readings(group, block):
            defaults = found.defaults()
            missing = [name for name in block.params if name not in found.values and defaults[name] is None]
            if not missing:
                yield found
            elif len(missing) == 1:
                for size in sizes_in(group):
                    made = found.with_value(missing[0], size)
                    yield from [made] if made is not None else []

    def _told(self, group: GroupPhrase) -> tuple[int, ...]:
        """Return the hashes of what a level gives."""
        told = Told({wire: at for at, wire in enumerate(group.takes)})
        tell_phrases(group.body, told, f"{NAME}.", self.sizes)
        return tuple(told.hashes[wire] for wire in group.results)

    def _is(self, group: GroupPhrase, found: Bindings, wanted: tuple[int, ...]) -> bool:
        """Return whether a block gives the same as a level, where it is called with these arguments."""
        places = {name: group.takes.index(wire) for name, wire in found.wires.items()}
        told = json.dumps([found.block.name, places, said_of(found)], sort_keys=True, default=str)
        inputs = tuple(wire.tensor.at(self.sizes) for wire in group.takes)
        key = told, inputs, wanted
        if key not in self.known:
            self.known[key] = given_by(found, places, inputs)[: len(wanted)] == wanted
        return self.known[key]

    def _fits(self, group: GroupPhrase, found: Bindings, wanted: tuple[int, ...], values: Mapping[str, Any]) -> bool:
        """Return whether a block called with other arguments is still the level."""
        return self._is(group, replace(found, values=values), wanted)

    def _made(self, group: GroupPhrase, found: Bindings, wanted: tuple[int, ...]) -> CallPhrase:
        """Return the call in the place of a level."""
        block = found.block
        if block.name not in self.blocks:
            params = {name: declared(about) for name, about in block.params.items()}
            made = BlockPhrase(block.name, params, tuple(block.inputs), is_standard=True)
            made.usual = {name: about.default for name, about in block.params.items() if isinstance(about.default, str)}
            made.types = {name: about.type for name, about in block.params.items()}
            self.blocks[block.name] = made
        outside = dict(zip(group.takes, group.reads))
        reads = [outside[found.wires[name]] if name in found.wires else None for name in block.inputs]
        call = CallPhrase(group.name, group.keyed, reads, group.makes, group.place, word=block.name)
        call.block = self.blocks[block.name]
        for wire in call.makes:
            wire.maker = call
        fits = functools.partial(self._fits, group, found, wanted)
        self.calls.append(FoundCall(call, {**found.values}, found.defaults(), fits))
        return call


def sizes_in(group: GroupPhrase) -> list[int]:
    """Return the last sizes of what the steps of a level make, the first ones first."""
    sizes = (wire.tensor.shape[-1:] for phrase in group.body for wire in phrase.makes)
    return [*dict.fromkeys(size for shape in sizes for size in shape if isinstance(size, int))][:MOST_SIZES]


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
        told = Told({graph.inputs[name]: at for at, name in enumerate(names)})
        tell_level(graph.body, told, "")
    except (SpecError, NoPlainLevel, KeyError):
        return ()
    return tuple(told.hashes[value] for value in step.outputs)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as YAML says them."""
    return {name: [*value] if isinstance(value, tuple) else value for name, value in arguments.items()}
