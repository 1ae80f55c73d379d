"""The oracle for what is kept for the backward pass: torch's own hooks on what autograd saves."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

torch.set_num_threads(1)

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

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), dropout_as_on_cuda():
        yield found


@contextmanager
def dropout_as_on_cuda() -> Iterator[None]:
    """Dropout by the op that torch runs on CUDA, which keeps a mask of truth values, where that on CPU keeps floats;
    and attention without it: the fused kernel on CUDA keeps a seed alone, while on CPU there is none with dropout.
    """
    plain: Callable[..., Any] = F.dropout
    attention: Callable[..., Any] = F.scaled_dot_product_attention

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        fused = training and p > 0 and not inplace
        return torch.native_dropout(input, p, True)[0] if fused else plain(input, p, training, inplace)

    def attend(query: Tensor, key: Tensor, value: Tensor, *more: Any, **others: Any) -> Any:
        others |= zip(("attn_mask", "dropout_p", "is_causal"), more)
        return attention(query, key, value, **{**others, "dropout_p": 0.0})

    with patch.object(F, "dropout", dropout), patch.object(F, "scaled_dot_product_attention", attend):
        yield


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and remembers the most there ever were."""

    def __init__(self, there: Iterable[Tensor]):
        super().__init__()
        self.now = self.peak = 0
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()
        for tensor in there:
            self.meet(tensor)

    def meet(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known.add(storage)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.part, storage.nbytes())

    def part(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, (list, tuple)) else [result]:
            if isinstance(made, Tensor):
                self.meet(made)
        return result
