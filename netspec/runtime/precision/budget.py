"""Layers left in float32, as few as will do: for the score of a run in 8 bits, or for the outputs in 16."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from netspec.diagnostics import UsageError
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.precision.half import Half, kept_layers
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.graph import Graph, Node, walk
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.fixed_noise import open_fixed
from netspec.runtime.onnx.parity import largest_difference
from netspec.runtime.onnx.session import OpenedFile
from netspec.runtime.onnx.verify import verify_onnx


def fewest(
    kept: Sequence[str], budget: float, loses: Callable[[Sequence[str]], float], order: Callable[[], Sequence[str]]
) -> list[str]:
    """Return the layers to leave in float32, so that no more than the budget is lost: ``kept``, and as few as will do
    of the others, which ``order`` gives, the most harmful first.
    """
    if loses(kept) <= budget:
        return [*kept]
    others = order()
    few, many = 0, len(others)  # these are too few, and these will do: with all of them, nothing is lost
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if loses([*kept, *others[:middle]]) <= budget else (middle, many)
    return [*kept, *others[:many]]


def half_within(graph: Graph, module: nn.Module, form: OnnxForm, bound: float) -> OnnxForm:
    """Return a form in 16 bits with as few layers in float32 as are needed for outputs within ``bound`` of those in
    float32 (max|Δ|/max|y|).

    Raises ``UsageError`` where they are not with all layers that hold weights or multiply in float32, either.
    """
    assert form.half is not None
    with TemporaryDirectory() as folder:
        network = _HalfNetwork(graph, module, form, Path(folder) / "half.onnx")
        kept = kept_layers(graph, form.half)
        kept = fewest(kept, bound, network.apart, lambda: network.by_harm(kept))
        least = network.apart(kept)
    if least <= bound:
        return network.form(kept)
    raise UsageError(f"--agree {bound:g}: outputs differ by {least:.1e} with every layer in float32: ask for less")


class _HalfNetwork:
    """A network in 16 bits, in a file that the next one replaces, held against PyTorch in float32."""

    def __init__(self, graph: Graph, module: nn.Module, form: OnnxForm, path: Path):
        assert form.half is not None
        self.asked, self.half, self.path = form, form.half, path
        self.sizes = quick_sizes(graph)
        export_onnx(graph, module, path, form=form)
        self.reference = verify_onnx(graph, module, path, self.sizes, form).reference  # whose weights tell something

    def form(self, kept: Sequence[str]) -> OnnxForm:
        """Return the form in which these layers are in float32."""
        return self.asked._replace(half=self.half._replace(keep=kept))

    def apart(self, kept: Sequence[str], count: int | None = None) -> float:
        """Return how far outputs are from those in float32, at all sizes or at so many, but for these layers."""
        graph, module = self.reference.graph, self.reference.module
        opened = open_fixed(export_onnx(graph, module, self.path, form=self.form(kept)), ["CPUExecutionProvider"])
        differences = [self.difference(opened, sizes) for sizes in self.sizes[:count]]
        return max((each for each in differences if not math.isnan(each)), default=0.0)

    def difference(self, opened: OpenedFile, sizes: Mapping[str, int]) -> float:
        """Return how far the outputs of a file are from those in float32 at these sizes."""
        given = {name: tensor.numpy() for name, tensor in self.reference.inputs(sizes).items()}
        return largest_difference(self.reference.outputs(sizes), opened.run(given))

    def by_harm(self, kept: Sequence[str]) -> list[str]:
        """Return the other layers in the order of what each by itself in 16 bits does to the outputs, the worst first.

        Ops that neither hold weights nor multiply run as what they read, and are in float32 where all these are.
        """
        able = [path for path in layers_in_half(self.reference.graph, self.half) if path not in kept]
        harm = {path: self.apart([*kept, *(other for other in able if other != path)], 1) for path in able}
        return sorted(able, key=lambda path: -harm[path])


def layers_in_half(graph: Graph, half: Half) -> list[str]:
    """Return the paths of the nodes that run in 16 bits by themselves, whatever they read."""
    return [
        path
        for path, step, _ in walk(graph.body)
        if isinstance(step, Node) and (step.state or step.op.autocast == "bfloat16") and not half.runs_single(step.op)
    ]
