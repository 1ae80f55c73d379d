"""Runs an ONNX file on onnxruntime and holds it against PyTorch."""

from __future__ import annotations

import copy
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.dims import evaluate, evaluate_shape
from netspec.elaborate.sizes import other_sizes
from netspec.graph import Graph, Value, walk
from netspec.ops.base import HALVES, Numbers
from netspec.runtime.export import export_onnx

TOLERANCE = 1e-4
TELLING = 1e-4
ROUNDINGS = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """PyTorch and onnxruntime on the same input: ``difference`` is max|Δ| / max|y| over all outputs.

    ``rounding`` is the same measure between PyTorch's float32 and its float64, where it was needed: a deep network may
    amplify rounding beyond any fixed tolerance, and then two right answers differ by as much.
    """

    sizes: Mapping[str, int]
    difference: float
    rounding: float = 0.0
    tolerance: float = TOLERANCE

    @property
    def agrees(self) -> bool:
        return math.isfinite(self.difference) and self.difference <= max(self.tolerance, ROUNDINGS * self.rounding)


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparisons that an export has passed or failed.

    ``probed`` says that the weights were scaled for them, as the module's own make an output that hardly depends on
    the input, or overflows: nothing could be told from that.
    """

    comparisons: Sequence[Comparison]
    providers: Sequence[str]
    probed: bool = False

    @property
    def worst(self) -> float:
        return max(each.difference for each in self.comparisons)

    @property
    def tolerance(self) -> float:
        """The difference that would do."""
        return max(each.tolerance for each in self.comparisons)

    @property
    def agrees(self) -> bool:
        """Whether every difference is within the tolerance."""
        return all(each.agrees for each in self.comparisons)


def export_verified(graph: Graph, module: nn.Module, path: Path) -> tuple[Path, Parity]:
    """Export and compare. Where they disagree, the file is kept as ``<name>.rejected.onnx`` and no other is left."""
    export_onnx(graph, module, path)
    parity = verify_onnx(graph, module, path)
    rejected = path.with_suffix(f".rejected{path.suffix}")
    if parity.agrees:
        rejected.unlink(missing_ok=True)
        return path, parity
    path.replace(rejected)
    return rejected, parity


def verify_onnx(graph: Graph, module: nn.Module, path: Path, count: int = 3) -> Parity:
    """Compare at ``count`` sizes of every symbolic dimension, with weights from which something can be told."""
    if is_telling(graph, module):
        return compare_onnx(graph, module, path, count)
    with tempfile.TemporaryDirectory() as folder:
        probe = probing_copy(graph, module)
        parity = compare_onnx(graph, probe, export_onnx(graph, probe, Path(folder) / "probe.onnx"), count)
    return Parity(parity.comparisons, parity.providers, probed=True)


def is_telling(graph: Graph, module: nn.Module) -> bool:
    """Whether the module's outputs are finite and differ between two inputs by more than rounding does."""
    sizes = other_sizes(graph, 2)[-1]
    first, second = (run(module, example_inputs(graph, sizes, seed)) for seed in (0, 1))
    for one, other in zip(first, second):
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            return False
        if np.abs(one - other).max(initial=0.0) <= TELLING * np.abs(one).max(initial=0.0):
            return False
    return True


