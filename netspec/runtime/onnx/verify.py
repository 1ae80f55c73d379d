"""Runs an ONNX file on onnxruntime and holds it against PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from netspec.analysis.memory import Memory
from netspec.dims import evaluate
from netspec.elaborate.passes.sizes import first_that_fit, only_batch, other_sizes, quick_sizes
from netspec.emit.onnx.runtimes import ANY_FORM, OnnxForm
from netspec.graph import Graph, walk
from netspec.ops import HALVES
from netspec.runtime.fixed_noise import is_random
from netspec.runtime.machine import free_memory, need_memory
from netspec.runtime.onnx.export import exported, put_model, remove_model
from netspec.runtime.onnx.fixed_noise import open_fixed
from netspec.runtime.onnx.layer_values import LayersOfFile
from netspec.runtime.onnx.parity import BORNE, ROUNDINGS, TOLERANCE, Comparison, Parity, largest_difference
from netspec.runtime.onnx.session import OpenedFile, loaded_runtime, open_on
from netspec.runtime.probing import is_defined, is_telling, probing_copy
from netspec.runtime.reference import Reference, as_arrays, device_of, is_by_rows
from netspec.runtime.trace.replay import trace_layers

Effort = Literal["quick", "full"]
"""``quick`` tries small sizes of every symbolic dimension, ``full`` those that costs are quoted at and two more."""

COPIES = 3
"""PyTorch, onnxruntime, and what is compared: how often a run's memory is taken at once."""

OFF_CENTRE = 100.0
"""The mean of inputs that are not centred."""

GROWTH = OFF_CENTRE**3
"""The most that outputs grow by where inputs do by ``OFF_CENTRE``, if they are to tell something."""


def export_verified(
    graph: Graph,
    module: nn.Module,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    effort: Effort = "quick",
    form: OnnxForm = ANY_FORM,
) -> tuple[Path, Parity]:
    """Export and compare, before the file takes its place; ``metadata`` are properties of its own, ``form`` its
    version of ONNX.

    Where they disagree, it is kept as ``<name>.rejected.onnx`` and no other is left.
    """
    loaded_runtime()  # before anything is written, as is what follows
    tried = sizes_to_try(graph, effort)
    with exported(graph, module, path, metadata, form) as temporary:
        parity = verify_onnx(graph, module, temporary, tried, form)
        rejected = path.with_suffix(f".rejected{path.suffix}")
        kept, other = (path, rejected) if parity.agrees else (rejected, path)
        put_model(temporary, kept)
        remove_model(other)
    return kept, parity


def verify_onnx(
    graph: Graph,
    module: nn.Module,
    path: Path,
    tried: Sequence[Mapping[str, int]] | None = None,
    form: OnnxForm = ANY_FORM,
    runtime: str = "onnxruntime",
) -> Parity:
    """Compare at these sizes, by default those of a quick trial, with weights from which something can be told.

    Inputs that do not say in what range they lie are on both sides of 0, unless only outputs of positive ones are
    defined.
    """
    tried = quick_sizes(graph) if tried is None else tried
    reference, sizes = Reference(graph, module), tried[0]
    if is_telling(reference, tried) and not vanishes(reference, sizes, form):
        return with_layer(compare(reference, path, tried, runtime, precision_of(form)), path)
    above = replace(graph, ranges={**dict.fromkeys(graph.inputs, (0.0, 1.0)), **graph.ranges})
    if (
        above.ranges != graph.ranges
        and not is_defined(reference, sizes)
        and is_defined(Reference(above, module), sizes)
    ):
        return replace(verify_onnx(above, module, path, tried, form, runtime), positive=True)
    probe = Reference(graph, probing_copy(replace(graph, sizes=sizes), module))
    with exported(graph, probe.module, path, form=form) as temporary:
        parity = with_layer(compare(probe, temporary, tried, runtime, precision_of(form)), temporary)
    return replace(parity, probed=True, telling=is_telling(probe, tried))


def vanishes(reference: Reference, sizes: Mapping[str, int], form: OnnxForm) -> bool:
    """Return whether outputs are too small for the precision of a form, as those of deep networks may be at first."""
    outputs = reference.outputs(sizes) if form.half is not None else []
    return any(
        0 < np.abs(each).max(initial=0.0) < torch.finfo(getattr(torch, precision_of(form))).tiny for each in outputs
    )


