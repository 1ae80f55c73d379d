"""How large activations and gradients are, layer by layer: where they vanish, and where they explode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netspec.train.feed import Batch
from netspec.train.objective import Objective

VANISHED = 1e-3
EXPLODED = 1e3
"""Of the gradient at the weights of the last layer; a layer that far from it learns nothing, or everything at once."""


@dataclass(frozen=True, slots=True)
class Magnitude:
    """A layer with weights. ``activation`` is the root mean square of what it makes, ``gradient`` that of the loss's
    gradient with respect to its weights.
    """

    path: str
    activation: float
    gradient: float


def magnitudes(model: nn.Module, objective: Objective, batch: Batch) -> list[Magnitude]:
    """The layers of a network in the order they run, for one batch. Statistics of batch norms move as in any step."""
    made: dict[str, float] = {}
    layers = {name: each for name, each in model.named_modules() if isinstance(getattr(each, "weight", None), Tensor)}
    layers = {name: each for name, each in layers.items() if each.weight.dim() > 1}

    def note(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            made.setdefault(name, root_mean_square(first))

        return hook

    handles = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        loss = objective(model(*batch.inputs), batch.targets)
    finally:
        for handle in handles:
            handle.remove()
    weights: list[Any] = [layers[name].weight for name in made]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        Magnitude(name, activation, 0.0 if gradient is None else root_mean_square(gradient))
        for (name, activation), gradient in zip(made.items(), gradients)
    ]


def root_mean_square(tensor: Tensor) -> float:
    return float(tensor.detach().float().square().mean().sqrt())


def verdict(found: Sequence[Magnitude]) -> str:
    """In a sentence, which layer's gradient is lost, or gets out of hand; empty where all learn."""
    if len(found) < 2 or not found[-1].gradient:
        return ""
    last = found[-1]
    for each in found:
        ratio = each.gradient / last.gradient
        if ratio < VANISHED:
            return f"gradients vanish: at `{each.path}` they are {ratio:.1e} of those at `{last.path}`"
        if ratio > EXPLODED:
            return f"gradients explode: at `{each.path}` they are {ratio:.1e} times those at `{last.path}`"
    return ""


def magnitude_table(found: Sequence[Magnitude], most: int = 24) -> str:
    """A line a layer, with a bar for the gradient on a logarithmic scale; of many layers, evenly spread ones."""
    shown = (
        list(found) if len(found) <= most else [found[round(at * (len(found) - 1) / (most - 1))] for at in range(most)]
    )
    width = max([len(each.path) for each in shown] + [len("layer")])
    largest = max((each.gradient for each in shown), default=0.0)
    lines = [f"{'layer':<{width}}  activation  gradient"]
    for each in shown:
        decades = 12 if not each.gradient else min(12.0, -torch.tensor(each.gradient / largest).log10().item())
        lines.append(
            f"{each.path:<{width}}  {each.activation:10.2e}  {each.gradient:8.1e}  {'█' * round(12 - decades)}".rstrip()
        )
    return "\n".join([*lines, *filter(None, [verdict(found)])])
