"""Batch norms that run as in evaluation while the network around them is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from netspec.graph import covers
from netspec.recipes.settings import BatchNormMode
from netspec.train.data.batches import Batch


def hold_statistics(model: nn.Module, mode: BatchNormMode | None) -> None:
    """Have the batch norms that a recipe names stay in evaluation mode, whatever mode the network is put into."""
    if mode is None or mode.train:
        return
    for module, key in _batch_norms(model):
        if any(covers(pattern, key) for pattern in mode.patterns):
            module.train = partial(_stay, module)
            module.eval()


@torch.no_grad()
def learn_statistics(
    model: nn.Module, batches: Iterable[Batch], autocast: Callable[[], AbstractContextManager[Any]]
) -> None:
    """Have batch norms learn their statistics anew: the mean of those of all batches, as torch's ``update_bn`` does.

    Those that stay in evaluation mode keep theirs.
    """
    training = model.training
    model.train()
    norms = {id(module): module for module, _ in _batch_norms(model) if module.training}
    momenta = {number: module.momentum for number, module in norms.items()}
    for module in norms.values():
        module.reset_running_stats()
        module.momentum = None  # the mean of all, rather than one that moves
    for batch in batches if norms else ():
        with autocast():
            model(*batch.inputs)
    for number, module in norms.items():
        module.momentum = momenta[number]
    model.train(training)


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    """Stand in for ``train`` of a module that keeps to evaluation mode, which ``eval`` calls too."""
    return nn.Module.train(module, False)


def _batch_norms(model: nn.Module) -> Iterator[tuple[Any, str]]:
    """Yield each batch norm with the key of its running mean, those too whose tensors another module has."""
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        if isinstance(module, _BatchNorm):
            yield module, f"{prefix}running_mean"
        for held in vars(module).values():
            inner = getattr(held, "module", None)
            if isinstance(inner, _BatchNorm) and "running_mean" in getattr(held, "keys", ()):
                yield inner, prefix + held.keys["running_mean"]
