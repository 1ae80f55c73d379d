"""Transposed convolutions in one, two and three dimensions."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any

from netspec.dims import Shape, Size, product
from netspec.ops.core.arguments import PerDimension, spread
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.low_rank import LowRank
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.core.window import NAMED_AXES, padded
from netspec.ops.spatial.conv import Conv1d, Conv2d, Conv3d, Convolution, ForwardConvolution


class TransposedConvolution(Convolution):
    """A transposed convolution: each input is spread over a window of the output."""

    spectral_dim = 1
    onnx_nodes = ("ConvTranspose",)

    output_padding: Any = 0

    @classmethod
    def outputs_of(cls, call: ForeignCall, weight: Shape) -> Size:
        groups: int = call.arguments.get("groups", 1)
        return weight[1] * groups

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        window = cls.onnx_window(call)
        pads = call.arguments.get("pads", [0] * (2 * cls.rank))
        before, after = pads[: cls.rank], pads[cls.rank :]
        extra = [
            more + front - back
            for more, front, back in zip(call.arguments.get("output_padding", [0] * cls.rank), before, after)
        ]
        if window is None or min(extra) < 0 or "output_shape" in call.arguments:
            return None
        channels = call.arguments["W"].shape[1] * window["groups"]
        more = {"out_channels": channels, "padding": tuple(before), "output_padding": tuple(extra)}
        return cls.onnx_weights(call, {**window, **more})

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        spatial: list[Size] = []
        for axis, size in enumerate(shapes[0][2:]):
            stride, padding, extra, dilation = (
                spread(value, self.rank)[axis]
                for value in (self.stride, self.padding, self.output_padding, self.dilation)
            )
            if extra >= max(stride, dilation):
                raise ShapeError("output_padding must be below stride or dilation", argument="output_padding")
            made = (size - 1) * stride - 2 * padding + dilation * (self.kernel()[axis] - 1) + extra + 1
            if isinstance(made, int) and made < 1:
                raise ShapeError(f"padding {padding} leaves an empty output", argument="padding")
            spatial.append(made)
        return (shapes[0][0], self.out_channels, *spatial)

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        options = (spread(value, rank) for value in (self.stride, self.padding, self.dilation))
        return tuple(
            AccessWindow(1 / stride, (padding - dilation * (kernel - 1)) / stride, padding / stride)
            for kernel, stride, padding, dilation in zip(self.kernel(), *options)
        )

    def weight_shape(self, *inputs: Tensor) -> tuple[int, ...]:
        return (self.channels(inputs[0].shape), self.out_channels // self.groups, *self.kernel())

    def low_rank(self, rank: int, *inputs: Tensor) -> LowRank | None:
        """A convolution of 1 to ``rank`` channels a group, then one with the same window that spreads them."""
        if self.is_worked_out:
            return None
        down = self.pointwise()(out_channels=rank * self.groups, kernel_size=1, groups=self.groups, bias=False)
        up = self.model_copy(update={"bias": False})
        channels, *row = self.weight_shape(*inputs)
        return LowRank(down, up, min(channels // self.groups, prod(row)))

    def change(self, down: Any, up: Any) -> Any:
        rank = down.shape[0] // self.groups
        rows = down.reshape(self.groups, rank, -1).transpose(1, 2) @ up.reshape(self.groups, rank, -1)
        return rows.reshape(-1, *up.shape[1:])

    def pointwise(self) -> type[ForwardConvolution]:
        """Return the kind of convolution of as many dimensions that is not transposed."""
        kinds: tuple[type[ForwardConvolution], ...] = (Conv1d, Conv2d, Conv3d)
        return kinds[self.rank - 1]

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=self.weight_saved(run, whole=True))

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(inputs[0].shape) * product(self.weight_shape(*inputs)[1:])

    @property
    def is_padded_behind(self) -> bool:
        """If zeros are put behind the output in ONNX, which holds ``output_padding`` below the stride."""
        pairs = zip(spread(self.output_padding, self.rank), spread(self.stride, self.rank))
        return any(extra >= stride for extra, stride in pairs)

    def onnx_best_opset(self) -> int:
        return NAMED_AXES if self.is_padded_behind else super().onnx_best_opset()

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        weight, bias = self.onnx_weight(builder, tensors[0]), builder.parameter("bias")
        padding, extra = spread(self.padding, self.rank), spread(self.output_padding, self.rank)
        if not self.is_padded_behind:
            attributes = {"pads": [*padding, *padding], "output_padding": list(extra), **self.attributes()}
            return builder.op("ConvTranspose", inputs[0], weight, bias, **attributes)
        # What ONNX does not take is padding not taken off at the end, and zeros (then the bias) where there is none.
        ends = [amount - more for amount, more in zip(padding, extra)]
        pads = [*padding, *(max(end, 0) for end in ends)]
        x = builder.op("ConvTranspose", inputs[0], weight, pads=pads, **self.attributes())
        x = padded(builder, x, [0] * (self.rank + 4) + [max(-end, 0) for end in ends])
        if bias is None:
            return x
        return builder.op("Add", x, builder.op("Unsqueeze", bias, builder.constant(list(range(1, 1 + self.rank)))))


class ConvTranspose1d(TransposedConvolution):
    """1D transposed convolution (``torch.nn.ConvTranspose1d``): (N, C, L) -> (N, out_channels, L')."""

    name = "conv_transpose1d"
    torch = "nn.ConvTranspose1d"
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1)] = 1
    padding: Annotated[Any, PerDimension(1, 0)] = 0
    output_padding: Annotated[Any, PerDimension(1, 0)] = 0
    dilation: Annotated[Any, PerDimension(1, 1)] = 1


class ConvTranspose2d(TransposedConvolution):
    """2D transposed convolution (``torch.nn.ConvTranspose2d``): (N, C, H, W) -> (N, out_channels, H', W')."""

    name = "conv_transpose2d"
    torch = "nn.ConvTranspose2d"
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1)] = 1
    padding: Annotated[Any, PerDimension(2, 0)] = 0
    output_padding: Annotated[Any, PerDimension(2, 0)] = 0
    dilation: Annotated[Any, PerDimension(2, 1)] = 1


class ConvTranspose3d(TransposedConvolution):
    """3D transposed convolution (``torch.nn.ConvTranspose3d``): (N, C, D, H, W) -> (N, out_channels, D', H', W')."""

    name = "conv_transpose3d"
    torch = "nn.ConvTranspose3d"
    rank = 3

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1)] = 1
    padding: Annotated[Any, PerDimension(3, 0)] = 0
    output_padding: Annotated[Any, PerDimension(3, 0)] = 0
    dilation: Annotated[Any, PerDimension(3, 1)] = 1
