"""Runs an ONNX file on onnxruntime and holds it against PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.analysis.above_one import is_above_one
from netspec.analysis.memory import Memory
from netspec.dims import evaluate, evaluate_shape
from netspec.elaborate.passes.sizes import first_that_fit, other_sizes, small_sizes
from netspec.elaborate.state.requirements import holds
from netspec.graph import Graph, Value, walk
from netspec.ops import HALVES, InputRange
from netspec.runtime.export import exported, put_model, remove_model
from netspec.runtime.machine import free_memory, need_memory
from netspec.runtime.session import loaded_runtime, open_session

TOLERANCE = 1e-4
TELLING = 1e-4
ROUNDINGS = 8
ALL_ROUNDING = 0.1
"""How large the rounding of an output is, as a part of it, that says nothing else."""
NOISE = 1e-6
"""A share of the largest number that rounding alone may bring about."""

OFF_CENTRE = 100.0
"""The mean of inputs that are not centred."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """PyTorch and onnxruntime on the same input: ``difference`` is max|Δ| / max|y| over all outputs.

    ``rounding`` is the same measure between PyTorch's float32 and its float64, where it was needed: a deep network may
    amplify rounding beyond any fixed tolerance, and then two right answers differ by as much. ``undefined`` says that
    both gave the same infinities, or no numbers, in the same places; where that is all they gave, nothing is compared.
    ``mean`` is that of the real inputs: sums of squares may lose all their digits where it is large.
    """

    sizes: Mapping[str, int]
    difference: float
    rounding: float = 0.0
    tolerance: float = TOLERANCE
    undefined: bool = False
    mean: float = 0.0

    @property
    def agrees(self) -> bool:
        return math.isfinite(self.difference) and self.difference <= max(self.tolerance, ROUNDINGS * self.rounding)


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparisons that an export has passed or failed; ``module`` is what was compared.

    ``probed`` says that the weights were scaled for them, as the module's own make an output that hardly depends on
    the input, or overflows: nothing could be told from that. ``telling`` is false where their output does no more.
    ``positive`` says that the inputs were drawn from 0 to 1, as of numbers on both sides of 0 the outputs are not
    defined.
    """

    comparisons: Sequence[Comparison]
    providers: Sequence[str]
    module: nn.Module
    probed: bool = False
    telling: bool = True
    positive: bool = False

    @property
    def worst(self) -> float:
        return max((each.difference for each in self.comparisons if not math.isnan(each.difference)), default=math.nan)

    @property
    def undefined(self) -> bool:
        """Return whether both gave what is no number, or infinite, in the same places."""
        return any(each.undefined for each in self.comparisons)

    @property
    def compared(self) -> bool:
        """Return whether there was a number to compare in every comparison."""
        return not any(math.isnan(each.difference) for each in self.comparisons)

    @property
    def is_rounding(self) -> bool:
        """Return whether an output is nothing but rounding, as zeros are that are the difference of equal numbers."""
        return any(each.rounding > ALL_ROUNDING for each in self.comparisons)

    @property
    def tolerance(self) -> float:
        """The difference that would do."""
        return max(each.tolerance for each in self.comparisons)

    @property
    def agrees(self) -> bool:
        """Return whether every difference is within the tolerance."""
        return all(each.agrees for each in self.comparisons)


def export_verified(
    graph: Graph, module: nn.Module, path: Path, metadata: Mapping[str, str] | None = None
) -> tuple[Path, Parity]:
    """Export and compare, before the file takes its place; ``metadata`` are properties of its own.

    Where they disagree, it is kept as ``<name>.rejected.onnx`` and no other is left.
    """
    loaded_runtime()  # before anything is written, as is what follows
    tried = affordable(graph)
    with exported(graph, module, path, metadata) as temporary:
        parity = verify_onnx(tried, module, temporary)
        rejected = path.with_suffix(f".rejected{path.suffix}")
        kept, other = (path, rejected) if parity.agrees else (rejected, path)
        put_model(temporary, kept)
        remove_model(other)
    return kept, parity