def with_layer(parity: Parity, path: Path) -> Parity:
    """Return a parity with the first layer in which the two part, where they disagree on a file."""
    worst = max(
        (each for each in parity.comparisons if not each.agrees), key=lambda each: each.difference, default=None
    )
    if worst is None or not parity.compared:
        return parity
    reference = parity.reference
    inputs = reference.inputs(worst.sizes, mean=worst.mean)
    try:
        layers = LayersOfFile(path, parity.runtime)
        layers.run(inputs)
    except Exception:  # of the runtime's, which have no common base: what is told then is the difference alone
        return parity
    state, sides = reference.module.state_dict(), ("PyTorch", parity.runtime)
    trace = trace_layers(reference.graph, state, inputs, layers.values, sides, worst.sizes, layers.coarsest)
    return replace(parity, layer=trace.first)


def sizes_to_try(graph: Graph, effort: Effort) -> list[dict[str, int]]:
    """Return three assignments of the symbolic dimensions, or as many as there are, which this machine has memory for.

    Raises ``EnvironmentFault`` where it could run the network at none.
    """
    free = free_memory()
    peak, held = Memory(graph).inference_peak, 4 * graph.body.parameter_count

    def fits(sizes: Mapping[str, int]) -> bool:
        return free is None or COPIES * evaluate(peak, sizes) - held <= free

    fitting = [*filter(fits, quick_sizes(graph) if effort == "quick" else other_sizes(graph, 3)[::-1])]
    if fitting:
        return fitting
    smaller = first_that_fit(graph, fits)
    if smaller is None:
        needed = COPIES * evaluate(peak, graph.sizes) - held
        need_memory(needed, f"running {graph.name} to verify it", "export it on a machine with more memory")
    return other_sizes(replace(graph, sizes=smaller or graph.sizes), 3)[::-1]


def compare_onnx(
    graph: Graph, module: nn.Module, path: Path, sizes: Sequence[Mapping[str, int]] | None = None
) -> Parity:
    """Run the file and the module on random inputs at these sizes, by default those of a quick trial."""
    return compare(Reference(graph, module), path, quick_sizes(graph) if sizes is None else sizes)


def compare(
    reference: Reference,
    path: Path,
    sizes: Sequence[Mapping[str, int]],
    runtime: str = "onnxruntime",
    precision: str = "float32",
) -> Parity:
    """Run the file on the inputs of a reference, which are centred where the network does not bear others.

    ``precision`` is the coarsest dtype of the file's own: such a file does not bear others.
    """
    providers, random = _providers(device_of(reference.module)), is_random(reference.graph)
    fixed = random or (precision != "float32" and runtime == "onnxruntime")
    opened = open_fixed(path, providers, runtime) if fixed else open_on(runtime, path, providers)
    tolerance = max(tolerance_of(reference.graph), tolerance_in(precision))
    runtimes = _Runtimes(reference, opened, tolerance, getattr(torch, precision))
    in_turn = runtimes.batches if only_batch(reference.graph) and len(sizes) > 1 else runtimes.each
    return Parity(in_turn(sizes, mean_to_try(reference.graph, tolerance)), opened.providers, reference, runtime=runtime)


