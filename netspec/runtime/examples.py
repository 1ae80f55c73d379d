"""Random inputs that a network takes."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from netspec.dims import evaluate, evaluate_shape
from netspec.graph import Graph, Value
from netspec.ops import InputRange


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
    if dtype.is_floating_point:
        random = torch.randn(shape, generator=generator) + mean
        if ends is not None:
            random = torch.rand(shape, generator=generator).mul(ends[1] - ends[0]).add(ends[0])
        return (random.sort().values if input_range.ordered and shape else random).to(dtype)
    least = evaluate(input_range.least, sizes)
    below = 2 if dtype == torch.bool or input_range.below is None else evaluate(input_range.below, sizes)
    made = torch.randint(least, below, shape, generator=generator)
    if input_range.ordered:
        made = made.sort().values
    if input_range.first is not None:
        made[..., :1] = input_range.first
    return made.to(dtype)
