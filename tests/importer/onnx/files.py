"""ONNX files for tests, written in ONNX's own text, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import torch
from importer.lower.running import run

from netspec.dims import evaluate_shape
from netspec.importer.capture.onnx import read_onnx
from netspec.importer.lower import lower
from netspec.importer.program import ForeignProgram
from netspec.runtime.onnx.session import open_session


def write(folder: Path, graph: str, weights: Mapping[str, Any] | None = None, opset: int = 21, **fields: Any) -> Path:
    """Write a graph in ONNX's text with these weights; ``fields`` are those of the model."""
    head = f'<ir_version: 10, opset_import: ["" : {opset}]>\n'
    model = onnx.parser.parse_model(head + graph)
    for name, array in (weights or {}).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    for name, value in fields.items():
        setattr(model, name, value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def program_of(path: Path) -> ForeignProgram:
    """Return the program of a file, in ops."""
    return lower(read_onnx(path))


def agrees(path: Path, sizes: Mapping[str, int] | None = None, tolerance: float = 1e-5) -> ForeignProgram:
    """Run a file on onnxruntime, and its program op by op; return the program if they agree at these sizes."""
    program = program_of(path)
    known = {**program.sizes, **(sizes or {})}
    random = np.random.default_rng(0)
    session = open_session(path)
    feeds: dict[str, Any] = {}
    for name, tensor in program.inputs.items():
        shape = evaluate_shape(tensor.shape, known)
        real = "float" in tensor.dtype
        array = random.standard_normal(shape) if real else random.integers(0, 2 if tensor.dtype == "bool" else 4, shape)
        feeds[name] = array.astype(tensor.dtype)
    names = [each.name for each in session.get_inputs()]
    wanted = session.run(None, dict(zip(names, feeds.values())))
    state = {key: torch.from_numpy(np.array(each.constant)) for key, each in program.state.items()}
    made = run(program, state, {name: torch.from_numpy(array) for name, array in feeds.items()})
    for want, have in zip(wanted, made.values()):
        assert want.shape == tuple(have.shape)
        scale = max(float(np.abs(want).max(initial=0)), 1e-30)
        assert float(np.abs(want - have.numpy()).max(initial=0)) <= tolerance * scale
    return program
