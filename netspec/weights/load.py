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
from netspec.weights.files.adapter import AdapterFile
from netspec.weights.keys import tensors_of
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
    changes = opened_adapter(graph, source.adapter, here) if source.adapter else None
    report.guard(complete, () if changes is None else changes.shapes)
    fill(module, report, opened)
    line, record = report.line(), {**report.record(), "file": opened.told, "sha256": opened.digest, **opened.facts}
    if changes is not None:
        put_on_top(module, changes)
        line = f"{line}; {len(changes.shapes):,} tensors of {changes.path} on top"
        record |= {"adapter_sha256": changes.digest}
    return LoadedWeights(line, report.advice(), record)


def opened_adapter(graph: Graph, folder: str, here: Path) -> AdapterFile:
    """Return the changes of low rank in a folder. Raises ``UsageError`` where they are not those of the network."""
    path = here / Path(folder).expanduser()
    file = AdapterFile(path)
    if not file.path.is_file():
        inside = path / "adapter" if (path / "adapter").is_dir() else "runs/NAME/1/adapter"
        raise UsageError(f"there is no {file.path}: `adapter` is the folder of that file, such as {inside}")
    own = {tensor.key: tensor for tensor in tensors_of(graph)}
    for key, shape in file.shapes.items():
        if key not in own:
            beside = " (`lora` has no step there)" if "lora_" in key else ""
            raise UsageError(f"{file.path} holds `{clipped(key)}`, which the spec does not have{beside}")
        if own[key].shape != shape:
            raise UsageError(f"`{clipped(key)}` is {[*shape]} in {file.path} and {[*own[key].shape]} in the spec")
    lacking = [tensor.key for tensor in own.values() if tensor.added and tensor.key not in file.shapes]
    if lacking:
        raise UsageError(f"{file.path} has no `{clipped(lacking[0])}`, which `lora` of the spec adds")
    scale = graph.changes[0].scale if graph.changes else file.scale
    if abs(scale - file.scale) > 1e-9:
        message = f"the changes in {file.path} count alpha/rank = {file.scale:g} times, and those of the spec {scale:g}"
        raise UsageError(f"{message} times: give `lora` the `alpha` that they were learned with")
    return file


def put_on_top(module: nn.Module, changes: AdapterFile) -> None:
    """Copy changes of low rank, and what was learned beside them, into a module."""
    state = module.state_dict()
    with torch.no_grad():
        for key, tensor in changes.tensors([*changes.shapes]):
            guard_kind(key, tensor, state[key], str(changes.path))
            state[key].copy_(tensor)


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
