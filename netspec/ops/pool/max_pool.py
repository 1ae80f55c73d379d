"""Max pooling: the largest of each window."""

from collections.abc import Sequence
from typing import Annotated, Any

from netspec.dims import Size
from netspec.ops.core.arguments import PerDimension
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.core.window import slide
from netspec.ops.pool.indices import indexed, saved_indices, with_indices
from netspec.ops.pool.window_pool import WindowPool, guard_half


class MaxPool(WindowPool):
    """Base of max pooling. With ``return_indices`` it gives also where each maximum lies in its flattened channel."""

    onnx_nodes = ("MaxPool",)

    dilation: Any = 1
    return_indices: bool = False
    ceil_mode: bool = False

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        return (cls.name, f"{cls.name}_with_indices")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        if reading is None or call.name == cls.name:
            return reading
        return reading.saying(return_indices=True)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        window = cls.onnx_window(call)
        if window is None or "storage_order" in call.arguments:
            return None
        window["dilation"] = tuple(call.arguments.get("dilations", [1] * cls.rank))
        return OpReading(window, (call.tensor("X"),), {}, call.outputs[:1])

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return with_indices(self.return_indices)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return indexed(super().infer(*inputs), self.return_indices)

    def slide(self, size: Size, kernel: int, stride: int, padding: int, dilation: int) -> Size:
        guard_half(padding, kernel)
        return slide(size, kernel, stride, 2 * padding, dilation, self.ceil_mode)

    def saved(self, run: OpRun) -> Saved:
        return saved_indices(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """In ONNX indices count on from one channel to the next, in torch from 0 in each."""
        attributes = self.attributes(self.ceil_mode)
        if not self.return_indices:
            return builder.op("MaxPool", inputs[0], **attributes)
        made, indices = builder.op("MaxPool", inputs[0], outputs=2, **attributes)
        sizes = builder.op("Shape", inputs[0], start=2)
        return made, builder.op("Mod", indices, builder.op("ReduceProd", sizes, keepdims=0))


class MaxPool1d(MaxPool):
    """1D max pooling (``torch.nn.MaxPool1d``): (N, C, L) -> (N, C, L')."""

    name = "max_pool1d"
    torch = "nn.MaxPool1d"
    functional = "F.max_pool1d"
    covers = ("F.max_pool1d_with_indices",)
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(1, 0)] = 0
    dilation: Annotated[Any, PerDimension(1, 1)] = 1


class MaxPool2d(MaxPool):
    """2D max pooling (``torch.nn.MaxPool2d``): (N, C, H, W) -> (N, C, H', W')."""

    name = "max_pool2d"
    torch = "nn.MaxPool2d"
    functional = "F.max_pool2d"
    covers = ("F.max_pool2d_with_indices",)
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(2, 0)] = 0
    dilation: Annotated[Any, PerDimension(2, 1)] = 1


class MaxPool3d(MaxPool):
    """3D max pooling (``torch.nn.MaxPool3d``): (N, C, D, H, W) -> (N, C, D', H', W')."""

    name = "max_pool3d"
    torch = "nn.MaxPool3d"
    functional = "F.max_pool3d"
    covers = ("F.max_pool3d_with_indices",)
    rank = 3

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(3, 0)] = 0
    dilation: Annotated[Any, PerDimension(3, 1)] = 1
