"""Notes on the nodes of a file: which op, with which arguments, the nodes from here on are, for who reads them again.

The first node of an op has the note as its metadata ``netspec.op``, in JSON: the op, its arguments where they are not
the defaults, how many nodes it is, the blocks that it stands in, and by name what it reads, what it gives, and the
tensors that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netspec.dims import Dim, spell
from netspec.emit.onnx.parts import OnnxNode, OnnxValue
from netspec.ops import Op

KEY = "netspec.op"


class OpNote(NamedTuple):
    """An op's nodes: the first, how many there are, what they read and give, and its tensors' keys by torch's names.

    ``path`` is that of the module that it is, which is an earlier one's where it runs that again; ``blocks`` has the
    blocks of the levels around it, by their paths.
    """

    path: str
    first: OnnxNode
    length: int
    op: Op
    inputs: Sequence[OnnxValue | None]
    outputs: Sequence[OnnxValue | None]
    state: Mapping[str, str]
    blocks: Mapping[str, str]

    def write(self) -> None:
        """Put the note on its node; the names of values are final by now."""
        kind = type(self.op)
        arguments = {name: getattr(self.op, name) for name in kind.model_fields}
        said = {
            "op": kind.name,
            "path": self.path,
            **({"blocks": dict(self.blocks)} if self.blocks else {}),
            "arguments": {name: value for name, value in arguments.items() if value != kind.model_fields[name].default},
            "nodes": self.length,
            "inputs": [None if value is None else value.name for value in self.inputs],
            "outputs": [None if value is None else value.name for value in self.outputs],
            "state": dict(self.state),
        }
        self.first.notes[KEY] = json.dumps(said, default=_size)


def _size(value: Any) -> Any:
    if isinstance(value, Dim):
        return {"size": spell(value)}
    raise TypeError(f"{type(value).__name__} is no argument of an op")
