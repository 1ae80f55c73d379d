"""The optimizer of a recipe, with weight decay for the parameters that decay."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import UsageError
from netspec.elaborate.training.changeable import is_trained
from netspec.graph import WeightChange, covers
from netspec.recipes.optimizers import Optimizer
from netspec.recipes.settings import ParameterGroup, WeightDecay
from netspec.train.names import resolve

FACTOR = "factor"
"""The key that a torch group has its factor of the learning rate under, until that is multiplied."""
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def build_optimizer(
    optimizer: Optimizer,
    model: nn.Module,
    decay: WeightDecay | None,
    groups: Mapping[str, ParameterGroup] = {},
    factors: Mapping[str, float] = {},
) -> torch.optim.Optimizer:
    """Return the torch optimizer of all parameters that are learned.

    ``decay`` applies to the parameters that the recipe names; ``groups`` have rates and decays of their own;
    ``factors`` multiply the rates of parameters, by their keys. Raises ``UsageError`` if the optimizer cannot take the
    network.
    """
    kind, keywords = resolve(optimizer.torch), optimizer.keywords()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    accepted = inspect.signature(kind).parameters
    divided = any(hasattr(parameter, "placements") for parameter in learned)  # of which torch fuses but Adam
    if optimizer.fused and not divided and all(parameter.is_floating_point() for parameter in learned):
        keywords["fused"] = True
    decays = "weight_decay" in accepted
    if decays:
        keywords["weight_decay"] = 0.0
    elif any(group.weight_decay is not None for group in groups.values()):
        raise UsageError(f"`{optimizer.name}` has no decay of its own, so groups cannot differ in it: leave it out")
    divisions = divided_parameters(model, learned, decay if decays else None, groups)
    divisions = divided_by_factors(model, divisions, factors)
    try:
        built: torch.optim.Optimizer = kind(divisions, **keywords)
    except ValueError as error:
        raise UsageError(f"{optimizer.name}: {error}") from None
    for group in built.param_groups:
        group["lr"] *= group.pop(FACTOR, 1.0)
    return built


def divided_parameters(
    model: nn.Module,
    learned: Sequence[nn.Parameter],
    decay: WeightDecay | None,
    groups: Mapping[str, ParameterGroup],
) -> list[dict[str, Any]]:
    """Return torch's groups of the parameters: those of no group first, and of each those that decay first."""
    left_out = {id(parameter) for parameter in skipped(model, decay)} if decay is not None else set()
    usual = decay.value if decay is not None else 0.0
    members = group_members(model, groups)
    found: list[dict[str, Any]] = []
    for pattern in (None, *groups):
        group = groups[pattern] if pattern is not None else ParameterGroup()
        own = [parameter for parameter in learned if members.get(id(parameter)) == pattern]
        value = usual if group.weight_decay is None else group.weight_decay
        rate: dict[str, Any] = {} if group.lr is None else {"lr": group.lr}
        if group.warmup is not None:
            rate["warmup"] = group.warmup
        decaying = [parameter for parameter in own if value and id(parameter) not in left_out]
        others = [parameter for parameter in own if not value or id(parameter) in left_out]
        found += [{"params": decaying, "weight_decay": value, **rate}, {"params": others, **rate}]
    return [each for each in found if each["params"]]


def divided_by_factors(
    model: nn.Module, divisions: Sequence[dict[str, Any]], factors: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return torch's groups of the parameters, divided further so that one factor is that of all in a group.

    The largest factors come first.
    """
    by_parameter: dict[int, float] = {}
    for key, parameter in model.named_parameters(remove_duplicate=False):
        if key in factors:
            by_parameter.setdefault(id(parameter), factors[key])
    found: list[dict[str, Any]] = []
    for factor in sorted({1.0, *factors.values()}, reverse=True):
        for division in divisions:
            own = [each for each in division["params"] if by_parameter.get(id(each), 1.0) == factor]
            found.append({**division, "params": own, FACTOR: factor})
    return [each for each in found if each["params"]] if factors else [*divisions]


def group_members(model: nn.Module, groups: Mapping[str, ParameterGroup]) -> dict[int, str]:
    """Return the pattern of the group that each parameter is in, by the parameter's id; of several the first."""
    found: dict[int, str] = {}
    for key, parameter in model.named_parameters(remove_duplicate=False):
        pattern = next((pattern for pattern in groups if covers(pattern, key)), None)
        if pattern is not None:
            found.setdefault(id(parameter), pattern)
    return found


def freeze_groups(model: nn.Module, groups: Mapping[str, ParameterGroup]) -> None:
    """Have the parameters of groups that are frozen throughout not be learned."""
    members = group_members(model, groups)
    for parameter in model.parameters():
        pattern = members.get(id(parameter))
        if pattern is not None and groups[pattern].freeze is True:
            parameter.requires_grad_(False)


def freeze_beside(model: nn.Module, changes: Sequence[WeightChange], groups: Mapping[str, ParameterGroup]) -> None:
    """Have nothing be learned beside changes of weights, where there are any, but what ``groups`` name.

    The graph has whole steps frozen; this is for the parameters of those of which a group names one, but not all.
    """
    added = {key for change in changes for key in (change.down, change.up)}
    for key, parameter in model.named_parameters():
        if added and key not in added and not is_trained(key, groups):
            parameter.requires_grad_(False)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Parameters that stay as they are for the first ``epochs``."""

    epochs: int
    parameters: list[nn.Parameter]


def frozen_at_first(model: nn.Module, groups: Mapping[str, ParameterGroup]) -> list[Frozen]:
    """Return the parameters of groups that are frozen for a number of epochs."""
    members = group_members(model, groups)
    found = []
    for pattern, group in groups.items():
        own = [parameter for parameter in model.parameters() if members.get(id(parameter)) == pattern]
        if group.freeze and group.freeze is not True:
            found.append(Frozen(group.freeze, own))
    return found


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
