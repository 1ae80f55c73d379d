"""Logic on the bits of integers, and the exclusive or of truth values."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.math.arithmetic import Infix
from netspec.ops.math.compare import LogicalOp


class LogicalXor(LogicalOp):
    """True where an odd number of inputs are (``torch.logical_xor``): shapes broadcast as in torch, bool."""

    name = "logical_xor"
    functional = "torch.logical_xor"
    sign = "^"
    onnx_type = "Xor"


class BitwiseOp(Infix):
    """Base of the logic on the bits of several integers."""

    onnx_since = 18
    onnx_lacks = ()

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for tensor in inputs:
            need_bits(self.name, tensor)
        return super().infer(*inputs)


class BitwiseAnd(BitwiseOp):
    """The bits that all inputs have (``torch.bitwise_and``): shapes broadcast as in torch, integers."""

    name = "bitwise_and"
    functional = "torch.bitwise_and"
    sign = "&"
    onnx_type = "BitwiseAnd"


class BitwiseOr(BitwiseOp):
    """The bits that any input has (``torch.bitwise_or``): shapes broadcast as in torch, integers."""

    name = "bitwise_or"
    functional = "torch.bitwise_or"
    sign = "|"
    onnx_type = "BitwiseOr"


class BitwiseXor(BitwiseOp):
    """The bits that an odd number of inputs have (``torch.bitwise_xor``): shapes broadcast as in torch, integers."""

    name = "bitwise_xor"
    functional = "torch.bitwise_xor"
    sign = "^"
    onnx_type = "BitwiseXor"


class BitwiseNot(Op):
    """Every bit turned, −x − 1 (``torch.bitwise_not``): any shape, integers."""

    name = "bitwise_not"
    family = "arithmetic"
    functional = "torch.bitwise_not"
    any_dtype = True
    onnx_since = 18
    saved_for_backward = "nothing"
    elementwise = True

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_bits(self.name, inputs[0])
        return super().infer(*inputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"~{arguments[0]}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("BitwiseNot", inputs[0])


def need_bits(name: str, tensor: Tensor) -> None:
    """Guard: the tensor holds integers."""
    if tensor.dtype not in ("int32", "int64"):
        repair = f"write `{name.replace('bitwise', 'logical')}` for truth values" if tensor.dtype == "bool" else None
        raise ShapeError(f"{name} takes integers, but got {tensor.dtype}", help=repair)
