"""Symbolic sizes: what a network can run at where the file does not say, and tensors that compute with sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netspec.dims import Dim, evaluate
from netspec.importer.program import ForeignProgram, tensors_of
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

MOST_TIMES = 5
"""The most often that sizes are doubled."""


def enlarge_sizes(program: ForeignProgram) -> None:
    """Double the sizes of the symbolic dimensions, but for a batch's, until no tensor is empty."""
    shapes = {each.shape for step in program.steps for each in tensors_of(step.call.outputs)}
    symbolic = [size for shape in shapes for size in shape if isinstance(size, Dim)]
    batches = {each.shape[0] for each in program.inputs.values() if each.shape}
    sizes = dict(program.sizes)
    for _ in range(MOST_TIMES):
        if all(evaluate(size, sizes) > 0 for size in symbolic if size.symbols <= sizes.keys()):
            program.sizes = sizes
            return
        sizes = {name: size if Dim.symbol(name) in batches else 2 * size for name, size in sizes.items()}


def dtype_of_sizes(kind: str, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> str:
    """Return the dtype in which a node gives sizes."""
    cast = attributes.get("dtype") if kind == "Cast" else None
    read = next((each.dtype for each in inputs if each is not None), "int64")
    return str(np.dtype(cast)) if cast is not None else read


def measured(value: Any, dtype: str, say: Callable[[ForeignCall], None]) -> ForeignTensor:
    """Return a tensor that holds sizes, ``value``, for a node that computes with them; ``say`` adds a call."""

    def made(name: str, shape: tuple[int, ...], **arguments: Any) -> ForeignTensor:
        output = ForeignTensor(shape, dtype if name == "cast" else "int64")
        say(ForeignCall(name, arguments, (output,)))
        return output

    parts = [
        made("arange", (1,), start=size, end=size + 1)
        if isinstance(size, Dim)
        else ForeignTensor((1,), "int64", constant=np.array([size]))
        for size in value.reshape(-1).tolist()
    ]
    whole = parts[0] if len(parts) == 1 else made("cat", (len(parts),), tensors=parts, dim=0)
    if value.shape == ():
        whole = made("squeeze", (), self=whole, dim=0)
    elif value.ndim > 1:
        whole = made("view", value.shape, self=whole, size=[*value.shape])
    return whole if dtype == "int64" else made("cast", value.shape, self=whole, dtype=dtype)
