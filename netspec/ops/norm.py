"""Normalisation: over the batch, over features, over groups of channels, over each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from netspec.dims import Shape
from netspec.ops.base import OnnxBuilder, Op, Tensor, known, need_rank

BATCHED = {1: "[N, C] or [N, C, L]", 2: "[N, C, H, W]", 3: "[N, C, D, H, W]"}


class ChannelNorm(Op):
    """What batch and instance normalisation share: one mean, variance, weight and bias for each channel."""

    family = "norm"
    rank: ClassVar[int]
    ranks: ClassVar[tuple[int, ...]]

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    bias: bool = True

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"num_features": self.channels(inputs[0].shape)}

    def channels(self, shape: Shape) -> int:
        """The number of channels; guards the input's rank."""
        need_rank(self.name, shape, *self.ranks, layout=BATCHED[self.rank])
        return known(shape[1], f"the number of channels that {self.name} takes")

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        return shapes[0]

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        shape = (self.channels(inputs[0].shape),)
        return learned(shape, self.affine, self.bias)

    def detail(self) -> str:
        return ""


def learned(shape: Shape, weight: bool, bias: bool) -> Mapping[str, Shape]:
    """The parameters of a normalisation that may have a weight, and a bias only beside it."""
    if not weight:
        return {}
    return {"weight": shape, "bias": shape} if bias else {"weight": shape}


class BatchNorm(ChannelNorm):
    """What batch normalisation shares; outside training it uses the tracked mean and variance."""

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        channels = self.channels(tensors[0].shape)
        scale = builder.parameter("weight") or builder.constant([1.0] * channels, tensors[0].dtype)
        shift = builder.parameter("bias") or builder.constant([0.0] * channels, tensors[0].dtype)
        tracked = builder.parameter("running_mean"), builder.parameter("running_var")
        return builder.op("BatchNormalization", inputs[0], scale, shift, *tracked, epsilon=self.eps)


class BatchNorm1d(BatchNorm):
    """1D batch normalisation (``torch.nn.BatchNorm1d``): (N, C) or (N, C, L), kept."""

    name = "batch_norm1d"
    torch = "nn.BatchNorm1d"
    rank = 1
    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """2D batch normalisation (``torch.nn.BatchNorm2d``): (N, C, H, W), kept."""

    name = "batch_norm2d"
    torch = "nn.BatchNorm2d"
    rank = 2
    ranks = (4,)


class BatchNorm3d(BatchNorm):
    """3D batch normalisation (``torch.nn.BatchNorm3d``): (N, C, D, H, W), kept."""

    name = "batch_norm3d"
    torch = "nn.BatchNorm3d"
    rank = 3
    ranks = (5,)
