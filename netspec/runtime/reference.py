"""PyTorch's outputs, which all others are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
        return _arrays(self.made(sizes, seed, mean))

    def made(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> Made:
        """Return the same as the module gives them."""
        key = tuple(sizes.items()), seed, mean
        if key not in self._kept:
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = made_by(self.module, self.inputs(sizes, seed, mean), is_random(self.graph))
        return self._kept[key]

    def run(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> list[np.ndarray]:
        """Return the outputs of the module, or of a copy, with fixed numbers for those that it draws at random."""
        return _arrays(made_by(module, inputs, is_random(self.graph)))


def run(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[np.ndarray]:
    """The module's outputs for inference, as float64 arrays; without TF32 on CUDA, as for onnxruntime."""
    return _arrays(made_by(module, inputs))


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


def _arrays(made: Made) -> list[np.ndarray]:
    return [tensor.detach().cpu().double().numpy() for tensor in (made.values() if isinstance(made, dict) else [made])]


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's parameters are."""
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


def as_taken(tensor: Tensor, module: nn.Module) -> Tensor:
    """Return an input where the module's parameters are, and in their precision if it is real."""
    dtype = next((parameter.dtype for parameter in module.parameters()), tensor.dtype)
    return tensor.to(device_of(module), dtype if tensor.dtype.is_floating_point else None)
