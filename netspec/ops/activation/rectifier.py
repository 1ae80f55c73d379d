"""Rectified linear units: activations that keep what is positive and bend what is not."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.activation.base import Activation
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor


class ReLU(Activation):
    """Rectified linear unit, max(0, x) (``torch.nn.ReLU``): any shape."""

    name = "relu"
    onnx_nodes = ("Relu",)
    torch = "nn.ReLU"
    functional = "F.relu"
    saved_for_backward = "output"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Relu", inputs[0])


class ReLU6(Activation):
    """Rectified linear unit cut at 6, min(max(0, x), 6) (``torch.nn.ReLU6``): any shape."""

    name = "relu6"
    onnx_nodes = ("Clip",)
    torch = "nn.ReLU6"
    functional = "F.relu6"
    aten = ("hardtanh",)

    inplace: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Torch's relu6 is a hardtanh from 0 to 6."""
        if call.name == "hardtanh" and (call.arguments.get("min_val"), call.arguments.get("max_val")) != (0, 6):
            return None
        return super().from_aten(call.without("min_val", "max_val"))

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        bounds = call.arguments.get("min"), call.arguments.get("max")
        return OpReading({}, (call.tensor("input"),), {}, call.outputs) if bounds == (0, 6) else None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Clip", inputs[0], self.scalar(builder, 0.0, tensors), self.scalar(builder, 6.0, tensors))


class LeakyReLU(Activation):
    """max(0, x) + negative_slope · min(0, x) (``torch.nn.LeakyReLU``): any shape."""

    name = "leaky_relu"
    onnx_nodes = ("LeakyRelu",)
    onnx_names = {"alpha": "negative_slope"}
    onnx_lacks = ("float64",)
    torch = "nn.LeakyReLU"
    functional = "F.leaky_relu"
    main = "negative_slope"

    negative_slope: float = 0.01
    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("LeakyRelu", inputs[0], alpha=self.negative_slope)
