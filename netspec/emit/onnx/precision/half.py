"""Networks in 16 bits, op by op: which of them run in half precision, and which in single.

As under torch's autocast, products of weights run in half, and what adds up squares or takes exponentials in single;
other ops run as what they read is. So what is made of whole numbers, such as the angles of positions, stays exact. An
op casts what it reads, and what it gives stays as it is: ops in single behind each other lose nothing between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from netspec.diagnostics import UsageError, did_you_mean
from netspec.emit.onnx.builder import DTYPES, GraphBuilder
from netspec.emit.onnx.parts import LARGEST, OnnxValue, rounded
from netspec.emit.onnx.versions import kind_of
from netspec.graph import Graph, Node, walk
from netspec.ops import HALVES, Op, Tensor

REAL = ("float32", *HALVES)
"""The dtypes of a graph that are others in the file."""
LEAST = {"float16": 2.0**-14, "bfloat16": 2.0**-126}
"""The least numbers that have all their digits."""
BFLOAT16_OPSET = 22
"""The first opset whose convolutions, poolings and recurrent layers take bfloat16."""


class Half(NamedTuple):
    """The precision of a file: a dtype of 16 bits, and the patterns of the layers that are left in float32."""

    dtype: str
    keep: Sequence[str] = ()

    def made(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the graph as the states of scans have it."""
        return Tensor(tensor.shape, self.dtype) if tensor.dtype in REAL else tensor

    def write(
        self,
        builder: GraphBuilder,
        op: Op,
        inputs: Sequence[OnnxValue | None],
        tensors: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
    ) -> list[OnnxValue | None]:
        """Write the nodes of an op in the dtype that it runs in; return its results."""
        dtype = self.running(builder, op, inputs, tensors)
        carried = [tensor and Tensor(tensor.shape, self.carrier(op, tensor.dtype, dtype)) for tensor in tensors]
        read = [
            value if value is None or to is None else builder.read(value, to.dtype)
            for value, to in zip(inputs, carried)
        ]
        builder.real = dtype
        made = op.onnx(builder, *read, tensors=carried)  # type: ignore[arg-type]
        builder.real = self.dtype
        results: list[OnnxValue | None] = [*made] if isinstance(made, tuple) else [made]
        lacks = any(tensor and to and tensor.dtype not in REAL and to != tensor for tensor, to in zip(tensors, carried))
        return [
            builder.read(value, tensor.dtype) if lacks and value is not None and tensor.dtype not in REAL else value
            for value, tensor in zip(results, outputs)
        ]

    def carrier(self, op: Op, dtype: str, running: str) -> str:
        """Return the dtype in which an op reads what the graph has in another."""
        return running if dtype in REAL else op.carrier(dtype)

    def running(
        self,
        builder: GraphBuilder,
        op: Op,
        inputs: Sequence[OnnxValue | None],
        tensors: Sequence[Tensor | None],
    ) -> str:
        """Return the dtype that the real numbers of an op are in while it runs."""
        if self.runs_single(op) or any(fnmatchcase(builder.path, each) for each in self.keep):
            return "float32"
        weights = _weights(builder)
        if not all(self.fits(*each) for each in weights.items()):
            return "float32"
        real = [
            value
            for value, tensor in zip(inputs, tensors)
            if value is not None and tensor is not None and tensor.dtype in REAL
        ]
        halves = any(value in builder.entries or kind_of(value, builder.opset) == DTYPES[self.dtype] for value in real)
        return self.dtype if weights or halves or op.autocast == "bfloat16" else "float32"

    def runs_single(self, op: Op) -> bool:
        """Return whether an op runs in float32, whatever it reads."""
        return op.onnx_single or op.autocast == "float32" or self.dtype in op.onnx_lacks

    def fits(self, name: str, array: np.ndarray) -> bool:
        """Return whether the numbers of a weight or a buffer are within the range of the dtype: what is added may be
        next to nothing.
        """
        largest = float(np.abs(array).max(initial=0.0))
        least = LEAST[self.dtype] if array.ndim > 1 or name in ("", "weight") else 0.0
        return largest == 0 or least <= largest <= LARGEST[DTYPES[self.dtype]]


def _weights(builder: GraphBuilder) -> dict[str, np.ndarray]:
    """Return the real parameters and buffers of the op in hand by their torch names."""
    held = builder.parameters.items()
    arrays = {name: each if isinstance(each, np.ndarray) else each.array for name, each in held}
    return {name: array for name, array in arrays.items() if array is not None and array.dtype == np.float32}


def kept_layers(graph: Graph, half: Half) -> list[str]:
    """Return the layers that patterns leave in float32. Raises ``UsageError`` for a pattern that matches none."""
    paths = [path for path, step, _ in walk(graph.body) if isinstance(step, Node)]
    for pattern in half.keep:
        if not any(fnmatchcase(path, pattern) for path in paths):
            near = did_you_mean(pattern, paths) or f"the first are {', '.join(paths[:3])}"
            raise UsageError(f"--keep-float `{pattern}` matches no layer: {near}")
    return [path for path in paths if any(fnmatchcase(path, pattern) for pattern in half.keep)]


def settle(initializers: Iterable[OnnxValue]) -> None:
    """Round weights to the dtypes that they are to have: until all nodes are there, their digits are whole."""
    for value in initializers:
        if value.array is not None and value.kind in LARGEST:
            value.array = rounded(value.array, value.kind)
