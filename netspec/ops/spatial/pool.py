"""Pooling over sliding windows."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.arguments import PerDimension, Positive, spell_window, spread
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, Bound, ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT, begins_in_padding, slide


class WindowPool(Op):
    """Base of pooling over sliding windows; ``rank`` counts the spatial dimensions."""

    family = "pooling"
    main = "kernel_size"
    rank: ClassVar[int]
    saved_for_backward = "input"

    kernel_size: Any
    stride: Any = None
    padding: Any = 0

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        if reading is None or reading.arguments.get("stride") not in ([], reading.arguments["kernel_size"]):
            return reading
        return reading.saying(stride=None)

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], self.rank + 2, layout=LAYOUT[self.rank])
        return (*shapes[0][:2], *(self.slide(size, *window) for size, window in zip(shapes[0][2:], self.windows())))

    def slide(self, size: Size, kernel: int, stride: int, padding: int, dilation: int) -> Size:
        """The size that one spatial dimension becomes."""
        raise AssertionError("each kind of pooling slides in its own way")

    def windows(self) -> list[tuple[int, int, int, int]]:
        """Kernel, stride, padding and dilation of each spatial dimension."""
        stride = self.kernel_size if self.stride is None else self.stride
        dilation = getattr(self, "dilation", 1)
        return list(zip(*(spread(value, self.rank) for value in (self.kernel_size, stride, self.padding, dilation))))

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return tuple(
            AccessWindow(stride, -padding, dilation * (kernel - 1) - padding)
            for kernel, stride, padding, dilation in self.windows()
        )

    def detail(self) -> str:
        strides = tuple(window[1] for window in self.windows())
        parts = [spell_window(self.kernel_size, self.rank)]
        if set(strides) != {1}:
            parts.append("/" + (str(strides[0]) if len(set(strides)) == 1 else spell_window(strides)))
        return ", ".join(parts)

    @classmethod
    def onnx_window(cls, call: ForeignCall) -> dict[str, Any] | None:
        """The arguments that ONNX's MaxPool and AveragePool share; ``None`` where torch has no such window."""
        given = call.arguments
        kernel, pads = given.get("kernel_shape", []), given.get("pads", [0] * (2 * cls.rank))
        even = pads[: cls.rank] == pads[cls.rank :] and given.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
        if len(kernel) != cls.rank or not even or any(output is not None for output in call.outputs[1:]):
            return None
        stride = tuple(given.get("strides", [1] * cls.rank))
        return {
            "kernel_size": tuple(kernel),
            "stride": None if stride == tuple(kernel) else stride,
            "padding": tuple(pads[: cls.rank]),
            "ceil_mode": bool(given.get("ceil_mode", 0)),
        }

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        """Before opset 22 a window counts that begins in the padding, which torch leaves out."""
        is_ceil = getattr(self, "ceil_mode", False) and getattr(self, "divisor_override", None) is None
        return 22 if is_ceil and any(begins_in_padding(*window) for window in self.windows()) else 0

    def attributes(self, ceil_mode: bool) -> dict[str, Any]:
        """The attributes that ONNX's MaxPool and AveragePool share."""
        kernels, strides, paddings, dilations = map(list, zip(*self.windows()))
        attributes = {"kernel_shape": kernels, "strides": strides, "pads": paddings * 2, "dilations": dilations}
        return {**attributes, "ceil_mode": int(ceil_mode)}


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


def with_indices(wanted: bool) -> tuple[str, ...]:
    """Return the names of the outputs of a max pool that may give indices too."""
    return ("output", "indices") if wanted else ("output",)


def indexed(outputs: tuple[Tensor, ...], wanted: bool) -> tuple[Tensor, ...]:
    """Return the outputs of a max pool, with indices if they are wanted."""
    return (*outputs, Tensor(outputs[0].shape, "int64")) if wanted else outputs


def saved_indices(run: OpRun) -> Saved:
    """Return what a max pool saves: its input, and the indices, whether they are an output or not."""
    return Saved((0,), (1,)) if run.outputs[1:] else Saved((0,), made=(Tensor(run.outputs[0].shape, "int64"),))


def guard_half(padding: int, kernel: int) -> None:
    """Guard: no window lies in the padding alone."""
    if padding > kernel // 2:
        raise ShapeError(f"padding {padding} is more than half of kernel_size {kernel}", argument="padding")


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
