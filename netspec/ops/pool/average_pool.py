"""Average pooling: the mean of each window."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Size
from netspec.ops.core.arguments import PerDimension, Positive
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, Bound, Tensor
from netspec.ops.core.window import slide
from netspec.ops.pool.window_pool import WindowPool, guard_half


class AveragePool(WindowPool):
    """Base of average pooling."""

    onnx_lacks = ("float64",)

    onnx_nodes = ("AveragePool",)

    ceil_mode: bool = False
    count_include_pad: bool = True

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        window = cls.onnx_window(call)
        if window is None or set(call.arguments.get("dilations", [1])) != {1}:
            return None
        padded = any(window["padding"])
        window["count_include_pad"] = not padded or bool(call.arguments.get("count_include_pad", 0))
        return OpReading(window, (call.tensor("X"),), {}, call.outputs)

    def slide(self, size: Size, kernel: int, stride: int, padding: int, dilation: int) -> Size:
        guard_half(padding, kernel)
        return slide(size, kernel, stride, 2 * padding, ceil_mode=self.ceil_mode)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        counted = int(self.count_include_pad)
        return builder.op("AveragePool", inputs[0], count_include_pad=counted, **self.attributes(self.ceil_mode))


class AveragePool1d(AveragePool):
    """1D average pooling (``torch.nn.AvgPool1d``): (N, C, L) -> (N, C, L')."""

    name = "avg_pool1d"
    torch = "nn.AvgPool1d"
    functional = "F.avg_pool1d"
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(1, 0)] = 0


class DividedAveragePool(AveragePool):
    """Average pooling that may divide by a number of one's own."""

    divisor_override: Positive | None = None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if self.divisor_override is None:
            return super().onnx(builder, *inputs, tensors=tensors)
        # Padded so far that no window is cut short, every mean is over the whole kernel.
        kernels, strides, paddings, _ = zip(*self.windows())
        after = [min(p + s, k) - 1 if self.ceil_mode else p for k, s, p in zip(kernels, strides, paddings)]
        attributes = {**self.attributes(ceil_mode=False), "pads": [*paddings, *after]}
        mean = builder.op("AveragePool", inputs[0], count_include_pad=1, **attributes)
        return builder.op("Mul", mean, builder.constant(math.prod(kernels) / self.divisor_override, tensors[0].dtype))


class AveragePool2d(DividedAveragePool):
    """2D average pooling (``torch.nn.AvgPool2d``): (N, C, H, W) -> (N, C, H', W')."""

    name = "avg_pool2d"
    torch = "nn.AvgPool2d"
    functional = "F.avg_pool2d"
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(2, 0)] = 0


class AveragePool3d(DividedAveragePool):
    """3D average pooling (``torch.nn.AvgPool3d``): (N, C, D, H, W) -> (N, C, D', H', W')."""

    name = "avg_pool3d"
    torch = "nn.AvgPool3d"
    functional = "F.avg_pool3d"
    rank = 3
    torch_lacks = HALVES

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(3, 0)] = 0

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        """In three dimensions torch takes no kernel larger than the input, however much is padded."""
        for size, (kernel, *_) in zip(inputs[0].shape[2:], self.windows()):
            reason = f"avg_pool3d takes a size of at least {kernel}, the size of its kernel"
            yield Bound(size, reason, least=kernel, argument="kernel_size")
