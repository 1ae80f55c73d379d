"""Snapshots: the state of a network and its optimizer, by the names of the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netspec.train.distributed.strategies import Strategy

MODEL, OPTIMIZER, AVERAGES = "model", "optimizer", "averages"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``tensors`` has weights as ``model/NAME``, their moving averages as ``averages/NAME``, and the state of the
    optimizer as ``optimizer/NAME/KEY``, which may be sharded. ``rest`` is small, and all that the run has besides.
    """

    tensors: dict[str, Tensor]
    rest: dict[str, Any]


def snapshot_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, averages: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> Snapshot:
    """Return the present state; its tensors are the live ones."""
    tensors = {f"{MODEL}/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"{AVERAGES}/{name}": tensor for name, tensor in averages.items()}
    numbers: dict[str, Any] = {}
    for name, parameter in learned(model, optimizer):
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{OPTIMIZER}/{name}/{key}"] = value
            else:
                numbers.setdefault(name, {})[key] = value
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    return Snapshot(tensors, {**rest, OPTIMIZER: {"state": numbers, "groups": groups}})


def restore(
    snapshot: Snapshot,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor],
    strategy: Strategy,
) -> None:
    """Replace the present state by a snapshot. Full tensors are placed and sharded as those of the model are."""
    for name, average in averages.items():
        average.copy_(strategy.placed_like(snapshot.tensors[f"{AVERAGES}/{name}"], average))
    present = model.state_dict()
    weights = {_after(MODEL, key): tensor for key, tensor in snapshot.tensors.items() if key.startswith(MODEL)}
    model.load_state_dict({name: strategy.placed_like(tensor, present[name]) for name, tensor in weights.items()})
    parameters = dict(learned(model, optimizer))
    saved_optimizer = snapshot.rest[OPTIMIZER]
    states: dict[str, dict[str, Any]] = {name: dict(values) for name, values in saved_optimizer["state"].items()}
    for key, tensor in snapshot.tensors.items():
        if key.startswith(OPTIMIZER):
            name, _, entry = _after(OPTIMIZER, key).rpartition("/")
            like = parameters[name].detach()
            states.setdefault(name, {})[entry] = (
                strategy.placed_like(tensor, like) if tensor.shape == like.shape else tensor
            )
    numbers = {name: number for number, name in enumerate(parameters)}
    own = optimizer.state_dict()["param_groups"]
    groups = [{**saved, "params": group["params"]} for saved, group in zip(saved_optimizer["groups"], own)]
    optimizer.load_state_dict(
        {"state": {numbers[name]: state for name, state in states.items()}, "param_groups": groups}
    )


def empty_tensors(
    sizes: Mapping[str, tuple[torch.Size, torch.dtype]],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return tensors to read a sharded checkpoint into: sharded as the parameter of the same size is, else whole."""
    weights = model.state_dict()
    named = dict(learned(model, optimizer))
    tensors = {}
    for key, (size, dtype) in sizes.items():
        if key.startswith(MODEL):
            tensors[key] = weights[_after(MODEL, key)]
            continue
        if key.startswith(AVERAGES):
            tensors[key] = averages[_after(AVERAGES, key)]
            continue
        like = named[_after(OPTIMIZER, key).rpartition("/")[0]].detach()
        tensors[key] = torch.empty_like(like, dtype=dtype) if like.shape == size else torch.empty(size, dtype=dtype)
    return tensors


def learned(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters of an optimizer, in its order, by name; a tied one by its first name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield names[id(parameter)], parameter


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the state of the generators that dropout draws from."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def _after(part: str, key: str) -> str:
    return key[len(part) + 1 :]
