"""ONNX files: written with a module's weights, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from netspec.emit.onnx.ends import OnnxEnds
from netspec.emit.onnx.graph import emit_onnx
from netspec.emit.onnx.notes import OPTIMIZED
from netspec.emit.onnx.runtimes import ANY_FORM, OnnxForm
from netspec.emit.onnx.write import check_onnx, write_beside, write_onnx
from netspec.files import is_stream, put, temporary_beside
from netspec.graph import Graph
from netspec.runtime.onnx.exported_op import exported_op
from netspec.version import __version__

EXTERNAL_ABOVE = 1_500_000_000
OPTIMIZED_EXTERNAL_ABOVE = 10_000_000
"""Bytes of weights that go beside a file: runtimes map them, rather than copy them twice, as they do those in a file of
one piece.
"""
PRODUCER, HEAD = b"netspec", 64
"""Who has written a file stands within its first bytes."""


def export_onnx(
    graph: Graph,
    module: nn.Module,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    form: OnnxForm = ANY_FORM,
    ends: OnnxEnds | None = None,
) -> Path:
    """Write the inference graph with the module's weights; ``onnx.checker`` has passed it when this returns.

    The file is in float32, whatever the module's precision; ``metadata`` are properties of its own, and ``ends`` has
    nodes in front of the network and behind it. Raises ``EnvironmentFault`` where the network needs a later opset than
    that of ``form``.
    Weights above 1.5 GB go to ``<path>.data`` beside it, since an ONNX file holds at most 2 GB; those of an optimized
    file above 10 MB, since it is loaded sooner so.
    """
    with exported(graph, module, path, metadata, form, ends) as temporary:
        put_model(temporary, path)
    return path


@contextmanager
def exported(
    graph: Graph,
    module: nn.Module,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    form: OnnxForm = ANY_FORM,
    ends: OnnxEnds | None = None,
) -> Iterator[Path]:
    """A checked ONNX file under a temporary name beside ``path``, for ``put_model``; else it is removed at the end."""
    weights = {key: _array(tensor) for key, tensor in module.state_dict(keep_vars=True).items()}
    model = emit_onnx(graph, weights, __version__, exported_op, metadata, form, ends)
    with temporary_beside(path) as temporary:
        try:
            check_onnx(model)
            if sum(array.nbytes for array in weights.values()) > _most_inside(path, form):
                write_beside(model, temporary, data_of(temporary), _transposed)
            else:
                write_onnx(model, temporary, _transposed)
            yield temporary
        finally:
            data_of(temporary).unlink(missing_ok=True)


def put_model(temporary: Path, path: Path) -> None:
    """Have an exported file take the place of ``path``, and of weights beside that, with those that lie beside it."""
    data, replaced = data_of(temporary), is_own(path)
    if data.is_file():
        _rename_external(temporary, data.name, data_of(path).name)
        path.unlink(missing_ok=True)  # a kill leaves no file, rather than the old one with the new weights
        put(data, data_of(path))
        put(temporary, path)
        return
    put(temporary, path)
    if replaced:
        data_of(path).unlink(missing_ok=True)


def removed_from(path: Path) -> str:
    """Return what was removed from a file that was optimized."""
    properties = onnx.load(path, load_external_data=False).metadata_props
    return next((each.value for each in properties if each.key == OPTIMIZED), "")


def remove_model(path: Path) -> None:
    """Remove an ONNX file that netspec has written, with the weights beside it; another one stays."""
    if not path.is_symlink() and is_own(path):
        path.unlink()
        data_of(path).unlink(missing_ok=True)


def is_own(path: Path) -> bool:
    """Return whether a path is an ONNX file that netspec has written."""
    if is_stream(path) or not path.is_file():
        return False
    with path.open("rb") as file:
        return PRODUCER in file.read(HEAD)


def data_of(path: Path) -> Path:
    """Return the path of the weights beside an ONNX file that is too large to hold them."""
    return path.with_name(f"{path.name}.data")


def size_of(path: Path) -> int:
    """Return the bytes of an ONNX file, with the weights beside it."""
    data = data_of(path)
    return path.stat().st_size + (data.stat().st_size if data.is_file() else 0)


def _most_inside(path: Path, form: OnnxForm) -> int:
    """Return the most bytes of weights that stand in the file itself."""
    one_file = is_stream(path) or (form.runtime is not None and form.runtime.one_file)
    return OPTIMIZED_EXTERNAL_ABOVE if form.optimized and not one_file else EXTERNAL_ABOVE


def _rename_external(path: Path, old: str, new: str) -> None:
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value == old:
                entry.value = new
    onnx.save(model, path)


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as numpy sees it; real numbers as float32, which is what the graph is written in."""
    held = tensor.detach().cpu().contiguous()
    return (held.float() if held.is_floating_point() else held).numpy()


def _transposed(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix in C's order, copied by torch, which is two or three times as fast at it as NumPy."""
    if matrix.dtype != np.float32:  # such as onnx's bfloat16, of which torch knows nothing
        return np.ascontiguousarray(matrix)
    copied: np.ndarray = torch.from_numpy(matrix).contiguous().numpy()
    return copied
