"""The sigmoid, the hyperbolic tangent, and their relatives."""

from collections.abc import Sequence
from typing import Any

from netspec.dims import Shape
from netspec.ops.activation.base import Activation
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor


class SoftPlus(Activation):
    """log(1 + exp(beta · x)) / beta, and x itself where beta · x > threshold (``torch.nn.Softplus``): any shape."""

    name = "softplus"
    onnx_nodes = ("Softplus",)
    onnx_lacks = ("float64",)
    torch = "nn.Softplus"
    functional = "F.softplus"
    autocast = "float32"

    beta: float = 1.0
    threshold: float = 20.0

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.beta == 0:
            raise ShapeError("beta must not be 0, as softplus divides by it", argument="beta")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        beta = self.scalar(builder, self.beta, tensors)
        scaled = inputs[0] if self.beta == 1 else builder.op("Mul", inputs[0], beta)
        result = builder.op("Softplus", scaled)
        result = result if self.beta == 1 else builder.op("Div", result, beta)
        linear = builder.op("Greater", scaled, self.scalar(builder, self.threshold, tensors))
        return builder.op("Where", linear, inputs[0], result)


class SoftSign(Activation):
    """x / (1 + |x|) (``torch.nn.Softsign``): any shape."""

    name = "softsign"
    onnx_nodes = ("Softsign",)
    onnx_lacks = ("float64",)
    torch = "nn.Softsign"
    functional = "F.softsign"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=run.outputs)  # 1 + |x|

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Softsign", inputs[0])


class Sigmoid(Activation):
    """Logistic function, 1 / (1 + exp(−x)) (``torch.nn.Sigmoid``): any shape."""

    name = "sigmoid"
    onnx_nodes = ("Sigmoid",)
    torch = "nn.Sigmoid"
    functional = "torch.sigmoid"
    saved_for_backward = "output"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sigmoid", inputs[0])


class LogSigmoid(Activation):
    """Logarithm of the logistic function (``torch.nn.LogSigmoid``): any shape."""

    name = "log_sigmoid"
    onnx_lacks = ("float64",)
    torch = "nn.LogSigmoid"
    functional = "F.logsigmoid"
    elementwise = False

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=run.outputs)  # exp(−|x|)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Neg", builder.op("Softplus", builder.op("Neg", inputs[0])))


class Tanh(Activation):
    """Hyperbolic tangent (``torch.nn.Tanh``): any shape."""

    name = "tanh"
    onnx_nodes = ("Tanh",)
    torch = "nn.Tanh"
    functional = "torch.tanh"
    saved_for_backward = "output"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Tanh", inputs[0])
