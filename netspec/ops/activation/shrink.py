"""Activations that take away what is near zero, or below a threshold."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from netspec.ops.activation.base import Activation
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor

Natural = Annotated[float, Field(ge=0)]


class HardShrink(Activation):
    """x, but 0 from −lambd to lambd (``torch.nn.Hardshrink``): any shape."""

    name = "hardshrink"
    onnx_lacks = ("bfloat16",)
    torch = "nn.Hardshrink"
    functional = "F.hardshrink"
    main = "lambd"

    lambd: Natural = 0.5

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Shrink", inputs[0], lambd=self.lambd, bias=0.0)


class SoftShrink(Activation):
    """x brought nearer to 0 by lambd, down to 0 (``torch.nn.Softshrink``): any shape."""

    name = "softshrink"
    onnx_lacks = ("bfloat16",)
    torch = "nn.Softshrink"
    functional = "F.softshrink"
    main = "lambd"

    lambd: Natural = 0.5

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Shrink", inputs[0], lambd=self.lambd, bias=self.lambd)


class TanhShrink(Activation):
    """x − tanh(x) (``torch.nn.Tanhshrink``): any shape."""

    name = "tanhshrink"
    torch = "nn.Tanhshrink"
    functional = "F.tanhshrink"

    def saved(self, run: OpRun) -> Saved:
        return Saved(made=run.outputs)  # tanh(x)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sub", inputs[0], builder.op("Tanh", inputs[0]))


class Threshold(Activation):
    """x above threshold, else value (``torch.nn.Threshold``): any shape."""

    name = "threshold"
    torch = "nn.Threshold"
    functional = "F.threshold"

    threshold: float
    value: float
    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        above = builder.op("Greater", inputs[0], self.scalar(builder, self.threshold, tensors))
        return builder.op("Where", above, inputs[0], self.scalar(builder, self.value, tensors))
