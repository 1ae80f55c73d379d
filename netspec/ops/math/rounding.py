"""Rounding, signs, and tests for numbers that are none, element by element."""

from collections.abc import Sequence
from typing import Any

from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.math.pointwise import Pointwise


class ElementFloor(Pointwise):
    """The largest whole number that is not above x (``torch.floor``): any shape."""

    name = "floor"
    functional = "torch.floor"
    onnx_type = "Floor"
    saved_for_backward = "nothing"


class Ceil(Pointwise):
    """The least whole number that is not below x (``torch.ceil``): any shape."""

    name = "ceil"
    functional = "torch.ceil"
    onnx_type = "Ceil"
    saved_for_backward = "nothing"


class Round(Pointwise):
    """The nearest number with this many decimals, halves to the even one (``torch.round``): any shape."""

    name = "round"
    functional = "torch.round"
    main = "decimals"
    keyword_main = True
    onnx_type = "Round"
    saved_for_backward = "nothing"

    decimals: int = 0

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if self.decimals == 0:
            return builder.op("Round", inputs[0])
        there, back = ("Mul", "Div") if self.decimals > 0 else ("Div", "Mul")
        unit = builder.constant(10.0 ** abs(self.decimals), tensors[0].dtype)
        return builder.op(back, builder.op("Round", builder.op(there, inputs[0], unit)), unit)

    def detail(self) -> str:
        return str(self.decimals) if self.decimals else ""


class Trunc(Pointwise):
    """x without its decimals, nearer to 0 (``torch.trunc``): any shape."""

    name = "trunc"
    functional = "torch.trunc"
    saved_for_backward = "nothing"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return truncated(builder, inputs[0])


class Frac(Pointwise):
    """The decimals of x, x − trunc(x) (``torch.frac``): any shape."""

    name = "frac"
    functional = "torch.frac"
    saved_for_backward = "nothing"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sub", inputs[0], truncated(builder, inputs[0]))


class Sign(Pointwise):
    """−1, 0 or 1, as x is below, at or above 0 (``torch.sign``): any shape."""

    name = "sign"
    functional = "torch.sign"
    covers = ("Tensor.sgn",)
    onnx_type = "Sign"
    any_dtype = True
    onnx_lacks = ("bool",)
    saved_for_backward = "nothing"


class ElementTest(Op):
    """Base of the tests of single elements, which give booleans."""

    family = "arithmetic"
    batched_over_leading_dims = True
    saved_for_backward = "nothing"
    elementwise = True

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        return (Tensor(output.shape, "bool"),)


class IsNaN(ElementTest):
    """True where x is not a number (``torch.isnan``): any shape, bool."""

    name = "isnan"
    functional = "torch.isnan"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("IsNaN", inputs[0])


class IsInf(ElementTest):
    """True where x is infinite (``torch.isinf``): any shape, bool."""

    name = "isinf"
    onnx_exact = True
    functional = "torch.isinf"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("IsInf", inputs[0])


class IsFinite(ElementTest):
    """True where x is neither infinite nor NaN (``torch.isfinite``): any shape, bool."""

    name = "isfinite"
    onnx_exact = True
    functional = "torch.isfinite"
    saved_for_backward = "input"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        lost = builder.op("Or", builder.op("IsNaN", inputs[0]), builder.op("IsInf", inputs[0]))
        return builder.op("Not", lost)


LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
"""The largest number of each dtype; that of float64 is Python's own."""


class NanToNum(Pointwise):
    """x with numbers for what is NaN or infinite (``torch.nan_to_num``): any shape."""

    name = "nan_to_num"
    onnx_exact = True
    functional = "torch.nan_to_num"
    main = "nan"

    nan: float = 0.0
    posinf: float | None = None
    neginf: float | None = None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, dtype = inputs[0], tensors[0].dtype
        most = LARGEST.get(dtype, 1.7976931348623157e308)
        for test, number in (
            (builder.op("IsNaN", x), self.nan),
            (builder.op("IsInf", x, detect_negative=0), most if self.posinf is None else self.posinf),
            (builder.op("IsInf", x, detect_positive=0), -most if self.neginf is None else self.neginf),
        ):
            x = builder.op("Where", test, builder.constant(number, dtype), x)
        return x

    def detail(self) -> str:
        return ""


def truncated(builder: OnnxBuilder, x: Any) -> Any:
    """x without its decimals, in ONNX."""
    return builder.op("Mul", builder.op("Sign", x), builder.op("Floor", builder.op("Abs", x)))
