"""How large activations and gradients are, layer by layer: where they vanish, and where they explode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netspec.train.data.batches import Batch, split
from netspec.train.errors import out_of_memory, readable
from netspec.train.optimize.objective import Objective
from netspec.train.setup import Setup

VANISHED = 1e-3
EXPLODED = 1e3
"""How much smaller or larger than the last layer's a gradient is where a layer learns nothing, or everything at once;
the same of activations, against the first layer's."""


@dataclass(frozen=True, slots=True)
class LayerStats:
    """A layer with weights. ``activation`` is the root mean square of what it makes, ``gradient`` that of the loss's
    gradient with respect to its weights, absent where they are frozen.
    """

    path: str
    activation: float
    gradient: float | None

    def plain(self) -> dict[str, Any]:
        """The same for a file; what is not finite is absent."""
        return {key: value if known(value) else None for key, value in asdict(self).items()}


def known(value: Any) -> bool:
    """Return whether a value is something that JSON has."""
    return not isinstance(value, float) or math.isfinite(value)


def stats_at_start(setup: Setup) -> list[LayerStats]:
    """Those of a network as it is initialised, for the first batch, or part of one, that it is to learn from.

    Raises ``TrainingFault`` where that does not fit in memory.
    """
    settings = setup.recipe.settings
    batch = next(iter(setup.train.shuffled(0, settings.batch)))
    part = split(batch, min(settings.accumulate, batch.rows))[0]
    with out_of_memory(settings), readable(), setup.autocast():
        return activation_stats(setup.model.train(), Objective(setup.losses, setup.padding), part)


def activation_stats(model: nn.Module, objective: Objective, batch: Batch) -> list[LayerStats]:
    """The layers of a network in the order they run, for one batch: one forward and one backward pass.

    Nothing of it is left behind: random numbers, statistics and gradients are as they were.
    """
    made: dict[str, float] = {}
    layers = {name: each for name, each in model.named_modules() if weights_of(each)}

    def note(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            while isinstance(output, tuple):  # what comes with states, or packed
                output = output[0]
            made.setdefault(name, root_mean_square([output]))

        return hook

    handles = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        with undisturbed(model):
            loss = objective(model(*batch.inputs), batch.targets)
            trained = {name: [each for each in weights_of(layers[name]) if each.requires_grad] for name in made}
            weights = [each for parts in trained.values() for each in parts]
            found = iter(torch.autograd.grad(loss, weights, allow_unused=True) if weights else ())
    finally:
        for handle in handles:
            handle.remove()
    gradients = {name: [next(found) for _ in parts] for name, parts in trained.items()}
    return [
        LayerStats(name, activation, root_mean_square(gradients[name]) if trained[name] else None)
        for name, activation in made.items()
    ]


def weights_of(layer: nn.Module) -> list[nn.Parameter]:
    """The weights of one of torch's own layers, without biases and scales."""
    if not type(layer).__module__.startswith("torch.nn."):
        return []
    return [each for each in layer.parameters(recurse=False) if each.dim() > 1]


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Puts random numbers and the statistics of batch norms back; what is compiled runs as it stands."""
    before = {name: each.clone() for name, each in model.named_buffers()}
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    with torch.random.fork_rng(devices), torch.compiler.set_stance("force_eager"):
        yield
    with torch.no_grad():
        for name, each in model.named_buffers():
            each.copy_(before[name])


def root_mean_square(tensors: Sequence[Tensor | None]) -> float:
    """Over all numbers of some tensors; an absent one is of zeros."""
    there = [each.detach() for each in tensors if each is not None]
    count = sum(each.numel() for each in there)
    squares = (
        float(torch.linalg.vector_norm(each, dtype=torch.float64)) ** 2 for each in there
    )  # float32 has no 1e-50
    return math.sqrt(sum(squares) / count) if count else 0.0


def verdict(found: Sequence[LayerStats]) -> str:
    """In a sentence, which layer's gradient or activation is lost, or gets out of hand; empty where all learn."""
    for each in found:
        if not math.isfinite(each.activation):
            return f"activations explode: at `{each.path}` they are no longer finite"
    trained = [(each.path, each.gradient) for each in found if each.gradient is not None]
    made = [(each.path, each.activation) for each in found]
    return _out_of_hand("gradients", trained, -1) or _out_of_hand("activations", made, 0)


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


def stats_table(found: Sequence[LayerStats], most: int = 24) -> str:
    """A line a layer, with a bar for the gradient on a logarithmic scale; of many layers, evenly spread ones."""
    shown = (
        list(found) if len(found) <= most else [found[round(at * (len(found) - 1) / (most - 1))] for at in range(most)]
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
    return "\n".join([*lines, *filter(None, [verdict(found)])])
