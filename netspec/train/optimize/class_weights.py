"""Weights of classes for losses that ask for balanced ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.files import replacing
from netspec.recipes import Column
from netspec.recipes.losses import ClassLoss, Loss
from netspec.train.data import Data

BALANCED = "balanced"
FILE = "loss_weights.safetensors"


def is_balanced(loss: Loss) -> bool:
    """Return whether a loss has weights that depend on the rows."""
    return BALANCED in (getattr(loss, "weight", None), getattr(loss, "pos_weight", None))


def balanced(loss: Loss, data: Data, name: str, rows: Tensor, classes: int | None) -> Loss:
    """Return a loss whose balanced weights are numbers, from the training rows ``rows`` (int64, [n]); others unchanged.

    ``name`` is the column of its target, ``classes`` the number of scores. Raises ``UsageError`` if the classes are
    known only after reading all rows.
    """
    if not is_balanced(loss):
        return loss
    column = getattr(data.train, "column", None)
    values = None if column is None else column(name)
    if values is None:
        raise UsageError(f"`{BALANCED}` needs data whose classes are known at once: give a number for each instead")
    values = values[rows]
    if isinstance(loss, ClassLoss):
        counted = values if loss.ignore_index is None else values[values != loss.ignore_index]
        return loss.model_copy(update={"weight": class_weights(counted, classes)})
    return loss.model_copy(update={"pos_weight": positive_weights(values, data.columns[name])})


def class_weights(values: Tensor, classes: int | None) -> list[float]:
    """Return n/(k·n_c) for each class; 1 for a class without rows, which counts nowhere."""
    counts = torch.bincount(values.flatten(), minlength=classes or 0).double()
    present = int((counts > 0).sum())
    return torch.where(counts > 0, counts.sum() / (present * counts), 1.0).tolist()


def positive_weights(values: Tensor, column: Column) -> float | list[float]:
    """Return the number of zeros for each one: by answer, if a row has several, or of all."""
    share = values.double() / (255 if values.dtype == torch.uint8 else 1)
    if len(column.shape) != 1:
        share = share.flatten()
    ones = share.sum(0)
    weights: float | list[float] = torch.where(ones > 0, (len(share) - ones) / ones, 1.0).tolist()
    return weights


def known_weights(loss: Loss, weights: Mapping[str, Tensor], output: str) -> Loss:
    """Return a loss with the weights that a run has saved for it."""
    if not is_balanced(loss) or output not in weights:
        return loss
    argument = "weight" if isinstance(loss, ClassLoss) else "pos_weight"
    return loss.model_copy(update={argument: weights[output].tolist()})


def write_loss_weights(losses: Mapping[str, Loss], asked: Mapping[str, Loss], folder: Path) -> None:
    """Write the weights that losses have learned from the rows, by which other data are scored."""
    tensors = {}
    for output, loss in losses.items():
        if is_balanced(asked[output]):
            value = loss.weight if isinstance(loss, ClassLoss) else getattr(loss, "pos_weight", None)
            tensors[output] = torch.tensor(value, dtype=torch.float64)
    if tensors:
        with replacing(folder / FILE) as temporary:
            safetensors.torch.save_file(tensors, temporary)


def has_loss_weights(folder: Path) -> bool:
    """Return whether a run has saved the weights of its losses."""
    return (folder / FILE).is_file()


def read_loss_weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights that a run has saved of its losses, by output. Raises ``EnvironmentFault``."""
    if not has_loss_weights(folder):
        return {}
    try:
        return safetensors.torch.load_file(folder / FILE)
    except (OSError, safetensors.SafetensorError) as fault:
        raise EnvironmentFault(f"cannot read the weights of the loss in {folder / FILE}: {fault}") from None
