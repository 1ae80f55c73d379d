"""Patches for torch.export: checks of values and windows as wide as an image, which no result depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F
from torch.nn.modules import transformer

POOLS = {f"{kind}_pool{rank}d": (kind, rank) for kind in ("max", "avg") for rank in (1, 2, 3)}
Change: TypeAlias = tuple[Any, str, Any]
"""An owner, the name of an attribute, and what that is to be."""


@contextmanager
def replaced(*changes: Change) -> Iterator[None]:
    """Replace attributes of classes and modules; afterwards they are as they were."""
    before = [(owner, name, vars(owner).get(name, _NOTHING)) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            delattr(owner, name) if value is _NOTHING else setattr(owner, name, value)


_NOTHING = object()


def easy_tracing() -> AbstractContextManager[None]:
    """Have torch's own functions do without what torch.export cannot follow."""
    return replaced(
        (Distribution, "_validate_args", False),
        (torch._VF, "_pack_padded_sequence", _refuse_packing),
        (transformer, "_detect_is_causal_mask", _causal_if_said),
        (torch.Tensor, "data", property(_plain_data, torch._C.TensorBase.data.__set__)),  # type: ignore[attr-defined]
        *((F, name, _pool(getattr(F, name), kind, rank)) for name, (kind, rank) in POOLS.items()),
    )


def _causal_if_said(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Return what is said of a mask; torch would compare its values, to choose a faster kernel."""
    return bool(is_causal)


def _refuse_packing(*given: Any) -> Any:
    raise RuntimeError("pack_padded_sequence")


def _plain_data(tensor: Tensor) -> Tensor:
    """A tensor's ``data``, which torch.export would take for a constant."""
    if isinstance(tensor, torch._subclasses.FakeTensor) and not isinstance(tensor, torch.nn.Parameter):
        return tensor.detach()
    return torch._C.TensorBase.data.__get__(tensor)  # type: ignore[attr-defined, no-any-return]


def _pool(function: Callable[..., Any], kind: str, rank: int) -> Callable[..., Any]:
    """A pooling whose window may be the whole of a symbolic size, as ``F.avg_pool2d(x, x.shape[2:])`` has it."""

    def call(input: Tensor, kernel_size: Any, *given: Any, **named: Any) -> Any:
        kernel = tuple(kernel_size) if isinstance(kernel_size, (tuple, list, torch.Size)) else (kernel_size,) * rank
        symbolic = any(isinstance(size, torch.SymInt) for size in kernel)
        if not symbolic or given or named or len(kernel) != rank or not _same(kernel, input.shape[-rank:]):
            return function(input, kernel_size, *given, **named)
        dims = tuple(range(-rank, 0))
        return input.amax(dims, keepdim=True) if kind == "max" else input.mean(dims, keepdim=True)

    return call


def _same(kernel: tuple[Any, ...], sizes: torch.Size) -> bool:
    return all(_expression(size) == _expression(whole) for size, whole in zip(kernel, sizes))


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size