class _Runtimes:
    """A module and an opened file, run on the same inputs. ``usual`` is how large the outputs are of centred ones."""

    def __init__(
        self, reference: Reference, opened: OpenedFile, tolerance: float, precision: torch.dtype = torch.float32
    ):
        self.reference, self.opened, self.tolerance, self.precision = reference, opened, tolerance, precision
        self.usual: list[float] = []

    def each(self, sizes: Sequence[Mapping[str, int]], mean: float) -> list[Comparison]:
        """Return how far they differ at each of the sizes, and at the first on inputs of another mean."""
        return [*map(self.compared, sizes), *([self.off_centre(sizes[0], mean)] if mean else [])]

    def batches(self, sizes: Sequence[Mapping[str, int]], mean: float) -> list[Comparison]:
        """Return the same where only a batch is symbolic, so that each run costs as much as the network does: inputs of
        another mean are in place of others at one of the sizes.
        """
        if not is_by_rows(self.reference.graph):
            return [*map(self.compared, sizes[:-1]), self.off_centre(sizes[-1], mean)]
        largest, *between, smallest = sorted(sizes, key=lambda each: [*each.values()], reverse=True)
        found = [self.compared(largest)]
        on_rows = [self.on_rows(each) for each in between]
        found += [told or self.compared(each) for told, each in zip(on_rows, between)]
        found.append(self.off_centre(smallest, mean))  # PyTorch runs it, too: what depends on the batch shows here
        if mean and not all(on_rows):  # a single row may tell nothing
            found += [self.compared(smallest), self.off_centre(largest, mean)]
        return sorted(found, key=lambda each: sizes.index(each.sizes))

    def off_centre(self, sizes: Mapping[str, int], mean: float) -> Comparison:
        """Return how far they differ on inputs off centre, if the network bears a ``mean`` other than 0."""
        told = self.compared(sizes, mean) if mean and self.bears(sizes, mean) else None
        return self.compared(sizes) if told is None or told.rounding > BORNE else told

    def on_rows(self, sizes: Mapping[str, int]) -> Comparison | None:
        """Return how far they differ on rows of a larger batch that PyTorch has run, if that is within the tolerance.

        Else the rows may depend on each other, and PyTorch has to run at these sizes.
        """
        rows = self.reference.rows(sizes)
        if rows is None:
            return None
        inputs, ours = rows[0], as_arrays(rows[1])
        difference = largest_difference(ours, self._run(inputs))
        agrees = difference <= self.tolerance and all(np.isfinite(output).all() for output in ours)
        return Comparison(sizes, difference, tolerance=self.tolerance) if agrees else None

    def bears(self, sizes: Mapping[str, int], mean: float) -> bool:
        """Return whether the outputs of inputs off centre are numbers, of a size that has digits for the rest."""
        outputs = self.reference.outputs(sizes, mean=mean)
        return all(
            np.isfinite(output).all() and not np.abs(output).max(initial=0.0) > GROWTH * (usual or math.inf)
            for output, usual in zip(outputs, self.usual)
        )

    def compared(self, sizes: Mapping[str, int], mean: float = 0.0) -> Comparison:
        """Return how far they differ. What inputs off centre give may be next to nothing, from gates that are shut: it
        counts as large as it usually is.
        """
        ours, inputs = self.reference.outputs(sizes, mean=mean), self.reference.inputs(sizes, mean=mean)
        self.usual = self.usual or [float(np.abs(output).max(initial=0.0)) for output in ours]
        difference = largest_difference(ours, self._run(inputs), self.usual if mean else ())
        rounding = self._rounding(inputs, ours) if difference > self.tolerance else 0.0
        undefined = math.isfinite(difference) and not all(np.isfinite(output).all() for output in ours)
        undefined = undefined or math.isnan(difference)
        return Comparison(sizes, difference, rounding, self.tolerance, undefined, mean)

    def _run(self, inputs: Mapping[str, torch.Tensor]) -> Sequence[Any]:
        return self.opened.run({name: tensor.numpy() for name, tensor in inputs.items()})

    def _rounding(self, inputs: Mapping[str, torch.Tensor], ours: Sequence[np.ndarray]) -> float:
        """Return what rounding alone comes to: in double precision, and with weights that are other in the last bit.
        Where outputs are all rounding, one of them may agree by chance.
        """
        exact, nudged = copy.deepcopy(self.reference.module).double(), copy.deepcopy(self.reference.module)
        chance = torch.Generator().manual_seed(0)
        for parameter in nudged.parameters():
            by = torch.randint(-1, 2, parameter.shape, generator=chance).to(parameter)
            parameter.data.mul_(1 + max(torch.finfo(each).eps for each in (parameter.dtype, self.precision)) * by)
        return max(largest_difference(self.reference.run(each, inputs), ours) for each in (exact, nudged))


def mean_to_try(graph: Graph, tolerance: float) -> float:
    """Return the mean of real inputs in another trial, if they have no range, or 0 for none.

    Half precision does not bear them: its rounding exceeds what differs between numbers that far off.
    """
    real = any("float" in value.tensor.dtype for name, value in graph.inputs.items() if name not in graph.ranges)
    return OFF_CENTRE if real and tolerance == TOLERANCE else 0.0


def tolerance_of(graph: Graph) -> float:
    """Return what two right answers may differ by: a few roundings of the coarsest dtype in the graph."""
    made = (value.tensor.dtype for _, step, _ in walk(graph.body) for value in (*step.inputs, *step.outputs))
    return max([TOLERANCE, *(tolerance_in(dtype) for dtype in {*made} if dtype in HALVES)])


def tolerance_in(precision: str) -> float:
    """Return what two right answers in a dtype may differ by."""
    return max(TOLERANCE, ROUNDINGS / 2 * torch.finfo(getattr(torch, precision)).eps)


def precision_of(form: OnnxForm) -> str:
    """Return the coarsest dtype of real numbers that a file of a form adds to the network's own."""
    return "float32" if form.half is None else form.half.dtype


def _providers(device: torch.device) -> list[Any]:
    """CUDA where the module is on it, without TF32, whose ten bits of mantissa would drown the comparison."""
    cuda = [("CUDAExecutionProvider", {"use_tf32": 0})] if device.type == "cuda" else []
    return [*cuda, "CPUExecutionProvider"]
