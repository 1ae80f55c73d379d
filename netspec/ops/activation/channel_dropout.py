"""Dropout of whole channels, and of whole samples."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from netspec.dims import Shape
from netspec.ops.activation.dropout import AnyDropout, LeftOut
from netspec.ops.core.tensors import ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT


class ChannelDropout(AnyDropout):
    """Base of dropouts of whole channels; ``rank`` counts the spatial dimensions."""

    rank: ClassVar[int]
    aten = ("feature_dropout",)

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], self.rank + 2, layout=LAYOUT[self.rank])
        return shapes[0]

    def mask(self, output: Tensor) -> Tensor:
        return Tensor((*output.shape[:2], *(1 for _ in output.shape[2:])), output.dtype)


class Dropout1d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout1d``): (N, C, L), kept."""

    name = "dropout1d"
    torch = "nn.Dropout1d"
    functional = "F.dropout1d"
    rank = 1


class Dropout2d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout2d``): (N, C, H, W), kept."""

    name = "dropout2d"
    torch = "nn.Dropout2d"
    functional = "F.dropout2d"
    rank = 2


class Dropout3d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout3d``): (N, C, D, H, W), kept."""

    name = "dropout3d"
    torch = "nn.Dropout3d"
    functional = "F.dropout3d"
    rank = 3


class StochasticDepth(LeftOut):
    """Zeroes rows, or the whole batch, with probability p, as ``torchvision.ops.stochastic_depth``: (N, …), kept."""

    name = "stochastic_depth"

    mode: Literal["row", "batch"] = "row"

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0]:
            raise ShapeError("stochastic_depth takes a tensor with rows, but its input has no dimensions")
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        x = arguments[0]
        if not self.p:
            return x
        sizes = [f"{x}.shape[0]" if self.mode == "row" else "1", *("1" for _ in inputs[0].shape[1:])]
        return f"{x} * F.dropout({x}.new_ones({', '.join(sizes)}), p={self.p}) if self.training else {x}"

    def mask(self, output: Tensor) -> Tensor:
        first, *others = output.shape
        return Tensor((first if self.mode == "row" else 1, *(1 for _ in others)), output.dtype)
