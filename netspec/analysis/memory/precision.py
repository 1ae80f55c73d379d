"""Bytes of a tensor, in the precisions that a network runs in."""

from __future__ import annotations

from functools import lru_cache

from netspec.dims import Size, product
from netspec.ops import Tensor

BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


PRECISIONS = {"float32": 4, "mixed": 4, "bfloat16": 2}
"""Bytes of a weight, of its gradient, and of a number of the optimizer's state."""


def counted_as(precision: str) -> str:
    """Return the precision that takes as much memory, and is counted: for float16 by autocast, `mixed`."""
    return "mixed" if precision == "float16" else precision


@lru_cache(maxsize=4096)
def bytes_of(tensor: Tensor) -> Size:
    """Return the bytes of a tensor's elements."""
    return product(tensor.shape) * BYTES[tensor.dtype]


@lru_cache(maxsize=4096)
def in_precision(tensor: Tensor, precision: str) -> Tensor:
    """A tensor of the spec as a network in this precision has it."""
    low = precision == "bfloat16" and tensor.dtype == "float32"
    return Tensor(tensor.shape, "bfloat16") if low else tensor
