"""A whole spec: its parts in the order of the language's own files."""

from __future__ import annotations

from typing import Any

from netspec.importer.write.arguments import plain
from netspec.importer.write.body import BodyWriter, after
from netspec.importer.write.layout import Steps, lay_out
from netspec.importer.write.naming import Namer, block_outputs, final_wires
from netspec.importer.write.phrases import BlockPhrase, SharePhrase, SpecPhrase, Wire
from netspec.importer.write.rooms import Room, everything_in, taken_in
from netspec.importer.write.sizes import spell_size

MOST_PASSES = 100


def write(spec: SpecPhrase) -> str:
    """Return the text of a spec. Steps that are referred to get names, where they have none."""
    namer = Namer()
    phrases = [*everything_in(spec.body), *(each for block in spec.blocks for each in everything_in(block.body))]
    namer.shared = frozenset(phrase.original for phrase in phrases if isinstance(phrase, SharePhrase))
    for _ in range(MOST_PASSES):
        namer.late = False
        said = _SpecWriter(spec, namer).said()
        if not namer.late:
            break
    return lay_out(said)


class _SpecWriter:
    """Writes one pass over a spec."""

    def __init__(self, spec: SpecPhrase, namer: Namer):
        self.spec, self.namer = spec, namer
        self.bodies = BodyWriter(namer)

    def said(self) -> dict[str, Any]:
        spec = self.spec
        said: dict[str, Any] = {"netspec": 1, "name": spec.name}
        said |= {"doc": spec.doc} if spec.doc else {}
        said |= {"params": dict(spec.params)} if spec.params else {}
        said |= {"let": {name: plain(value) for name, value in spec.let.items()}} if spec.let else {}
        said |= {"dims": {name: spell_size(size) for name, size in spec.sizes.items()}} if spec.sizes else {}
        said["inputs"] = {name: self._input(name, wire) for name, wire in spec.inputs.items()}
        blocks = {block.name: self._block(block) for block in spec.blocks}
        said |= {"blocks": blocks} if blocks else {}
        self.namer.start(spec.body, spec.inputs)
        room = Room(None, "", {wire: name for name, wire in spec.inputs.items()}, taken_in(spec.body))
        said["network"] = self.bodies.write(spec.body, next(iter(spec.inputs.values()), None), room) or ["identity"]
        said |= self._outputs(room, said["network"])
        return said | ({"expect": dict(spec.expect)} if spec.expect else {})

    def _input(self, name: str, wire: Wire) -> Any:
        shape = [spell_size(size) for size in wire.tensor.shape]
        below = {"below": self.spec.below[name]} if name in self.spec.below else {}
        dtype = {"dtype": wire.tensor.dtype} if wire.tensor.dtype != "float32" else {}
        return {"shape": shape, **dtype, **below} if below or dtype else shape

    def _outputs(self, room: Room, body: Steps) -> dict[str, Any]:
        phrases, outputs = self.spec.body, self.spec.outputs
        last = final_wires(phrases[-1]) if phrases else []
        prev = after(phrases[-1], None) if phrases else None
        if [*outputs] == ["output"] and [*outputs.values()] == last:
            return {}
        names = {
            name: "prev" if wire is prev and not phrases[-1].name else self.namer.reference(wire, room)
            for name, wire in outputs.items()
        }
        return {"outputs": names}

    def _block(self, block: BlockPhrase) -> dict[str, Any]:
        self.namer.start(block.body, block.inputs)
        room = Room(None, "", dict(zip(block.takes, block.inputs)), taken_in(block.body))
        prev = block.takes[0] if block.takes else None
        body = self.bodies.write(block.body, prev, room)
        said: dict[str, Any] = {"doc": block.doc} if block.doc else {}
        said |= {"params": dict(block.params)} if block.params else {}
        said |= {"inputs": list(block.inputs)} if block.inputs != ("input",) else {}
        said |= {"let": dict(block.let)} if block.let else {}
        said["body"] = body
        last = final_wires(block.body[-1]) if block.body else []
        if len(block.results) > 1 or block.results != last[:1]:
            prev = after(block.body[-1], None) if block.body else None
            said["outputs"] = {
                name: "prev" if wire is prev else self.namer.reference(wire, room)
                for name, wire in zip(block_outputs(block), block.results)
            }
        return said
