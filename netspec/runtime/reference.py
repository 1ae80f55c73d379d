"""PyTorch's outputs, which all others are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netspec.dims import Dim
from netspec.elaborate.passes.sizes import batch_dims
from netspec.graph import Graph
from netspec.runtime.examples import example_inputs
from netspec.runtime.fixed_noise import fixed_noise, is_random

Made = Tensor | dict[str, Tensor]
"""A module's one output, or several by name."""

KEPT = 3
"""As many outputs are kept: those at each of the sizes that are tried."""


class Reference:
    """A module's outputs on random inputs of its graph.

    The last are kept, since several questions are asked about the same ones.
    """

    def __init__(self, graph: Graph, module: nn.Module):
        self.graph, self.module = graph, module
        self._kept: dict[Any, Made] = {}

    def inputs(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> dict[str, Tensor]:
        """Return random inputs at these sizes."""
        return example_inputs(self.graph, sizes, seed, mean)

    def outputs(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> list[np.ndarray]:
        """Return the module's outputs for inference on these inputs, as float64 arrays."""
        return as_arrays(self.made(sizes, seed, mean))

    def made(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> Made:
        """Return the same as the module gives them."""
        key = tuple(sizes.items()), seed, mean
        if key not in self._kept:
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = made_by(self.module, self.inputs(sizes, seed, mean), is_random(self.graph))
        return self._kept[key]

    def rows(self, sizes: Mapping[str, int]) -> tuple[dict[str, Tensor], Made] | None:
        """Return inputs at these sizes with what the module makes of them, both rows of a larger batch that it has run.

        Where they may depend on each other, a difference is the module's own only if a run at these sizes has it, too.
        """
        larger = self._larger(sizes)
        if larger is None:
            return None
        count = sizes[next(iter(batch_dims(self.graph)))]
        return _first(self.inputs(larger), count), _first(self.made(larger), count)

    def _larger(self, sizes: Mapping[str, int]) -> dict[str, int] | None:
        """Return sizes with a larger batch, but else the same, that have been run where these have not."""
        kept = [dict(each) for each, seed, mean in self._kept if (seed, mean) == (0, 0.0)]
        if dict(sizes) in kept or not is_by_rows(self.graph):
            return None
        (batch,) = batch_dims(self.graph)
        fits = (each for each in kept if each[batch] > sizes[batch] and {**each, batch: sizes[batch]} == sizes)
        return next(fits, None)

    def run(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> list[np.ndarray]:
        """Return the outputs of the module, or of a copy, with fixed numbers for those that it draws at random."""
        return as_arrays(made_by(module, inputs, is_random(self.graph)))


def is_by_rows(graph: Graph) -> bool:
    """Return whether inputs and outputs are rows of one batch, and have its size nowhere else."""
    batch = batch_dims(graph)
    if len(batch) != 1:
        return False
    (row,) = map(Dim.symbol, batch)
    made = [output.value for output in graph.outputs.values() if not output.training]
    shapes = [value.shape for value in (*graph.inputs.values(), *made)]
    others = [size for shape in shapes for size in shape[1:] if isinstance(size, Dim)]
    return all(shape[:1] == (row,) for shape in shapes) and not any(batch & size.symbols for size in others)


def _first(made: Any, count: int) -> Any:
    """Return the first rows of a tensor, or of each of several."""
    return {name: each[:count] for name, each in made.items()} if isinstance(made, dict) else made[:count]


def run(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[np.ndarray]:
    """The module's outputs for inference, as float64 arrays; without TF32 on CUDA, as for onnxruntime."""
    return as_arrays(made_by(module, inputs))


def made_by(module: nn.Module, inputs: Mapping[str, Tensor], draws: bool = False) -> Made:
    """Return what a module makes in inference; with fixed numbers for random ones, if it ``draws`` any."""
    training = module.training
    module.eval()
    try:
        with exactly(), fixed_noise(draws):
            made: Made = module(*(as_taken(tensor, module) for tensor in inputs.values()))
    finally:
        module.train(training)
    return made


@contextmanager
def exactly() -> Iterator[None]:
    """Compute what is compared: without gradients, and without TF32, whose ten bits of mantissa would drown it."""
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        yield


def as_arrays(made: Made) -> list[np.ndarray]:
    """Return outputs as float64 arrays."""
    return [tensor.detach().cpu().double().numpy() for tensor in (made.values() if isinstance(made, dict) else [made])]


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's parameters are."""
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


def as_taken(tensor: Tensor, module: nn.Module) -> Tensor:
    """Return an input where the module's parameters are, and in their precision if it is real."""
    dtype = next((parameter.dtype for parameter in module.parameters()), tensor.dtype)
    return tensor.to(device_of(module), dtype if tensor.dtype.is_floating_point else None)