def verify_onnx(graph: Graph, module: nn.Module, path: Path, count: int = 3) -> Parity:
    """Compare at ``count`` sizes of every symbolic dimension, with weights from which something can be told.

    Inputs that do not say in what range they lie are on both sides of 0, unless only outputs of positive ones are
    defined.
    """
    if is_telling(graph, module, other_sizes(graph, 2)[-1]):
        return compare_onnx(graph, module, path, count)
    above = replace(graph, ranges={**dict.fromkeys(graph.inputs, (0.0, 1.0)), **graph.ranges})
    if above.ranges != graph.ranges and not is_defined(graph, module) and is_defined(above, module):
        return replace(verify_onnx(above, module, path, count), positive=True)
    probe = probing_copy(graph, module)
    with exported(graph, probe, path) as temporary:
        parity = compare_onnx(graph, probe, temporary, count)
    return replace(parity, probed=True, telling=is_telling(graph, probe, small_sizes(graph)))


COPIES = 3
"""PyTorch, onnxruntime, and what is compared: how often a run's memory is taken at once."""


def affordable(graph: Graph) -> Graph:
    """The graph, at smaller sizes where this machine lacks the memory to run it at its own beside its weights.

    Raises ``EnvironmentFault`` where it could run it at none.
    """
    free = free_memory()
    if free is None:
        return graph
    peak = Memory(graph).inference_peak
    held = 4 * graph.body.parameter_count
    sizes = first_that_fit(graph, lambda sizes: COPIES * evaluate(peak, sizes) - held <= free)
    if sizes is None:
        needed = COPIES * evaluate(peak, graph.sizes) - held
        need_memory(needed, f"running {graph.name} to verify it", "export it on a machine with more memory")
        return graph
    return graph if sizes == graph.sizes else replace(graph, sizes=sizes)


def is_defined(graph: Graph, module: nn.Module) -> bool:
    """Return whether the module's outputs are finite."""
    return all(np.isfinite(each).all() for each in run(module, example_inputs(graph, other_sizes(graph, 2)[-1])))


def is_telling(graph: Graph, module: nn.Module, sizes: Mapping[str, int]) -> bool:
    """Return whether the module's outputs are finite and differ between two inputs by more than rounding does."""
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
        scale = output.std()
        if not NOISE * output.abs().max() < scale < math.inf:  # nothing passes through it that could be scaled
            return output
        for parameter in layer.parameters(recurse=False):
            parameter.data /= scale
        return output / scale

    hooks = []
    sizes = _larger_batch(graph)
    for layer in probe.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            if sizes is not None:
                layer.train().momentum = None
        elif isinstance(getattr(layer, "weight", None), nn.Parameter) and layer.weight.dim() > 1:  # type: ignore[operator]
            hooks.append(layer.register_forward_hook(rescale))
    inputs = example_inputs(graph, sizes or graph.sizes)
    with torch.no_grad():
        probe(*(tensor.to(_device(probe)) for tensor in inputs.values()))
    for hook in hooks:
        hook.remove()
    return probe.eval()


def _larger_batch(graph: Graph) -> dict[str, int] | None:
    """Sizes with a few rows more, at which batch norms have something to measure; ``None`` where there are none."""
    for more in (4, 3, 2, 1, 0):
        sizes = dict(graph.sizes)
        sizes.update((name, size + more) for name, size in sizes.items() if any(name in of for of in _batches(graph)))
        if all(holds(each, sizes) for each in graph.requirements if not each.training or is_above_one(each)):
            return sizes
    return None


def _batches(graph: Graph) -> list[frozenset[str]]:
    return [getattr(size, "symbols", frozenset()) for value in graph.inputs.values() for size in value.shape[:1]]


