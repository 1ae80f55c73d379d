"""The inputs of a network that options name files of: ``FILE.npz``, or ``NAME=FILE.npy``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zipfile import BadZipFile

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.dims import Dim, evaluate_shape, symbols
from netspec.elaborate.state.requirements import explain, holds
from netspec.graph import Graph
from netspec.runtime.onnx.given import listed


def given_arrays(texts: Sequence[str], graph: Graph, option: str) -> dict[str, Tensor]:
    """Return the inputs of a network that the files of an option hold. Raises ``UsageError`` where they do not fit."""
    held = read_arrays(texts, [*graph.inputs], option)
    missing = [name for name, value in graph.inputs.items() if name not in held and not value.optional]
    unknown = [name for name in held if name not in graph.inputs]
    if missing or unknown:
        wrong = f"`{unknown[0]}` is no input" if unknown else f"`{missing[0]}` is missing"
        raise UsageError(f"{option}: {wrong}: {graph.name} has the inputs {', '.join(graph.inputs)}")
    made = {}
    for name, value in graph.inputs.items():
        if name in held:
            made[name] = torch.from_numpy(held[name]).to(getattr(torch, value.tensor.dtype))
    check_inputs(graph, made, option)
    return made


def check_inputs(graph: Graph, inputs: Mapping[str, Tensor], origin: str) -> None:
    """Raise ``UsageError`` where a network cannot take these inputs, which have this origin."""
    sizes: dict[str, int] = {}
    for name, value in graph.inputs.items():
        if name in inputs and len(value.shape) == inputs[name].dim():
            for size, own in zip(value.shape, inputs[name].shape):
                if isinstance(size, Dim) and size == Dim.symbol(str(size)):
                    sizes.setdefault(str(size), own)
    taken = {name: value.shape for name, value in graph.inputs.items() if name in inputs or not value.optional}
    fits = set(taken) == set(inputs) and all(
        symbols(shape) <= set(sizes) and evaluate_shape(shape, sizes) == tuple(inputs[name].shape)
        for name, shape in taken.items()
    )
    if not fits:
        given = listed({name: [*each.shape] for name, each in inputs.items()})
        raise UsageError(f"{graph.name} takes {listed(taken)}, and {origin} gives {given}")
    sizes = {**graph.sizes, **sizes}
    unmet = [each for each in graph.requirements if not each.training and not holds(each, sizes)]
    if unmet:
        raise UsageError(f"{origin}: {unmet[0].reason}: {explain(unmet[0], sizes)}")


def read_arrays(texts: Sequence[str], names: Sequence[str], option: str) -> dict[str, Any]:
    """Return the arrays of ``FILE.npz``, ``NAME=FILE.npy`` or, for one input, ``FILE.npy``. Raises ``UsageError``."""
    import numpy as np

    held: dict[str, Any] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        path = file if equals else text
        try:
            found = np.load(path, allow_pickle=False)
            if isinstance(found, np.ndarray):
                if not equals and len(names) != 1:
                    raise UsageError(f"{option} {text}: there are {', '.join(names)}: write {names[0]}={text}")
                held[name if equals else names[0]] = found
            else:
                held.update({each: found[each] for each in found.files})
        except (OSError, ValueError, EOFError, BadZipFile) as reason:
            raise UsageError(f"{option}: {path} is no .npy or .npz file that can be read: {reason}") from None
    other = next((name for name, each in held.items() if each.dtype.kind not in "biuf"), None)
    if other is not None:
        raise UsageError(f"{option}: `{other}` holds {held[other].dtype}, and no real or whole numbers")
    return held
