"""Random numbers replaced by fixed ones, so that two runs of a random network can be compared.

Both runtimes draw from generators of their own. For a comparison, each gets the same numbers in their place: element
``i`` of a tensor is evenly spread by ``(STEP·i + 1) mod MODULUS``, which float32 and int64 give alike everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from netspec.graph import Graph, Node, walk

STEP, MODULUS = 7919, 10007
SPREAD = math.sqrt(12)
"""The number by which evenly spread numbers must be stretched for a variance of 1."""


def is_random(graph: Graph) -> bool:
    """Return whether a network draws random numbers in inference."""
    return any(isinstance(step, Node) and step.op.is_random() for _, step, _ in walk(graph.body))


@contextmanager
def fixed_noise(is_random: bool) -> Iterator[None]:
    """Give fixed numbers for random ones in what torch runs inside; where nothing is random, all stays as it is."""
    with FixedNoise() if is_random else nullcontext():  # type: ignore[no-untyped-call]
        yield


def evenly(like: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return the fixed numbers between two others."""
    counted = torch.arange(like.numel(), device=like.device).mul(STEP).add(1).remainder(MODULUS)
    return counted.to(like.dtype).add(0.5).div(MODULUS).mul(high - low).add(low).reshape(like.shape)


def normal(like: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Return fixed numbers of this mean and standard deviation."""
    return evenly(like).sub(0.5).mul(SPREAD).mul(std).add(mean)


DRAWN: Mapping[Any, Callable[..., Tensor]] = {
    torch.ops.aten.randn_like.default: normal,
    torch.ops.aten.rand_like.default: evenly,
    torch.ops.aten.normal_.default: normal,
    torch.ops.aten.uniform_.default: evenly,
    torch.ops.aten.bernoulli_.float: lambda like, p=0.5: evenly(like).lt(p).to(like.dtype),
    torch.ops.aten.exponential_.default: lambda like, lambd=1.0: evenly(like).log().neg().div(lambd),
}
"""The numbers that stand for those of each of torch's functions, from a tensor like them and its further arguments."""


class FixedNoise(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives fixed numbers for random ones, in torch."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func not in DRAWN:
            return func(*args, **(kwargs or {}))
        first, *others = args
        like = first.float() if first.element_size() < 4 else first  # rounded at the end alone, as onnxruntime does
        if func.overloadpacket in (torch.ops.aten.randn_like, torch.ops.aten.rand_like):
            dtype = (kwargs or {}).get("dtype") or first.dtype
            return DRAWN[func](like.to(torch.promote_types(dtype, torch.float32))).to(dtype)
        return first.copy_(DRAWN[func](like, *others))
