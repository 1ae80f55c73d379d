"""ONNX files: written with a module's weights, and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch import nn

from netspec import __version__
from netspec.emit.onnx_file import emit_onnx
from netspec.emit.onnx_write import write_onnx
from netspec.files import replacing
from netspec.graph import Graph

EXTERNAL_ABOVE = 1_500_000_000


def export_onnx(graph: Graph, module: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Write the inference graph with the module's weights; ``onnx.checker`` has passed it when this returns.

    The file is in float32, whatever the module's precision; ``metadata`` are properties of its own.
    Weights above 1.5 GB go to ``<path>.data`` beside it, since an ONNX file holds at most 2 GB.
    """
    weights = {key: _array(tensor) for key, tensor in module.state_dict(keep_vars=True).items()}
    model = emit_onnx(graph, weights, __version__)
    model.metadata_props.update(metadata or {})
    with replacing(path) as temporary:
        if sum(array.nbytes for array in weights.values()) > EXTERNAL_ABOVE:
            data = Path(f"{path}.data")
            with replacing(data) as temporary_data:
                ir.save(model, temporary, external_data=temporary_data.name)
            _rename_external(temporary, temporary_data.name, data.name)
        else:
            write_onnx(model, temporary)
        onnx.checker.check_model(os.fspath(temporary), full_check=True)
    return path


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