def compare_onnx(graph: Graph, module: nn.Module, path: Path, count: int = 3, seed: int = 0) -> Parity:
    """Run the file and the module on random inputs at ``count`` sizes of every symbolic dimension.

    At the last of them, or once more where there is one alone, real inputs lie off centre, if the network bears it.
    What it then makes may be next to nothing, from gates that are shut: it counts as large as it usually is. Half
    precision does not bear it: what differs between numbers that far off is less than their rounding.
    """
    session = open_session(path, _providers(_device(module)))
    tried = [(sizes, 0.0) for sizes in other_sizes(graph, count)]
    tolerance = tolerance_of(graph)
    comparisons: list[Comparison] = []
    real = any("float" in value.tensor.dtype for name, value in graph.inputs.items() if name not in graph.ranges)
    if real and tolerance == TOLERANCE:
        tried = [*(tried[:-1] or tried), (tried[-1][0], OFF_CENTRE)]
    usual: list[float] = []
    for sizes, mean in tried:
        inputs = example_inputs(graph, sizes, seed, mean)
        ours = run(module, inputs)
        if mean and not all(np.isfinite(each).all() for each in ours):
            mean, inputs = 0.0, example_inputs(graph, sizes, seed)
            ours = run(module, inputs)
        theirs = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        usual = usual or [float(np.abs(each).max(initial=0.0)) for each in ours]
        difference = largest_difference(ours, theirs, usual if mean else ())
        rounding = (
            largest_difference(run(copy.deepcopy(module).double(), inputs), ours) if difference > tolerance else 0.0
        )
        undefined = math.isfinite(difference) and not all(np.isfinite(each).all() for each in ours)
        undefined = undefined or math.isnan(difference)
        comparisons.append(Comparison(sizes, difference, rounding, tolerance, undefined, mean))
    return Parity(comparisons, session.get_providers(), module)


def tolerance_of(graph: Graph) -> float:
    """Return what two right answers may differ by: a few roundings of the coarsest dtype in the graph."""
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


def example_inputs(graph: Graph, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> dict[str, torch.Tensor]:
    """Random inputs at these sizes: normal, of deviation 1, where they are real and have no range; numbers that the ops
    take where they are whole.
    """
    generator = torch.Generator().manual_seed(seed)
    anything = InputRange()
    return {
        name: _example(value, sizes, graph.input_ranges.get(name, anything), graph.ranges.get(name), generator, mean)
        for name, value in graph.inputs.items()
    }


def _example(
    value: Value,
    sizes: Mapping[str, int],
    input_range: InputRange,
    ends: tuple[float, float] | None,
    generator: torch.Generator,
    mean: float,
) -> torch.Tensor:
    shape, dtype = evaluate_shape(value.shape, sizes), getattr(torch, value.tensor.dtype)
    if dtype.is_floating_point and ends is not None:
        return torch.rand(shape, generator=generator).mul(ends[1] - ends[0]).add(ends[0]).to(dtype)
    if dtype.is_floating_point:
        return (torch.randn(shape, generator=generator) + mean).to(dtype)
    least = evaluate(input_range.least, sizes)
    below = 2 if dtype == torch.bool or input_range.below is None else evaluate(input_range.below, sizes)
    made = torch.randint(least, below, shape, generator=generator)
    if input_range.first is not None:
        made[..., :1] = input_range.first
    return made.to(dtype)


def _as_taken(tensor: torch.Tensor, module: nn.Module) -> torch.Tensor:
    """A real input in the precision of the module's parameters."""
    held = next((parameter.dtype for parameter in module.parameters()), tensor.dtype)
    return tensor.to(held) if tensor.dtype.is_floating_point else tensor


def largest_difference(ours: Sequence[Any], theirs: Sequence[Any], least: Sequence[float] = ()) -> float:
    """The largest relative difference over all outputs; ``nan`` where there is nothing to compare in any of them.

    ``least`` has sizes that the outputs are taken to have at least.
    """
    pairs = zip_longest(ours, theirs, least, fillvalue=0.0)
    found = [relative_difference(want, got, size) for want, got, size in pairs]
    return max((each for each in found if not math.isnan(each)), default=math.nan)


def relative_difference(want: Any, got: Any, least: float = 0.0) -> float:
    """max|want − got| / max|want| over the finite numbers; ``nan`` where there are none.

    Infinite where the shapes differ, or a number that is not finite is another one on the other side.
    """
    want, got = np.asarray(want, np.float64), np.asarray(got, np.float64)
    if want.shape != got.shape:
        return math.inf
    finite = np.isfinite(want) & np.isfinite(got)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True):
        return math.inf
    if want.size and not finite.any():
        return math.nan
    difference = np.abs(want[finite] - got[finite]).max(initial=0.0)
    return float(difference / max(np.abs(want[finite]).max(initial=0.0), least, 1e-30))
