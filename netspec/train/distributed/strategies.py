"""How the processes of a world share the work on a network. ``sharding`` has the one that divides the network too."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from netspec.train.data.batches import Batch
from netspec.train.optimize.objective import Objective

NOTHING = nullcontext()


class Judged(nn.Module):
    """A network and its loss as one module: (batch, shares) -> the loss, a scalar."""

    def __init__(self, model: nn.Module, objective: Objective, autocast: Callable[[], AbstractContextManager[Any]]):
        super().__init__()
        self.model, self.objective, self.autocast = model, objective, autocast

    def forward(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        with self.autocast():
            outputs = self.model(*batch.inputs)
        return self.objective(outputs, batch.targets, shares)


class Alone:
    """One process has the network, and its gradients are its own."""

    sharded = False
    judged: nn.Module

    def __init__(self, judged: Judged):
        self.judged = judged

    def __call__(self, batch: Batch, shares: Mapping[str, float] | None = None) -> Tensor:
        """The loss of this process's rows, whose gradients are part of the whole batch's."""
        loss: Tensor = self.judged(batch, shares)
        return loss

    def gathering(self, last: bool) -> AbstractContextManager[Any]:
        """Around a part of a batch: the processes exchange gradients in the backward pass of the ``last`` one."""
        return NOTHING

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a parameter or its state, of which this process may have a part; every process has to ask."""
        return tensor

    def laid_out(self, tensor: Tensor, like: Tensor) -> Tensor:
        """A whole tensor, which every process has, placed or divided as ``like`` is."""
        return tensor.to(like.device)


class Replicated(Alone):
    """Every process has the whole network, and all take the same step: torch's ``DistributedDataParallel``.

    ``all_judged`` says that every output has a loss; else parameters may be left without a gradient.
    """

    def __init__(self, judged: Judged, all_judged: bool):
        warnings.filterwarnings("ignore", "find_unused_parameters=True was specified")  # it cannot be known before
        self.judged = DistributedDataParallel(judged, find_unused_parameters=not all_judged)

    def gathering(self, last: bool) -> AbstractContextManager[Any]:
        return NOTHING if last else self.judged.no_sync()  # type: ignore[operator]
