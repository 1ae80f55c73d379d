"""A case: an op, its arguments and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from netspec.dims import Dim, Shape, Size, evaluate, evaluate_shape
from netspec.emit.onnx.builder import DTYPES
from netspec.ops import Op, Tensor

Values = list[torch.Tensor | None]

SIZES: tuple[Mapping[str, int], ...] = (
    {"N": 2, "L": 11, "D": 7, "H": 11, "W": 8, "T": 5, "S": 3},
    {"N": 3, "L": 14, "D": 9, "H": 13, "W": 14, "T": 8, "S": 11},
)
"""The values of the symbols in shapes, in turn."""


@dataclass(frozen=True)
class OpCase:
    """An op with its inputs: texts such as ``N 6 H W``, ``N T int64<10`` or ``N T bool``; ``None`` is one left out.

    ``sizes`` give the symbols their values, in turn. ``tolerance`` is the error that ONNX may have, relative to the
    largest value. ``macs`` says whether torch's counter can count it. ``change`` makes random values fit for the op.
    """

    kind: type[Op]
    inputs: tuple[str | None, ...]
    arguments: Mapping[str, Any]
    sizes: tuple[Mapping[str, int], ...] = SIZES
    tolerance: float = 1e-5
    macs: bool = True
    change: Callable[[Values], Values] | None = None

    def __str__(self) -> str:
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.name}({arguments})-{'-'.join(map(str, self.inputs))}".replace(" ", "")

    @property
    def name(self) -> str:
        """The op's key."""
        return self.kind.name

    def op(self, sizes: Mapping[str, int] | None = None) -> Op:
        """Return the op; with ``sizes``, the symbolic sizes in its arguments have these values."""
        return self.kind(**{name: _known(value, sizes) for name, value in self.arguments.items()})

    def tensors(self, sizes: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        """Return the inputs' shapes and dtypes; with ``sizes``, those of these values."""
        tensors = [None if text is None else read_input(text)[0] for text in self.inputs]
        if sizes is None:
            return tuple(tensors)
        return tuple(tensor and Tensor(evaluate_shape(tensor.shape, sizes), tensor.dtype) for tensor in tensors)

    def values(self, sizes: Mapping[str, int]) -> Values:
        """Return random inputs, the same in every call: normal, or integers below the bound of the text."""
        generator = torch.Generator().manual_seed(1)
        values: Values = []
        for text, tensor in zip(self.inputs, self.tensors(sizes)):
            values.append(None if text is None else _random(tensor, read_input(text)[1], sizes, generator))
        return values if self.change is None else self.change(values)


def read_input(text: str) -> tuple[Tensor, Size | None]:
    """Return the tensor that a text describes, and the bound of its integers, where it has one."""
    words = text.split()
    dtype, bound = "float32", ""
    if words and words[-1].partition("<")[0] in DTYPES:
        dtype, _, bound = words.pop().partition("<")
    shape = read_shape(" ".join(words))
    return Tensor(shape, dtype), read_shape(bound)[0] if bound else 2 if dtype == "bool" else None


def read_shape(text: str) -> Shape:
    """Return the shape that a text spells: ``2 N 2*H``."""
    return tuple(int(word) if word.isdigit() else _size(word) for word in text.split())


def _size(word: str) -> Size:
    factor, _, symbol = word.rpartition("*")
    return Dim.symbol(symbol) * int(factor or 1)


def _known(value: Any, sizes: Mapping[str, int] | None) -> Any:
    if sizes is None:
        return value
    if isinstance(value, list):
        return [_known(item, sizes) for item in value]
    return evaluate(value, sizes) if isinstance(value, Dim) else value


def _random(tensor: Any, bound: Size | None, sizes: Mapping[str, int], generator: torch.Generator) -> torch.Tensor:
    dtype = getattr(torch, tensor.dtype)
    if bound is not None:
        return torch.randint(0, evaluate(bound, sizes), tensor.shape, generator=generator).to(dtype)
    normal = torch.randn(*tensor.shape, generator=generator)
    return normal.to(dtype) if dtype.is_floating_point else (normal * 9).to(dtype)
