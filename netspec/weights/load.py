"""Weights put into a module, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError, clipped
from netspec.graph import Graph
from netspec.recipes.weights import WeightsSource
from netspec.weights.places import OpenedWeights, report_on
from netspec.weights.report import WeightsReport


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Weights that a module has been given: ``line`` and ``advice`` are for people, ``record`` for files."""

    line: str
    advice: str | None
    record: Mapping[str, Any]


def load_weights(
    module: nn.Module, graph: Graph, source: WeightsSource, here: Path = Path(), complete: bool = False
) -> LoadedWeights:
    """Fill the module of a graph with the weights of a source; what it lacks keeps its values.

    Paths are relative to ``here``. If ``complete``, nothing may be lacking but what the source skips. Raises
    ``UsageError`` where nothing matches, a shape differs, or the file is not what it should be; ``EnvironmentFault``
    where it cannot be read.
    """
    report, opened = report_on(graph, source, here)
    report.guard(complete)
    fill(module, report, opened)
    record = {**report.record(), "file": opened.told, "sha256": opened.digest, **opened.facts}
    return LoadedWeights(report.line(), report.advice(), record)


def fill(module: nn.Module, report: WeightsReport, opened: OpenedWeights) -> None:
    """Copy what was matched into a module, tensor by tensor."""
    found, state = report.found, module.state_dict()
    wanted = {key: own for own, key in found.taken.items()}
    filled: dict[str, str] = {}  # tensors that are one, by the key that all of them are tied to
    for key, tensor in opened.tensors([*wanted]):
        own = wanted[key]
        guard_kind(own, tensor, state[own], opened.told)
        one = found.tensors[own].tied or own
        if one in filled:
            guard_tie(own, filled[one], tensor, state[own])
        filled[one] = own
        with torch.no_grad():
            state[own].copy_(tensor)


def guard_kind(key: str, tensor: Tensor, own: Tensor, told: str) -> None:
    """Guard: a tensor holds numbers of the kind that the network has there, real or whole."""
    if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex() != own.is_complex():
        have, want = (str(each.dtype).removeprefix("torch.") for each in (tensor, own))
        raise UsageError(f"`{clipped(key)}` is {have} in {told}, and the spec has {want}: are the weights quantised?")


def guard_tie(key: str, other: str, tensor: Tensor, present: Tensor) -> None:
    """Guard: tensors that are one in the spec are equal in the source."""
    if not torch.equal(tensor.to(present.dtype), present.cpu()):
        raise UsageError(
            f"`{clipped(other)}` and `{clipped(key)}` are one tensor in the spec (`tie`), but differ in the weights: "
            "leave the `tie` out, or `skip` one of them"
        )
