"""Notes in a file: which op, with which arguments, the nodes from here on are, for who reads them again.

The first node of an op has the note as its metadata ``netspec.op``, in JSON: the op, its arguments where they are not
the defaults, how many nodes it is, the blocks that it stands in, and by name what it reads, what it gives, and the
tensors that it holds. Steps without nodes, such as dropout, are in the metadata of the graph: ``netspec.silent``. What
such a step gives has a name in parentheses, with the file's name of it; outputs of the network may be such values. The
model's metadata has the sizes that costs are quoted at: ``netspec.sizes``. An optimized file has none of
this but ``netspec.optimized``, which says what is gone; one of 16 bits has its dtype in ``netspec.precision``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netspec.dims import Dim, spell
from netspec.emit.onnx.parts import OnnxNode, OnnxValue
from netspec.ops import Op

KEY, SILENT, SIZES = "netspec.op", "netspec.silent", "netspec.sizes"
OPTIMIZED, PRECISION = "netspec.optimized", "netspec.precision"


class OpNote(NamedTuple):
    """An op's nodes, what they read and give, and its tensors' keys by torch's names.

    ``path`` is that of the module that it is, which is an earlier one's where it runs that again; ``step`` is its own.
    ``blocks`` has the blocks of the levels around it, by their paths.
    """

    path: str
    step: str
    nodes: tuple[OnnxNode, ...]
    op: Op
    inputs: Sequence[OnnxValue | None]
    outputs: Sequence[OnnxValue | None]
    state: Mapping[str, str]
    blocks: Mapping[str, str]

    def said(self) -> dict[str, Any]:
        """Return what the note says; the names of values are final by now."""
        kind = type(self.op)
        arguments = {name: getattr(self.op, name) for name in kind.model_fields}
        return {
            "op": kind.name,
            "path": self.path,
            **({"step": self.step} if self.step != self.path else {}),
            **({"blocks": dict(self.blocks)} if self.blocks else {}),
            "arguments": {name: value for name, value in arguments.items() if value != kind.model_fields[name].default},
            "nodes": len(self.nodes),
            "inputs": [None if value is None else value.name for value in self.inputs],
            "outputs": [None if value is None else value.name for value in self.outputs],
            "state": dict(self.state),
        }


def write_notes(notes: Sequence[OpNote]) -> None:
    """Put notes on the first nodes of their ops."""
    for note in notes:
        if note.nodes:
            note.nodes[0].notes[KEY] = _json(note.said())


def silent_notes(
    notes: Sequence[OpNote], aliases: Mapping[OnnxValue, OnnxValue], results: Mapping[str, OnnxValue]
) -> str:
    """Return what a graph's metadata says of the steps without nodes; nothing where it has none.

    ``aliases`` has the values that such steps give, with those of the file; ``results`` the outputs that are such.
    """
    silent = [note.said() for note in notes if not note.nodes]
    names = {alias.name: value.name for alias, value in aliases.items()}
    outputs = {name: value.name for name, value in results.items()}
    return _json({"ops": silent, "values": names, "outputs": outputs}) if silent else ""


def _json(said: Any) -> str:
    return json.dumps(said, default=_size)


def _size(value: Any) -> Any:
    if isinstance(value, Dim):
        return {"size": spell(value)}
    raise TypeError(f"{type(value).__name__} is no argument of an op")
