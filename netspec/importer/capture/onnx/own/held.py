"""The tensors that an op of netspec's holds, out of what the file has of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netspec.emit.onnx.names import name_in_form, whole
from netspec.importer.capture.onnx.own.notes import NotedOp
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.registry import OPS

COUNTED = "num_batches_tracked"
MOST_PARTS = 3
"""Query, key and value."""


def held_tensors(note: NotedOp, names: Mapping[str, Any]) -> dict[str, ForeignTensor] | None:
    """Return the tensors that an op holds by torch's names; ``None`` where the file lacks one."""
    made: dict[str, ForeignTensor] = {}
    for name, key in note.state.items():
        tensor = names.get(key) or _in_form(key, names)
        if tensor is None and name == COUNTED:
            tensor = ForeignTensor((), "int64", constant=np.zeros((), np.int64))
        if tensor is None:
            tensor = _from_gates(note, name, key.removesuffix(f".{name}"), names)
        if tensor is None or tensor.constant is None:
            return None
        tensor.key = key
        made[name] = tensor
    return made


def _in_form(key: str, names: Mapping[str, Any]) -> ForeignTensor | None:
    """A parameter that the file has transposed, or in parts."""
    there = {name: names.get(name) for name in (name_in_form(key, turned=True), name_in_form(key, 0))}
    parts = (name_in_form(key, at, turned) for turned in (False, True) for at in range(MOST_PARTS))
    there |= {name: names.get(name) for name in parts}
    arrays = {name: each.constant for name, each in there.items() if each is not None and each.constant is not None}
    made = whole(key, arrays)
    return None if made is None else ForeignTensor(made.shape, str(made.dtype), constant=made)


def _from_gates(note: NotedOp, name: str, home: str, names: Mapping[str, Any]) -> ForeignTensor | None:
    """A parameter of a recurrent layer, out of ONNX's, which has the gates in another order."""
    kind: Any = OPS[note.op]
    layer = name.rpartition("_l")[2].partition("_")[0]
    if not hasattr(kind, "torch_parameters") or not layer.isdecimal():
        return None
    found = {letter: names.get(f"{home}.{letter}_l{layer}") for letter in "WRBP"}
    held = {letter: each.constant for letter, each in found.items() if each is not None and each.constant is not None}
    made = kind.torch_parameters(held, int(layer)).get(name) if {"W", "R"} <= held.keys() else None
    return None if made is None else ForeignTensor(made.shape, str(made.dtype), constant=made)
