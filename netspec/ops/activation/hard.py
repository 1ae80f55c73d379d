"""Activations of straight pieces, for those that are smooth."""

from collections.abc import Sequence
from typing import Any

from netspec.dims import Shape
from netspec.ops.activation.base import Activation
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor


class HardSwish(Activation):
    """x · relu6(x + 3) / 6 (``torch.nn.Hardswish``): any shape."""

    name = "hardswish"
    onnx_nodes = ("HardSwish",)
    onnx_lacks = ("float64",)
    torch = "nn.Hardswish"
    functional = "F.hardswish"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("HardSwish"):
            return builder.op("HardSwish", inputs[0])
        return builder.op("Mul", inputs[0], builder.op("HardSigmoid", inputs[0], alpha=1 / 6, beta=0.5))


class HardSigmoid(Activation):
    """relu6(x + 3) / 6 (``torch.nn.Hardsigmoid``): any shape."""

    name = "hardsigmoid"
    onnx_lacks = ("float64",)
    torch = "nn.Hardsigmoid"
    functional = "F.hardsigmoid"
    onnx_nodes = ("HardSigmoid",)
    onnx_names = {"alpha": None, "beta": None}

    inplace: bool = False

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        slope, offset = call.arguments.get("alpha", 0.2), call.arguments.get("beta", 0.5)
        return super().from_onnx(call) if abs(slope - 1 / 6) < 1e-6 and offset == 0.5 else None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("HardSigmoid", inputs[0], alpha=1 / 6, beta=0.5)


class HardTanh(Activation):
    """min(max(min_val, x), max_val) (``torch.nn.Hardtanh``): any shape."""

    name = "hardtanh"
    torch = "nn.Hardtanh"
    functional = "F.hardtanh"

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Return the reading, except of a relu6."""
        reading = super().from_aten(call)
        return None if reading is None or [*reading.arguments.values()] == [0, 6] else reading

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.min_val >= self.max_val:
            raise ShapeError(f"min_val {self.min_val} must be below max_val {self.max_val}", argument="min_val")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        least, most = (self.scalar(builder, value, tensors) for value in (self.min_val, self.max_val))
        return builder.op("Clip", inputs[0], least, most)
