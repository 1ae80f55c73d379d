"""Weights from which something can be told: with them the outputs are finite, and depend on the inputs."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from netspec.analysis.above_one import is_above_one
from netspec.elaborate.passes.sizes import batch_dims, only_batch
from netspec.elaborate.state.requirements import holds
from netspec.graph import Graph
from netspec.runtime.examples import example_inputs
from netspec.runtime.reference import Reference, device_of, is_by_rows

TELLING = 1e-4
NOISE = 1e-6
"""A share of the largest number that rounding alone may bring about."""
NORMED = 0.25
"""The standard deviation of what batch norms make, before their own scale. Behind larger numbers, gates are so far from
linear that a deep network turns rounding into differences as large as its outputs."""


def is_defined(reference: Reference, sizes: Mapping[str, int]) -> bool:
    """Return whether the outputs are finite."""
    return all(np.isfinite(each).all() for each in reference.outputs(sizes))


def is_telling(reference: Reference, tried: Sequence[Mapping[str, int]]) -> bool:
    """Return whether the outputs are finite and differ between two inputs by more than rounding does.

    Where each row of a batch has outputs of its own, and only their number is symbolic, so that each run costs as much
    as the network does, two rows of the largest batch that is ``tried`` do; else there are two runs at the first sizes.
    """
    largest = max(tried, key=lambda sizes: max(sizes.values(), default=1))
    if min(largest.values(), default=1) > 1 and only_batch(reference.graph) and is_by_rows(reference.graph):
        pairs = [(output[0], output[1]) for output in reference.outputs(largest)]
    else:
        pairs = [*zip(reference.outputs(tried[0]), reference.outputs(tried[0], seed=1))]
    for one, other in pairs:
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            return False
        if np.abs(one - other).max(initial=0.0) <= TELLING * np.abs(one).max(initial=0.0):
            return False
    return True


def probing_copy(graph: Graph, module: nn.Module) -> nn.Module:
    """A copy whose layers keep the scale of what passes through them.

    In one forward pass each weighted layer is divided by the standard deviation of what it makes (Mishkin and Matas
    2016), and batch norms take the mean of the batch, and a variance with which they make numbers of the deviation
    ``NORMED``. What runs in training only stays as it is.
    """
    probe = copy.deepcopy(module).eval()

    def rescale(layer: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        scale = output.std()
        if not NOISE * output.abs().max() < scale < math.inf:  # nothing passes through it that could be scaled
            return output
        for parameter in layer.parameters(recurse=False):
            parameter.data /= scale
        return output / scale

    def fit(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        over = [at for at in range(inputs[0].dim()) if at != 1]
        norm.running_mean.copy_(inputs[0].mean(over))
        variance = inputs[0].var(over, correction=0)
        norm.running_var.copy_(torch.where(variance > 0, variance / NORMED**2, 1.0))

    hooks = []
    sizes = _larger_batch(graph)
    for layer in probe.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            if sizes is not None and layer.track_running_stats:
                hooks.append(layer.register_forward_pre_hook(fit))
        elif isinstance(getattr(layer, "weight", None), nn.Parameter) and layer.weight.dim() > 1:  # type: ignore[operator]
            hooks.append(layer.register_forward_hook(rescale))
    inputs = example_inputs(graph, sizes or graph.sizes)
    with torch.no_grad():
        probe(*(tensor.to(device_of(probe)) for tensor in inputs.values()))
    for hook in hooks:
        hook.remove()
    return probe.eval()


def _larger_batch(graph: Graph) -> dict[str, int] | None:
    """Sizes with a few rows more, at which batch norms have something to measure; ``None`` where there are none."""
    batches = batch_dims(graph)
    for more in (4, 3, 2, 1, 0):
        sizes = dict(graph.sizes)
        sizes.update((name, size + more) for name, size in sizes.items() if name in batches)
        if all(holds(each, sizes) for each in graph.requirements if not each.training or is_above_one(each)):
            return sizes
    return None
