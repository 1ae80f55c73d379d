"""An op of one's own, to be named in a spec like netspec's: ``netspec shapes … --plugin deformable``.

The class says what a spec needs: its name, its arguments, its shape, its parameters, and the module of PyTorch that it
becomes, which is in a file of its own, so that ``netspec check`` need not import torch. What it leaves open (its
multiply-accumulates, its memory), netspec says that it does not know; torch's exporter writes it in ONNX.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netspec.ops import Op, Shape, ShapeError, Size, Tensor


class DeformableAttention(Op):
    """Attention to a few places around a point, found by the query itself (Zhu et al. 2020, arXiv:2010.04159):
    queries (N, L, C), points (N, L, 2) from 0 to 1, a picture (N, C, H, W) -> (N, L, C).
    """

    name = "deformable_attention"
    torch = "deformable_module.Deformable"
    ports = ("query", "points", "picture")
    main = "heads"

    heads: int = 8
    """the number of heads, which share the channels"""
    places: int = 4
    """the number of places that each head looks at"""

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"channels": self._channels(inputs)}

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        query, points, picture = (tensor.shape for tensor in inputs)
        if (len(query), len(points), len(picture)) != (3, 3, 4) or points[-1] != 2:
            raise ShapeError(f"{self.name} reads [N, L, C], [N, L, 2] and [N, C, H, W]")
        if self._channels(inputs) % self.heads:
            raise ShapeError(f"{query[-1]} channels cannot be shared by {self.heads} heads", argument="heads")
        return (inputs[0],)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        query, points, picture = (tensor.shape for tensor in inputs)
        yield query[0], points[0], "each query needs a point"
        yield query[1], points[1], "each query needs a point"
        yield query[0], picture[0], "each batch of queries needs its picture"
        yield query[2], picture[1], "queries and picture must have the same channels"

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        channels, looks = self._channels(inputs), self.heads * self.places
        return {
            "offsets.weight": (2 * looks, channels),
            "offsets.bias": (2 * looks,),
            "weights.weight": (looks, channels),
            "weights.bias": (looks,),
            "values.weight": (channels, channels, 1, 1),
            "values.bias": (channels,),
            "out.weight": (channels, channels),
            "out.bias": (channels,),
        }

    def _channels(self, inputs: tuple[Tensor, ...]) -> int:
        channels = inputs[0].shape[-1]
        if not isinstance(channels, int):
            raise ShapeError(f"{self.name} needs a known number of channels, not {channels}")
        return channels
