"""What rows of each class weigh, where a loss asks for classes to weigh as much as each other."""

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
    """A loss with its weights as numbers, from the training rows of these numbers; any other as it is.

    ``name`` is the column that it compares with, ``classes`` how many scores there are. Raises ``UsageError`` where
    only reading all rows would tell how many there are of each class.
    """
    if not is_balanced(loss):
        return loss
    column = getattr(data.train, "column", None)
    values = None if column is None else column(name)
    if values is None:
        raise UsageError(f"`{BALANCED}` needs data whose classes are known at once: give a number for each instead")
    values = values[rows]
    if isinstance(loss, ClassLoss):
        kept = values if loss.ignore_index is None else values[values != loss.ignore_index]
        return loss.model_copy(update={"weight": class_weights(kept, classes)})
    return loss.model_copy(update={"pos_weight": positive_weights(values, data.columns[name])})


def class_weights(values: Tensor, classes: int | None) -> list[float]:
    """n/(k·n_c) of each class; a class without rows, which counts nowhere, has 1."""
    counts = torch.bincount(values.flatten(), minlength=classes or 0).double()
    present = int((counts > 0).sum())
    return torch.where(counts > 0, counts.sum() / (present * counts), 1.0).tolist()


def positive_weights(values: Tensor, column: Column) -> float | list[float]:
    """How many zeros there are for each one: of each answer in a row of several, or of all."""
    share = values.double() / (255 if values.dtype == torch.uint8 else 1)
    if len(column.shape) != 1:
        share = share.flatten()
    ones = share.sum(0)
    found: float | list[float] = torch.where(ones > 0, (len(share) - ones) / ones, 1.0).tolist()
    return found


def known_weights(loss: Loss, weights: Mapping[str, Tensor], output: str) -> Loss:
    """A loss with the weights that a run has kept of it."""
    if not is_balanced(loss) or output not in weights:
        return loss
    argument = "weight" if isinstance(loss, ClassLoss) else "pos_weight"
    return loss.model_copy(update={argument: weights[output].tolist()})


def write_loss_weights(losses: Mapping[str, Loss], asked: Mapping[str, Loss], folder: Path) -> None:
    """Write the weights of those losses that had them from the rows: other data are judged by the same."""
    found = {}
    for output, loss in losses.items():
        if is_balanced(asked[output]):
            value = loss.weight if isinstance(loss, ClassLoss) else getattr(loss, "pos_weight", None)
            found[output] = torch.tensor(value, dtype=torch.float64)
    if found:
        with replacing(folder / FILE) as temporary:
            safetensors.torch.save_file(found, temporary)


def has_loss_weights(folder: Path) -> bool:
    """Return whether it is kept what the losses know of the classes."""
    return (folder / FILE).is_file()


def read_loss_weights(folder: Path) -> dict[str, Tensor]:
    """The weights that a run has kept of its losses, by output."""
    if not has_loss_weights(folder):
        return {}
    try:
        return safetensors.torch.load_file(folder / FILE)
    except (OSError, safetensors.SafetensorError) as fault:
        raise EnvironmentFault(f"cannot read the weights of the loss in {folder / FILE}: {fault}") from None
