"""The oracle for what is kept for the backward pass: torch's own hooks on what autograd saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

Storages = dict[int, Tensor]


def address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def nbytes(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes()


@contextmanager
def recording(besides: Iterable[Tensor] = ()) -> Iterator[Storages]:
    """Collects what autograd saves, a tensor for each storage; not what is in the storages of ``besides``."""
    aside = {address(tensor) for tensor in besides}
    found: Storages = {}

    def keep(tensor: Tensor) -> Tensor:
        if address(tensor) not in aside:
            found.setdefault(address(tensor), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), masks_as_on_cuda():
        yield found


@contextmanager
def masks_as_on_cuda() -> Iterator[None]:
    """Dropout by the op that torch runs on CUDA, which keeps a mask of truth values; on CPU it keeps floats."""
    plain: Callable[..., Any] = F.dropout

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0 or inplace:
            return plain(input, p, training, inplace)
        return torch.native_dropout(input, p, True)[0]

    with patch.object(F, "dropout", dropout):
        yield
