"""Pieces of memory, and the tensors that lie in them."""

from __future__ import annotations

from typing import NamedTuple

from netspec.analysis.memory.precision import bytes_of
from netspec.dataclass import dataclass
from netspec.dims import Size
from netspec.ops import Tensor
from netspec.ops.core.layout import Strides


@dataclass(eq=False, slots=True)
class Storage:
    """A piece of memory: ``size`` bytes; ``kept`` where autograd keeps it already. Weights are not ``counted``."""

    size: Size
    kept: bool = False
    counted: bool = True

    def copy(self) -> Storage:
        """Return another piece of memory that is alike."""
        return Storage(self.size, self.kept, self.counted)


class PlacedTensor(NamedTuple):
    """A tensor of ``size`` bytes in its ``home``. ``needs``: gradients flow to it."""

    tensor: Tensor
    size: Size
    home: Storage
    strides: Strides | None = None
    needs: bool = False


def likeness(placed: PlacedTensor) -> tuple[object, ...]:
    """Return what two tensors have in common that a level cannot tell apart."""
    home = placed.home
    return placed.tensor, placed.strides, placed.needs, home.size, home.kept, home.counted


def fresh(tensor: Tensor, strides: Strides | None = None, needs: bool = False) -> PlacedTensor:
    """A tensor in memory of its own."""
    size = bytes_of(tensor)
    return PlacedTensor(tensor, size, Storage(size), strides, needs)
