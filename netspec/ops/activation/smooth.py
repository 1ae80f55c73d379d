"""Smooth activations that let most of a negative input die away."""

from collections.abc import Sequence
from typing import Any, Literal

from netspec.ops.activation.base import Activation
from netspec.ops.activation.parts import gelu_in_parts
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor


class GELU(Activation):
    """Gaussian error linear unit, x · Φ(x), or its tanh approximation (``torch.nn.GELU``): any shape."""

    name = "gelu"
    onnx_nodes = ("Gelu",)
    onnx_lacks = ("float64",)
    torch = "nn.GELU"
    functional = "F.gelu"
    main = "approximate"
    keyword_main = True

    approximate: Literal["none", "tanh"] = "none"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("Gelu"):
            return builder.op("Gelu", inputs[0], approximate=self.approximate)
        return gelu_in_parts(builder, inputs[0], tensors[0].dtype, self.approximate == "tanh")


class SiLU(Activation):
    """Swish, x · sigmoid(x) (``torch.nn.SiLU``): any shape."""

    name = "silu"
    onnx_nodes = ("Swish",)
    torch = "nn.SiLU"
    functional = "F.silu"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", inputs[0], builder.op("Sigmoid", inputs[0]))


class Mish(Activation):
    """x · tanh(softplus(x)) (``torch.nn.Mish``): any shape."""

    name = "mish"
    onnx_nodes = ("Mish",)
    onnx_lacks = ("float64",)
    torch = "nn.Mish"
    functional = "F.mish"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("Mish"):
            return builder.op("Mish", inputs[0])
        return builder.op("Mul", inputs[0], builder.op("Tanh", builder.op("Softplus", inputs[0])))
