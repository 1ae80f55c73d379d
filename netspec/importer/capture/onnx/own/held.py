"""The tensors that an op of netspec's holds, out of what the file has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netspec.importer.capture.onnx.own.notes import NotedOp
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.registry import OPS

COUNTED = "num_batches_tracked"


def held_tensors(note: NotedOp, names: Mapping[str, Any]) -> dict[str, ForeignTensor] | None:
    """Return the tensors that an op holds by torch's names; ``None`` where the file lacks one."""
    made: dict[str, ForeignTensor] = {}
    for name, key in note.state.items():
        tensor = names.get(key)
        if tensor is None and name == COUNTED:
            tensor = ForeignTensor((), "int64", constant=np.zeros((), np.int64))
        if tensor is None:
            tensor = _from_gates(note, name, key.removesuffix(f".{name}"), names)
        if tensor is None or tensor.constant is None:
            return None
        tensor.key = key
        made[name] = tensor
    return made


def _from_gates(note: NotedOp, name: str, home: str, names: Mapping[str, Any]) -> ForeignTensor | None:
    """A parameter of a recurrent layer, out of ONNX's, which has the gates in another order."""
    order: Sequence[int] = getattr(OPS[note.op], "onnx_order", ())
    kind, _, rest = name.rpartition("_l")
    layer, _, reverse = rest.partition("_")
    letter = {"weight_ih": "W", "weight_hh": "R", "bias_ih": "B", "bias_hh": "B"}.get(kind)
    whole = names.get(f"{home}.{letter}_l{layer}")
    if not order or whole is None or whole.constant is None:
        return None
    rows = whole.constant[1 if reverse else 0]
    if letter == "B":
        rows = np.split(rows, 2)[0 if kind == "bias_ih" else 1]
    blocks = np.split(rows, len(order))
    made = np.concatenate([blocks[list(order).index(gate)] for gate in range(len(order))])
    return ForeignTensor(made.shape, str(made.dtype), constant=made)
