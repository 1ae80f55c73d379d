"""The size of activations and gradients by layer: where they vanish, and where they explode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netspec.train.data.batches import Batch, split
from netspec.train.faults import told_of_faults
from netspec.train.optimize.objective import Objective
from netspec.train.setup import Setup

VANISHED = 1e-3
EXPLODED = 1e3
"""The ratios to the last layer's gradient, or to the first layer's activation, at which a layer no longer learns."""


@dataclass(frozen=True, slots=True)
class LayerStats:
    """A layer with weights. ``activation`` is the root mean square of its output, ``gradient`` that of the loss's
    gradient with respect to its weights, ``None`` if they are frozen.
    """

    path: str
    activation: float
    gradient: float | None

    def plain(self) -> dict[str, Any]:
        """Return the fields for a file; numbers that are not finite become ``None``."""
        return {key: value if known(value) else None for key, value in asdict(self).items()}


def known(value: Any) -> bool:
    """Return whether JSON has this value."""
    return not isinstance(value, float) or math.isfinite(value)


def stats_at_start(setup: Setup) -> list[LayerStats]:
    """Return the statistics of a network as initialised, on its first batch, or the first part of that.

    Raises ``TrainingFault`` if that does not fit in memory.
    """
    settings = setup.recipe.settings
    batch = next(iter(setup.train.shuffled(0, settings.batch)))
    part = split(batch, min(settings.accumulate, batch.rows))[0]
    with told_of_faults(setup), setup.autocast():
        return activation_stats(setup.model.train(), Objective(setup.losses, setup.padding), part)


def activation_stats(model: nn.Module, objective: Objective, batch: Batch) -> list[LayerStats]:
    """Return the statistics of a network's layers in the order they run, by one forward and one backward pass.

    Random numbers, buffers and gradients are left as they were.
    """
    activations: dict[str, float] = {}
    layers = {name: each for name, each in model.named_modules() if name and weights_of(each)}

    def note(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            while isinstance(output, tuple):  # what comes with states, or packed
                output = output[0]
            activations.setdefault(name, root_mean_square([output]))

        return hook

    handles = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        with undisturbed(model):
            loss = objective(model(*batch.inputs), batch.targets)
            trained = {name: [each for each in weights_of(layers[name]) if each.requires_grad] for name in activations}
            weights = [each for parts in trained.values() for each in parts]
            computed = iter(torch.autograd.grad(loss, weights, allow_unused=True) if weights else ())
    finally:
        for handle in handles:
            handle.remove()
    gradients = {name: [next(computed) for _ in parts] for name, parts in trained.items()}
    return [
        LayerStats(name, activation, root_mean_square(gradients[name]) if trained[name] else None)
        for name, activation in activations.items()
    ]


def weights_of(layer: nn.Module) -> list[nn.Parameter]:
    """Return the weights of one of torch's layers, or of a block without others inside, without biases and scales."""
    is_own = type(layer).__module__.startswith("torch.nn.")
    if not is_own and any(each.dim() > 1 for child in layer.children() for each in child.parameters()):
        return []
    return [each for each in layer.parameters(recurse=False) if each.dim() > 1]


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Restore random numbers and the statistics of batch norms at the end; compiled modules run without compilation."""
    before = {name: each.clone() for name, each in model.named_buffers()}
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    with torch.random.fork_rng(devices), torch.compiler.set_stance("force_eager"):
        yield
    with torch.no_grad():
        for name, each in model.named_buffers():
            each.copy_(before[name])


def root_mean_square(tensors: Sequence[Tensor | None]) -> float:
    """Return the root mean square of all numbers in tensors; absent ones are left out."""
    there = [each.detach() for each in tensors if each is not None]
    count = sum(each.numel() for each in there)
    squares = (
        float(torch.linalg.vector_norm(each, dtype=torch.float64)) ** 2 for each in there
    )  # float32 has no 1e-50
    return math.sqrt(sum(squares) / count) if count else 0.0


def verdict(stats: Sequence[LayerStats]) -> str:
    """Return a sentence on the first layer whose gradient or activation vanishes or explodes; empty if none does."""
    for each in stats:
        if not math.isfinite(each.activation):
            return f"activations explode: at `{each.path}` they are no longer finite"
    trained = [(each.path, each.gradient) for each in stats if each.gradient is not None]
    activations = [(each.path, each.activation) for each in stats]
    return _out_of_hand("gradients", trained, -1) or _out_of_hand("activations", activations, 0)


def _out_of_hand(what: str, sizes: Sequence[tuple[str, float]], measure: int) -> str:
    """The first of some sizes that is far from one of them."""
    if not sizes or not sizes[measure][1]:
        return ""
    known, unit = sizes[measure]
    for path, size in sizes:
        ratio = size / unit
        if ratio < VANISHED:
            share = f"{ratio:.1e} of those at `{known}`" if ratio else "zero"
            return f"{what} vanish: at `{path}` they are {share}"
        if ratio > EXPLODED:
            return f"{what} explode: at `{path}` they are {ratio:.1e} times those at `{known}`"
    return ""


def stats_table(stats: Sequence[LayerStats], most: int = 24) -> str:
    """Return a line for each layer, with a logarithmic bar for the gradient; ``most`` evenly spread layers."""
    shown = (
        list(stats) if len(stats) <= most else [stats[round(at * (len(stats) - 1) / (most - 1))] for at in range(most)]
    )
    width = max([len(each.path) for each in shown] + [len("layer")])
    largest = max((each.gradient or 0.0 for each in shown), default=0.0)
    lines = [f"{'layer':<{width}}  activation  gradient"]
    for each in shown:
        line = f"{each.path:<{width}}  {each.activation:10.2e}"
        if each.gradient is None:
            lines.append(f"{line}    frozen")
            continue
        decades = 12 if not each.gradient else min(12.0, math.log10(largest / each.gradient))
        lines.append(f"{line}  {each.gradient:8.1e}  {'█' * round(12 - decades)}".rstrip())
    return "\n".join([*lines, *filter(None, [verdict(stats)])])
