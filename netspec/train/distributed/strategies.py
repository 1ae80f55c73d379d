"""Strategies: how the processes of a world share the training of a network. ``sharding`` has the one for FSDP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from netspec.train.data.batches import Batch
from netspec.train.optimize.objective import Objective


class ModelWithLoss(nn.Module):
    """A network and its objective as one module: ``(batch, shares) -> loss``, a scalar."""

    def __init__(self, model: nn.Module, objective: Objective, autocast: Callable[[], AbstractContextManager[Any]]):
        super().__init__()
        self.model, self.objective, self.autocast = model, objective, autocast

    def forward(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        with self.autocast():
            outputs = self.model(*batch.inputs)
        return self.objective(outputs, batch.targets, shares)


class Strategy:
    """Base of all strategies; the methods do what suits a process that has the whole network. ``sharded`` says that
    parameters are divided among the processes.
    """

    sharded = False

    def __init__(self, module: nn.Module):
        self.module = module

    def __call__(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        """Return the loss of this process's rows, a scalar, whose gradients are part of the whole batch's."""
        loss: Tensor = self.module(batch, shares)
        return loss

    def gradient_sync(self, last: bool) -> AbstractContextManager[Any]:
        """Return the context of a part of a batch: gradients are exchanged in the backward pass of the ``last`` one."""
        return nullcontext()

    def full_tensor(self, tensor: Tensor) -> Tensor:
        """Return all of a parameter, or of its state, that may be sharded. Every process calls this."""
        return tensor

    def placed_like(self, tensor: Tensor, like: Tensor) -> Tensor:
        """Return a full tensor, which every process has, on the device of ``like`` and sharded as that is."""
        return tensor.to(like.device)


class SingleProcess(Strategy):
    """One process trains the network."""

    def __init__(self, module: ModelWithLoss):
        super().__init__(module)
        self.model, self.objective, self.autocast = module.model, module.objective, module.autocast

    def __call__(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        with self.autocast():
            outputs = self.model(*batch.inputs)
        return self.objective(outputs, batch.targets, shares)


class DDP(Strategy):
    """Every process has the whole network, and all take the same step: torch's ``DistributedDataParallel``.

    Unless ``all_judged``, some outputs have no loss, and parameters may be left without a gradient.
    """

    def __init__(self, module: ModelWithLoss, all_judged: bool):
        warnings.filterwarnings("ignore", "find_unused_parameters=True was specified")  # it cannot be known before
        super().__init__(DistributedDataParallel(module, find_unused_parameters=not all_judged))

    def gradient_sync(self, last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if last else self.module.no_sync()  # type: ignore[operator]
