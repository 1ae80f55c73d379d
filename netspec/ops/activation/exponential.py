"""Exponential linear units: rectifiers that bend what is negative along an exponential."""

from collections.abc import Sequence
from typing import Any

from netspec.dims import Shape
from netspec.ops.activation.base import Activation
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor


class ELU(Activation):
    """x above 0, alpha · (exp(x) − 1) below (``torch.nn.ELU``): any shape."""

    name = "elu"
    onnx_nodes = ("Elu",)
    onnx_lacks = ("float64",)
    torch = "nn.ELU"
    functional = "F.elu"
    main = "alpha"

    alpha: float = 1.0
    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.exponential_unit(builder, inputs[0], tensors, 1.0, self.alpha, 1.0)


class CELU(Activation):
    """max(0, x) + min(0, alpha · (exp(x / alpha) − 1)) (``torch.nn.CELU``): any shape."""

    name = "celu"
    onnx_nodes = ("Celu",)
    onnx_lacks = ("float64",)
    torch = "nn.CELU"
    functional = "F.celu"
    main = "alpha"

    alpha: float = 1.0
    inplace: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.alpha == 0:
            raise ShapeError("alpha must not be 0, as celu divides by it", argument="alpha")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if self.alpha < 0:  # then what is below 0 grows, and the form for what is below does not hold
            return builder.op("Celu", inputs[0], alpha=self.alpha)
        return self.exponential_unit(builder, inputs[0], tensors, 1.0, self.alpha, 1 / self.alpha)


class SELU(Activation):
    """Scaled ELU, which keeps mean 0 and variance 1 (``torch.nn.SELU``): any shape."""

    name = "selu"
    onnx_nodes = ("Selu",)
    onnx_names = {"alpha": None, "gamma": None}
    onnx_lacks = ("float64",)
    torch = "nn.SELU"
    functional = "F.selu"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        return self.exponential_unit(builder, inputs[0], tensors, scale, scale * alpha, 1.0)
