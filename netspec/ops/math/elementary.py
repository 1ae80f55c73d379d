"""The elementary functions of one number: powers, logarithms, trigonometric and hyperbolic functions, erf."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.math.pointwise import Pointwise


class Square(Pointwise):
    """x² (``torch.square``): any shape."""

    name = "square"
    functional = "torch.square"
    any_dtype = True
    torch_lacks = ("bool",)
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", inputs[0], inputs[0])


class Rsqrt(Pointwise):
    """1 / √x (``torch.rsqrt``): any shape."""

    name = "rsqrt"
    functional = "torch.rsqrt"
    saved_for_backward = "output"
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Reciprocal", builder.op("Sqrt", inputs[0]))


class Exp2(Pointwise):
    """2 to the power of x (``torch.exp2``): any shape."""

    name = "exp2"
    onnx_exact = True
    functional = "torch.exp2"
    saved_for_backward = "output"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Pow", builder.constant(2.0, tensors[0].dtype), inputs[0])


class Expm1(Pointwise):
    """exp(x) − 1, exact for small x too (``torch.expm1``): any shape."""

    name = "expm1"
    functional = "torch.expm1"
    saved_for_backward = "output"
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x = inputs[0]
        half, one, two = (builder.constant(value, tensors[0].dtype) for value in (0.5, 1.0, 2.0))
        t = builder.op("Tanh", builder.op("Mul", x, half))
        small = builder.op("Div", builder.op("Mul", t, two), builder.op("Sub", one, t))
        large = builder.op("Sub", builder.op("Exp", x), one)
        return builder.op("Where", builder.op("Less", x, one), small, large)


class Log2(Pointwise):
    """Logarithm of x to the base 2 (``torch.log2``): any shape."""

    name = "log2"
    functional = "torch.log2"
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", builder.op("Log", inputs[0]), builder.constant(1 / math.log(2), tensors[0].dtype))


class Log10(Pointwise):
    """Logarithm of x to the base 10 (``torch.log10``): any shape."""

    name = "log10"
    functional = "torch.log10"
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", builder.op("Log", inputs[0]), builder.constant(1 / math.log(10), tensors[0].dtype))


class Log1p(Pointwise):
    """log(1 + x), exact for small x too (``torch.log1p``): any shape."""

    name = "log1p"
    functional = "torch.log1p"
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """log(u) · x / (u − 1) with u = 1 + x, whose rounding errors cancel; x itself where u is 1."""
        x, one = inputs[0], builder.constant(1.0, tensors[0].dtype)
        u = builder.op("Add", x, one)
        log, rest = builder.op("Log", u), builder.op("Sub", u, one)
        mended = builder.op("Mul", log, builder.op("Div", x, rest))
        small = builder.op("Where", builder.op("Equal", u, one), x, mended)
        return builder.op("Where", builder.op("Greater", x, one), log, small)


class Logit(Pointwise):
    """log(x / (1 − x)), with x brought into the range from eps to 1 − eps (``torch.logit``): any shape."""

    name = "logit"
    onnx_exact = True
    functional = "torch.logit"
    main = "eps"
    keyword_main = True

    eps: float | None = None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, dtype = inputs[0], tensors[0].dtype
        if self.eps is not None:
            x = builder.op("Clip", x, builder.constant(self.eps, dtype), builder.constant(1 - self.eps, dtype))
        return builder.op("Log", builder.op("Div", x, builder.op("Sub", builder.constant(1.0, dtype), x)))


class Erf(Pointwise):
    """The error function (``torch.erf``): any shape."""

    name = "erf"
    functional = "torch.erf"
    onnx_type = "Erf"
    onnx_lacks = ("float64",)


class Sinc(Pointwise):
    """sin(πx) / πx, and 1 at 0 (``torch.sinc``): any shape."""

    name = "sinc"
    functional = "torch.sinc"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        zero, one, pi = (builder.constant(value, tensors[0].dtype) for value in (0.0, 1.0, math.pi))
        turned = builder.op("Mul", inputs[0], pi)
        at_zero = builder.op("Equal", turned, zero)
        safe = builder.op("Where", at_zero, one, turned)
        return builder.op("Where", at_zero, one, builder.op("Div", builder.op("Sin", safe), safe))


class Tan(Pointwise):
    """Tangent of x (``torch.tan``): any shape."""

    name = "tan"
    functional = "torch.tan"
    onnx_type = "Tan"
    onnx_lacks = ("float64",)
    saved_for_backward = "output"
    autocast = "float32"


class Asin(Pointwise):
    """Inverse of the sine (``torch.asin``): any shape."""

    name = "asin"
    functional = "torch.asin"
    onnx_type = "Asin"
    onnx_lacks = ("float64",)
    autocast = "float32"


class Acos(Pointwise):
    """Inverse of the cosine (``torch.acos``): any shape."""

    name = "acos"
    functional = "torch.acos"
    onnx_type = "Acos"
    onnx_lacks = ("float64",)
    autocast = "float32"


class Atan(Pointwise):
    """Inverse of the tangent (``torch.atan``): any shape."""

    name = "atan"
    functional = "torch.atan"
    onnx_type = "Atan"
    onnx_lacks = ("float64",)


class HalfOfExponentials(Pointwise):
    """Base of sinh and cosh, (exp(x) ∓ exp(−x)) / 2.

    In float64, which onnxruntime's own do not take, they are made of exp; float32 ends at x = 89.
    """

    joined_by: ClassVar[str]
    autocast = "float32"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if tensors[0].dtype != "float64":
            return super().onnx(builder, *inputs, tensors=tensors)
        grows, falls = builder.op("Exp", inputs[0]), builder.op("Exp", builder.op("Neg", inputs[0]))
        return builder.op("Mul", builder.op(self.joined_by, grows, falls), builder.constant(0.5, "float64"))


class Sinh(HalfOfExponentials):
    """Hyperbolic sine of x (``torch.sinh``): any shape."""

    name = "sinh"
    functional = "torch.sinh"
    onnx_type = "Sinh"
    joined_by = "Sub"


class Cosh(HalfOfExponentials):
    """Hyperbolic cosine of x (``torch.cosh``): any shape."""

    name = "cosh"
    functional = "torch.cosh"
    onnx_type = "Cosh"
    joined_by = "Add"


class Asinh(Pointwise):
    """Inverse of the hyperbolic sine (``torch.asinh``): any shape."""

    name = "asinh"
    functional = "torch.asinh"
    onnx_type = "Asinh"
    onnx_lacks = ("float64",)


class Acosh(Pointwise):
    """Inverse of the hyperbolic cosine (``torch.acosh``): any shape."""

    name = "acosh"
    functional = "torch.acosh"
    onnx_type = "Acosh"
    onnx_lacks = ("float64",)


class Atanh(Pointwise):
    """Inverse of the hyperbolic tangent (``torch.atanh``): any shape."""

    name = "atanh"
    functional = "torch.atanh"
    onnx_type = "Atanh"
    onnx_lacks = ("float64",)
