"""The mean and the extremes of several inputs, element by element."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.math.arithmetic import Elementwise


class Mean(Elementwise):
    """Mean of its inputs, (x + y) / 2: shapes broadcast as in torch."""

    name = "mean"
    onnx_lacks = ("float64",)
    functional = "torch.mean"
    any_dtype = False
    onnx_type = "Mean"

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        return ()  # torch.mean is of one tensor

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return arguments[0] if len(arguments) == 1 else f"({' + '.join(arguments)}) / {len(arguments)}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op(self.onnx_type, *inputs)


class Extreme(Elementwise):
    """The largest or the smallest of several inputs."""

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        made = arguments[0]
        for argument in arguments[1:]:
            made = f"{self.functional}({made}, {argument})"
        return made

    def kept_of_two(self, left: bool, right: bool) -> tuple[bool, bool]:
        return True, True

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op(self.onnx_type, *inputs)


class Maximum(Extreme):
    """The largest of its inputs, element by element (``torch.maximum``): shapes broadcast as in torch."""

    name = "maximum"
    functional = "torch.maximum"
    onnx_type = "Max"


class Minimum(Extreme):
    """The smallest of its inputs, element by element (``torch.minimum``): shapes broadcast as in torch."""

    name = "minimum"
    functional = "torch.minimum"
    onnx_type = "Min"
