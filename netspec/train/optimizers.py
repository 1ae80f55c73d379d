"""The optimizer of a recipe, with weight decay for the parameters that decay."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import UsageError
from netspec.recipes.optimizers import Optimizer
from netspec.recipes.settings import WeightDecay
from netspec.train.names import resolve

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def build_optimizer(optimizer: Optimizer, model: nn.Module, decay: WeightDecay | None) -> torch.optim.Optimizer:
    """Return the torch optimizer of all parameters that are learned.

    ``decay`` applies to the parameters that the recipe names. Raises ``UsageError`` if the optimizer cannot take the
    network.
    """
    kind, keywords = resolve(optimizer.torch), optimizer.keywords()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    accepted = inspect.signature(kind).parameters
    divided = any(hasattr(parameter, "placements") for parameter in learned)  # of which torch fuses but Adam
    if optimizer.fused and not divided and all(parameter.is_floating_point() for parameter in learned):
        keywords["fused"] = True
    groups: Any = learned
    if "weight_decay" in accepted:
        keywords["weight_decay"] = 0.0
        if decay is not None and decay.value:
            left_out = {id(parameter) for parameter in skipped(model, decay)}
            decaying = [parameter for parameter in learned if id(parameter) not in left_out]
            others = [parameter for parameter in learned if id(parameter) in left_out]
            groups = [{"params": decaying, "weight_decay": decay.value}, {"params": others}]
            groups = [group for group in groups if group["params"]]
    try:
        built: torch.optim.Optimizer = kind(groups, **keywords)
    except ValueError as error:
        raise UsageError(f"{optimizer.name}: {error}") from None
    return built


def penalised(optimizer: Optimizer, model: nn.Module, decay: WeightDecay | None) -> list[Tensor]:
    """Return the parameters whose decay is a term of the loss, as the optimizer has none of its own."""
    if decay is None or not decay.value or "weight_decay" in inspect.signature(resolve(optimizer.torch)).parameters:
        return []
    left_out = {id(parameter) for parameter in skipped(model, decay)}
    return [each for each in model.parameters() if each.requires_grad and id(each) not in left_out]


def skipped(model: nn.Module, decay: WeightDecay) -> Iterator[nn.Parameter]:
    """Yield the parameters that do not decay."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            bias = "bias" in decay.skip and "bias" in name
            norm = "norm" in decay.skip and isinstance(module, NORMS)
            embedding = "embedding" in decay.skip and isinstance(module, nn.Embedding)
            if bias or norm or embedding:
                yield parameter
