"""PyTorch's outputs, which all others are held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.graph import Graph
from netspec.runtime.examples import example_inputs
from netspec.runtime.fixed_noise import fixed_noise, is_random


class Reference:
    """A module's outputs on random inputs of its graph.

    The last are kept, since several questions are asked about the same ones.
    """

    def __init__(self, graph: Graph, module: nn.Module):
        self.graph, self.module = graph, module
        self._last: tuple[Any, list[np.ndarray]] | None = None

    def inputs(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> dict[str, torch.Tensor]:
        """Return random inputs at these sizes."""
        return example_inputs(self.graph, sizes, seed, mean)

    def outputs(self, sizes: Mapping[str, int], seed: int = 0, mean: float = 0.0) -> list[np.ndarray]:
        """Return the module's outputs for inference on these inputs, as float64 arrays."""
        key = tuple(sizes.items()), seed, mean
        if self._last is None or self._last[0] != key:
            self._last = key, self.run(self.module, self.inputs(sizes, seed, mean))
        return self._last[1]

    def run(self, module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> list[np.ndarray]:
        """Return the outputs of the module, or of a copy, with fixed numbers for those that it draws at random."""
        with fixed_noise(is_random(self.graph)):
            return run(module, inputs)


def run(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> list[np.ndarray]:
    """The module's outputs for inference, as float64 arrays; without TF32 on CUDA, as for onnxruntime."""
    training, device = module.training, device_of(module)
    module.eval()
    try:
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
            result = module(*(_as_taken(tensor, module).to(device) for tensor in inputs.values()))
    finally:
        module.train(training)
    outputs = list(result.values()) if isinstance(result, dict) else [result]
    return [tensor.detach().cpu().double().numpy() for tensor in outputs]


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's parameters are."""
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


def _as_taken(tensor: torch.Tensor, module: nn.Module) -> torch.Tensor:
    """A real input in the precision of the module's parameters."""
    dtype = next((parameter.dtype for parameter in module.parameters()), tensor.dtype)
    return tensor.to(dtype) if tensor.dtype.is_floating_point else tensor
