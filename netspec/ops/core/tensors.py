"""Tensors before anything runs: shapes and dtypes, demands on sizes, and the guards of ``infer``."""

from collections.abc import Mapping
from typing import Any

from netspec.dataclass import dataclass
from netspec.dims import Dim, Shape, Size, pretty_shape, substitute

HALVES = ("float16", "bfloat16")
"""Dtypes in which torch computes single precision and rounds, op by op; onnxruntime has few kernels for them."""

CARRIERS = {"float16": "float32", "bfloat16": "float32", "float64": "float32", "bool": "int32"}
"""The dtype to compute in instead of one that a framework has no kernel for."""

WHOLE = {"int32": range(-(2**31), 2**31), "int64": range(-(2**63), 2**63)}
"""The least and the largest integer of each dtype."""


class ShapeError(Exception):
    """An op cannot take these inputs. ``argument`` names the argument at fault, where one is; ``help`` a repair."""

    def __init__(self, message: str, *, argument: str | None = None, help: str | None = None):
        super().__init__(message)
        self.argument = argument
        self.help = help


@dataclass(frozen=True, slots=True)
class Tensor:
    """The shape of a tensor, whose sizes may be symbolic, and the name of its torch dtype."""

    shape: Shape
    dtype: str = "float32"

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def at(self, sizes: Mapping[str, int]) -> "Tensor":
        """Return the tensor where these symbols have these values."""
        return Tensor(tuple(substitute(size, sizes) for size in self.shape), self.dtype)


@dataclass(frozen=True, slots=True)
class InputRange:
    """The whole numbers that an input takes, from ``least`` up to, not including, ``below`` (truth values are 0 and 1).

    ``first`` is what the first along the last dimension must be: a mask that hides everything says nothing. ``ordered``
    says that none along it is less than the one before.
    """

    least: Size = 0
    below: Size | None = None
    first: int | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A size that an op takes from ``least`` on, or up to ``most`` only; ``reason`` says it as a sentence.

    ``argument`` names the argument that asks for it. ``training`` marks a bound that holds in training mode only.
    """

    size: Size
    reason: str
    least: Size | None = None
    most: Size | None = None
    argument: str | None = None
    training: bool = False


def known(size: Size, what: str) -> int:
    """Return a size that must be a number. Raises ``ShapeError``, which names it as ``what``, if it is symbolic."""
    if isinstance(size, Dim):
        raise ShapeError(f"{what} must be a known number, but is {size}")
    return size


def need_rank(name: str, shape: Shape, *ranks: int, layout: str) -> None:
    """Raise ``ShapeError`` unless the shape has one of these ranks; ``layout`` says it in letters: ``[N, C, H, W]``."""
    if len(shape) not in ranks:
        raise ShapeError(f"{name} takes {layout}, but its input is {pretty_shape(shape)}")


def axis_of(dim: int, rank: int, argument: str = "dim") -> int:
    """Return the dimension that ``dim`` means, counted from 0; a negative one counts from the end, as in torch.

    Raises ``ShapeError`` where a tensor of ``rank`` dimensions has no such one.
    """
    if not -rank <= dim < rank:
        raise ShapeError(f"dim {dim} is out of range for {rank} dimensions", argument=argument)
    return dim % rank


def need_integers(name: str, tensor: Tensor, *dtypes: str) -> None:
    """Guard: the tensor holds integers, of these dtypes."""
    if tensor.dtype not in (dtypes or ("int64", "int32")):
        raise ShapeError(f"{name} takes integers (int64), but its input is {tensor.dtype}")


def guard_value(name: str, value: Any, dtype: str) -> None:
    """Guard: integers of this dtype can hold the numbers, nested to any depth."""
    if isinstance(value, tuple):
        for item in value:
            guard_value(name, item, dtype)
    elif dtype in WHOLE and not isinstance(value, bool) and not (value == int(value) and int(value) in WHOLE[dtype]):
        raise ShapeError(f"{name}: {value} cannot be {dtype}", argument="value")