def probing_copy(graph: Graph, module: nn.Module) -> nn.Module:
    """A copy whose layers keep the scale of what passes through them.

    In one forward pass each weighted layer is divided by the standard deviation of what it makes (Mishkin and Matas
    2016), and batch norms take the statistics of the batch. What runs in training only stays as it is.
    """
    probe = copy.deepcopy(module).eval()

    def rescale(layer: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        scale = output.std() + 1e-12
        if not scale.isfinite():
            return output
        for parameter in layer.parameters(recurse=False):
            parameter.data /= scale
        return output / scale

    hooks = []
    for layer in probe.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train().momentum = None
        elif isinstance(getattr(layer, "weight", None), nn.Parameter) and layer.weight.dim() > 1:  # type: ignore[operator]
            hooks.append(layer.register_forward_hook(rescale))
    sizes = dict(graph.sizes)
    sizes.update((name, size + 4) for name, size in sizes.items() if any(name in each for each in _batches(graph)))
    inputs = example_inputs(graph, sizes)
    with torch.no_grad():
        probe(*(tensor.to(_device(probe)) for tensor in inputs.values()))
    for hook in hooks:
        hook.remove()
    return probe.eval()


def _batches(graph: Graph) -> list[frozenset[str]]:
    return [getattr(size, "symbols", frozenset()) for value in graph.inputs.values() for size in value.shape[:1]]


def compare_onnx(graph: Graph, module: nn.Module, path: Path, count: int = 3, seed: int = 0) -> Parity:
    """Run the file and the module on random inputs at ``count`` sizes of every symbolic dimension."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=_providers(_device(module)))
    comparisons, tolerance = [], tolerance_of(graph)
    for sizes in other_sizes(graph, count):
        inputs = example_inputs(graph, sizes, seed)
        theirs = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        ours = run(module, inputs)
        difference = largest_difference(ours, theirs)
        rounding = (
            largest_difference(run(copy.deepcopy(module).double(), inputs), ours) if difference > tolerance else 0.0
        )
        comparisons.append(Comparison(sizes, difference, rounding, tolerance))
    return Parity(comparisons, session.get_providers())


def tolerance_of(graph: Graph) -> float:
    """What two right answers may differ by: a few roundings of the coarsest dtype that something is computed in."""
    made = (value.tensor.dtype for _, step, _ in walk(graph.body) for value in (*step.inputs, *step.outputs))
    halves = [torch.finfo(getattr(torch, dtype)).eps for dtype in {*made} if dtype in HALVES]
    return max([TOLERANCE, *(ROUNDINGS / 2 * each for each in halves)])


def run(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> list[np.ndarray]:
    """The module's outputs for inference, as float64 arrays; without TF32 on CUDA, as for onnxruntime."""
    training, device = module.training, _device(module)
    module.eval()
    try:
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            made = module(*(_as_taken(tensor, module).to(device) for tensor in inputs.values()))
    finally:
        module.train(training)
    outputs = list(made.values()) if isinstance(made, dict) else [made]
    return [tensor.detach().cpu().double().numpy() for tensor in outputs]


def _device(module: nn.Module) -> torch.device:
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


def _providers(device: torch.device) -> list[Any]:
    """CUDA where the module is on it, without TF32, whose ten bits of mantissa would drown the comparison."""
    cuda = [("CUDAExecutionProvider", {"use_tf32": 0})] if device.type == "cuda" else []
    return [*cuda, "CPUExecutionProvider"]


def example_inputs(graph: Graph, sizes: Mapping[str, int], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs at these sizes: standard normal where they are real, numbers that the ops take where whole."""
    generator = torch.Generator().manual_seed(seed)
    anything = Numbers()
    return {
        name: _example(value, sizes, graph.numbers.get(name, anything), generator)
        for name, value in graph.inputs.items()
    }


def _example(value: Value, sizes: Mapping[str, int], numbers: Numbers, generator: torch.Generator) -> torch.Tensor:
    shape, dtype = evaluate_shape(value.shape, sizes), getattr(torch, value.tensor.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    least = evaluate(numbers.least, sizes)
    below = 2 if dtype == torch.bool or numbers.below is None else evaluate(numbers.below, sizes)
    made = torch.randint(least, below, shape, generator=generator)
    if numbers.first is not None:
        made[..., :1] = numbers.first
    return made.to(dtype)


def _as_taken(tensor: torch.Tensor, module: nn.Module) -> torch.Tensor:
    """A real input in the precision of the module's parameters."""
    held = next((parameter.dtype for parameter in module.parameters()), tensor.dtype)
    return tensor.to(held) if tensor.dtype.is_floating_point else tensor


def largest_difference(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The largest relative difference over all outputs."""
    return max(relative_difference(want, got) for want, got in zip(ours, theirs))


def relative_difference(want: Any, got: Any) -> float:
    """max|want − got| / max|want|; infinite where the shapes differ, or where one alone is not finite.

    What is no number to both, such as the logarithm of a negative one, or the same infinity, is no difference.
    """
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    if want.shape != got.shape:
        return float("inf")
    finite = np.isfinite(want)
    if not (finite == np.isfinite(got)).all() or not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return float("inf")
    difference = np.abs(want[finite] - got[finite]).max(initial=0.0)
    return float(difference / max(np.abs(want[finite]).max(initial=0.0), 1e-30))
