"""Pooling over sliding windows: what the largest and the average have in common."""

from typing import Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.arguments import spell_window, spread
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.tensors import ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT, begins_in_padding


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


def guard_half(padding: int, kernel: int) -> None:
    """Guard: no window lies in the padding alone."""
    if padding > kernel // 2:
        raise ShapeError(f"padding {padding} is more than half of kernel_size {kernel}", argument="padding")
