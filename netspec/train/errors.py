"""Errors of a run, with what caused them and what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import EnvironmentFault, TrainingFault
from netspec.diagnostics.shortage import is_short_of_memory
from netspec.recipes.settings import Settings
from netspec.train.data import DataFault
from netspec.train.data.batches import Batch
from netspec.train.world import SINGLE_PROCESS, World


def loss_fault(step: int, loss: float, model: nn.Module, batch: Batch | None, world: World) -> TrainingFault:
    """Return the error of a step whose loss is not finite, naming the layer it comes from.

    ``batch`` is that of the step; ``None`` if the weights have changed since, which leave nothing to look at. Every
    process calls this.
    """
    where = "later steps have changed the weights; `--set train.devices=cpu` names the layer"
    if batch is not None:
        where = name_the_layer(model, batch, world)
    return TrainingFault(
        f"the loss is {loss} at step {step}: {where}. The last good checkpoint is kept; a smaller "
        "learning rate (`--set train.optimizer.lr=…`), a `schedule` with `warmup`, or `clip: 1.0` may help"
    )


def name_the_layer(model: nn.Module, batch: Batch, world: World = SINGLE_PROCESS) -> str:
    """Explain where the first number that is not finite comes from: a parameter, the data, or a layer.

    Every process calls this, and all get the same answer, whichever has the row that it comes from.
    """
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            return f"the parameter `{name}` is no longer finite"
    if world.most(not all(tensor is None or finite(tensor) for tensor in batch.inputs)):
        return "the data hold a number that is not finite"
    suspects: list[str] = []
    handles = [
        module.register_forward_hook(
            lambda _, __, output, name=name: suspects.append(name) if not finite(output) else None
        )
        for name, module in model.named_modules()
        if name and not any(True for _ in module.children())
    ]
    try:
        with torch.no_grad():
            output = model(*batch.inputs)
    finally:
        for handle in handles:
            handle.remove()
    layers = [name for part in world.gathered(suspects[:1]) for name in part]
    if layers:
        return f"the layer `{layers[0]}` makes the first number that is not finite"
    if world.most(not finite(output)):
        return "the output is not finite"
    return "every layer is finite, but the loss of what they give is not"


def finite(value: Any) -> bool:
    """Return whether a tensor, or all tensors in a collection, are finite."""
    if isinstance(value, Tensor):
        return bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return all(map(finite, value)) if isinstance(value, (list, tuple)) else True


@contextmanager
def out_of_memory(settings: Settings) -> Iterator[None]:
    """Report that memory is short as a ``TrainingFault``, with settings that need less."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch's own is one of the former
        if not is_short_of_memory(error):
            raise
        batch, parts = settings.batch, settings.accumulate
        help = f"`--set train.accumulate={parts * 2}` takes half of it and gives the same"
        if batch is None or batch < 2 * parts:
            help = "`--set train.precision=mixed`, or a smaller network, takes less"
        else:
            help += f"; `--set train.batch={batch // 2}` trains with smaller batches"
        raise TrainingFault(f"a step with {batch or 'all'} rows does not fit in memory: {help}") from None


@contextmanager
def enough_rows() -> Iterator[None]:
    """Report a batch norm that sees a single number of each channel as a ``TrainingFault``."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingFault(
            "a batch norm cannot learn from a single row, which is what a step has for it: choose another `batch`, as "
            "the last one of an epoch has what is left, or fewer devices or parts (`accumulate`)"
        ) from None


@contextmanager
def readable() -> Iterator[None]:
    """Report files of the data that cannot be read during the run as a ``TrainingFault``."""
    try:
        yield
    except DataFault as error:
        raise TrainingFault(f"{error.message}{f': {error.help}' if error.help else ''}") from None


@contextmanager
def too_large(path: Path) -> Iterator[None]:
    """Report a full or read-only disk as an ``EnvironmentFault``."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}; everything saved before is intact") from None
