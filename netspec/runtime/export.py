"""ONNX files: written with a module's weights, checked, then run on onnxruntime and compared with PyTorch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch import nn

from netspec import __version__
from netspec.dims import evaluate_shape
from netspec.elaborate.sizes import other_sizes
from netspec.emit.onnx_file import emit_onnx
from netspec.emit.onnx_write import write_onnx
from netspec.files import replacing
from netspec.graph import Graph, Value

EXTERNAL_ABOVE = 1_500_000_000
TOLERANCE = 1e-4


def export_onnx(graph: Graph, module: nn.Module, path: Path) -> Path:
    """Write the inference graph with the module's weights; ``onnx.checker`` has passed it when this returns.

    Weights above 1.5 GB go to ``<path>.data`` beside it, since an ONNX file holds at most 2 GB.
    """
    weights = {key: _array(tensor) for key, tensor in module.state_dict(keep_vars=True).items()}
    model = emit_onnx(graph, weights, __version__)
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
    """A tensor's memory as numpy sees it; bfloat16, which numpy lacks, through ml_dtypes."""
    held = tensor.detach().cpu().contiguous()
    if held.dtype is torch.bfloat16:
        import ml_dtypes

        return held.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return held.numpy()


@dataclass(frozen=True, slots=True)
class Comparison:
    """PyTorch and onnxruntime on the same input: ``difference`` is max|Δ| / max|y| over all outputs."""

    sizes: Mapping[str, int]
    difference: float


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparisons that an export has passed or failed."""

    comparisons: Sequence[Comparison]
    providers: Sequence[str]

    @property
    def worst(self) -> float:
        return max(each.difference for each in self.comparisons)

    @property
    def agrees(self) -> bool:
        """Whether every difference is a number within the tolerance."""
        return all(each.difference <= TOLERANCE for each in self.comparisons)


def compare_onnx(graph: Graph, module: nn.Module, path: Path, count: int = 3, seed: int = 0) -> Parity:
    """Run the file and the module on random inputs at ``count`` sizes of every symbolic dimension."""
    import onnxruntime

    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=_providers(device))
    training = module.training
    module.eval()
    comparisons = []
    try:
        for sizes in other_sizes(graph, count):
            inputs = example_inputs(graph, sizes, seed)
            with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
                made = module(*(tensor.to(device) for tensor in inputs.values()))
            ours = list(made.values()) if isinstance(made, dict) else [made]
            theirs = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
            pairs = zip((tensor.cpu().double().numpy() for tensor in ours), theirs)
            comparisons.append(Comparison(sizes, max(relative_difference(want, got) for want, got in pairs)))
    finally:
        module.train(training)
    return Parity(comparisons, session.get_providers())


def export_verified(graph: Graph, module: nn.Module, path: Path) -> tuple[Path, Parity]:
    """Export and compare. Where they disagree, the file is kept as ``<name>.rejected.onnx`` and no other is left."""
    export_onnx(graph, module, path)
    parity = compare_onnx(graph, module, path)
    rejected = path.with_suffix(f".rejected{path.suffix}")
    if parity.agrees:
        rejected.unlink(missing_ok=True)
        return path, parity
    path.replace(rejected)
    return rejected, parity


def _providers(device: torch.device) -> list[Any]:
    """CUDA where the module is on it, without TF32, whose ten bits of mantissa would drown the comparison."""
    cuda = [("CUDAExecutionProvider", {"use_tf32": 0})] if device.type == "cuda" else []
    return [*cuda, "CPUExecutionProvider"]


def example_inputs(graph: Graph, sizes: Mapping[str, int], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs at these sizes: standard normal where they are real."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _example(value, sizes, generator) for name, value in graph.inputs.items()}


def _example(value: Value, sizes: Mapping[str, int], generator: torch.Generator) -> torch.Tensor:
    shape, dtype = evaluate_shape(value.shape, sizes), getattr(torch, value.tensor.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(0, 2, shape, generator=generator).to(dtype)


def relative_difference(want: Any, got: Any) -> float:
    """max|want − got| / max|want|; infinite where shapes or finiteness differ."""
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    if want.shape != got.shape or not np.array_equal(np.isfinite(want), np.isfinite(got)):
        return float("inf")
    difference = np.abs(np.nan_to_num(want) - np.nan_to_num(got)).max(initial=0.0)
    return float(difference / max(np.abs(np.nan_to_num(want)).max(initial=0.0), 1e-30))
