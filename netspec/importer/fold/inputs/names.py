"""The names of the inputs of blocks: what they are read as in the block, or what all its calls give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netspec.elaborate.building.reserved import why_reserved
from netspec.importer.write.phrases import BlockPhrase, CallPhrase, GroupPhrase, IfPhrase, Phrase, SpecPhrase, Wire
from netspec.importer.write.rooms import everything_in, taken_in
from netspec.ops import OPS
from netspec.spec import NAME

PORTS = {"attn_mask": "mask", "key_padding_mask": "mask"}
"""The names of inputs that are read by these ports."""
GENERAL = ("input", "other", "like", "from")
"""The ports that tell nothing."""
KEYS = ("k", "v", "key", "value", "k_proj", "v_proj", "kv", "to_k", "to_v", "to_kv", "key_proj", "value_proj")
"""The names of layers of attention that read what it goes to."""


def name_inputs(spec: SpecPhrase) -> None:
    """Give names to the inputs of blocks, from the second on; the inner blocks come first."""
    bodies = [(spec.body, dict(zip(spec.inputs.values(), spec.inputs)))]
    bodies += [(block.body, {}) for block in spec.blocks]
    for block in spec.blocks:
        names = [block.inputs[0]] if block.inputs else []
        taken = {*block.params, *block.let, *spec.params, *spec.let, *spec.sizes, *map(str, taken_in(block.body))}
        for at, wire in enumerate(block.takes[1:], 1):
            found = {*_read_as(block, wire)} or {*_given(block, at, bodies)}
            name = next(iter(found)) if len(found) == 1 else ""
            free = NAME.match(name) and why_reserved(name) is None and name not in taken and name not in names
            names.append(name if free else block.inputs[at])
        block.inputs = tuple(names)


def _read_as(block: BlockPhrase, wire: Wire) -> Iterator[str]:
    """Yield the names that say what an input is, of the ports that it is read by; layers of attention read a memory."""
    same = {wire}  # the wire itself, in levels that read it, and what an `if` makes in its place
    for phrase in everything_in(block.body):
        if isinstance(phrase, IfPhrase) and phrase.reads[0] in same:
            same.add(phrase.makes[0])
        elif isinstance(phrase, GroupPhrase):
            same.update(take for take, read in zip(phrase.takes, phrase.reads) if read in same)
        for at, read in enumerate(phrase.reads):
            if read in same and isinstance(phrase, CallPhrase):
                ports = phrase.block.inputs if phrase.block is not None else OPS[phrase.word].ports
                port = ports[at] if at < len(ports) else ""
                if phrase.word == "linear" and phrase.name in KEYS:
                    yield "memory"
                elif port and port not in GENERAL and not port.startswith("input"):
                    yield PORTS.get(port, port)


def _given(block: BlockPhrase, at: int, bodies: list[tuple[list[Phrase], dict[Wire, str]]]) -> Iterator[str]:
    """Yield the names of what the calls of a block give it."""
    for body, inputs in bodies:
        for phrase, inside in _calls(body, inputs):
            wire = phrase.reads[at] if phrase.block is block else None
            if wire is not None:
                yield inside.get(wire) or _name_of(wire)


def _calls(body: list[Phrase], inputs: Mapping[Wire, str]) -> Iterator[tuple[CallPhrase, Mapping[Wire, str]]]:
    known = dict(inputs)
    for phrase in everything_in(body):
        if isinstance(phrase, GroupPhrase):
            pairs = ((take, read) for take, read in zip(phrase.takes, phrase.reads) if read is not None)
            known.update((take, known.get(read) or _name_of(read)) for take, read in pairs)
        elif isinstance(phrase, CallPhrase):
            yield phrase, known


def _name_of(wire: Wire) -> str:
    maker = wire.maker
    return maker.name if maker is not None and isinstance(maker.name, str) and wire.port == 0 else ""
