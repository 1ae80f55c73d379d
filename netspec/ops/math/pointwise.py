"""Arithmetic on one input, element by element."""

from collections.abc import Sequence
from typing import Any, ClassVar

from netspec.dims import Shape
from netspec.ops.core.arguments import Dtype, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading, exactly, number_of
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.tensors import ShapeError, Tensor


class Pointwise(Op):
    """Base of the functions of single elements; ``onnx_type`` is the ONNX op that does the same."""

    takes_empty = True
    family = "arithmetic"
    batched_over_leading_dims = True
    onnx_type: ClassVar[str]
    saved_for_backward = "input"
    elementwise = True

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op(self.onnx_type, inputs[0])


class Exp(Pointwise):
    """exp(x) (``torch.exp``): any shape."""

    name = "exp"
    functional = "torch.exp"
    onnx_type = "Exp"
    saved_for_backward = "output"
    autocast = "float32"


class Log(Pointwise):
    """Natural logarithm of x (``torch.log``): any shape."""

    name = "log"
    functional = "torch.log"
    onnx_type = "Log"
    autocast = "float32"


class Sqrt(Pointwise):
    """Square root of x (``torch.sqrt``): any shape."""

    name = "sqrt"
    functional = "torch.sqrt"
    onnx_type = "Sqrt"
    saved_for_backward = "output"


class Reciprocal(Pointwise):
    """1 / x (``torch.reciprocal``): any shape."""

    name = "reciprocal"
    functional = "torch.reciprocal"
    onnx_type = "Reciprocal"
    saved_for_backward = "output"
    autocast = "float32"


class Sin(Pointwise):
    """Sine of x (``torch.sin``): any shape."""

    name = "sin"
    functional = "torch.sin"
    onnx_type = "Sin"


class Cos(Pointwise):
    """Cosine of x (``torch.cos``): any shape."""

    name = "cos"
    functional = "torch.cos"
    onnx_type = "Cos"


class Neg(Pointwise):
    """−x (``torch.neg``): any shape."""

    name = "neg"
    functional = "torch.neg"
    any_dtype = True
    torch_lacks = ("bool",)
    onnx_type = "Neg"
    saved_for_backward = "nothing"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"-{arguments[0]}"


class Abs(Pointwise):
    """|x| (``torch.abs``): any shape."""

    name = "abs"
    functional = "torch.abs"
    any_dtype = True
    torch_lacks = ("bool",)
    onnx_type = "Abs"


def guard_whole(name: str, argument: str, number: float | None, dtype: str) -> None:
    """Guard: a number that integers are computed with is one."""
    if number is not None and not float(number).is_integer():
        text = f"{name}: {spell_number(number)} is not an integer, but the input is {dtype}"
        raise ShapeError(text, argument=argument, help="write `- cast: float32` before it")


class WithNumber(Pointwise):
    """Arithmetic with one number, which is the main argument. ``sign`` is how Python writes it."""

    any_dtype = True
    torch_lacks = ("bool",)
    saved_for_backward = "nothing"
    sign: ClassVar[str]

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, number = call.tensor("self"), call.arguments.get("other")
        if x is None or len(call.arguments) != 2 or not isinstance(number, (int, float)) or isinstance(number, bool):
            return None
        return OpReading({str(cls.main): cls.number_of(call.name, number)}, (x,), {}, call.outputs)

    @staticmethod
    def number_of(operator: str, number: float) -> float:
        """Return the argument that an operator with this number comes to."""
        raise AssertionError("each kind of arithmetic has its own operators")

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        left, right = call.arguments.values()
        for tensor, value in ((left, right), (right, left)):
            number = number_of(value)
            if number is not None and number_of(tensor) is None:
                return OpReading({str(cls.main): exactly(number)}, (tensor,), {}, call.outputs)
        return None

    def number(self) -> float:
        value = getattr(self, str(self.main))
        assert isinstance(value, float)
        return value

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if "float" not in inputs[0].dtype:
            guard_whole(self.name, str(self.main), self.number(), inputs[0].dtype)
        return super().infer(*inputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]} {self.sign} {spell_number(self.number())}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op(self.onnx_type, inputs[0], builder.constant(self.number(), tensors[0].dtype))

    def detail(self) -> str:
        return spell_number(self.number())


class Scale(WithNumber):
    """x · factor, for a fixed number: any shape."""

    name = "scale"
    main = "factor"
    sign = "*"
    onnx_type = "Mul"

    factor: float

    aten = ("mul", "div")

    @staticmethod
    def number_of(operator: str, number: float) -> float:
        return 1 / number if operator == "div" else number


class Shift(WithNumber):
    """x + amount, for a fixed number: any shape."""

    name = "shift"
    main = "amount"
    sign = "+"
    onnx_type = "Add"

    amount: float

    aten = ("add", "sub")

    @staticmethod
    def number_of(operator: str, number: float) -> float:
        return -number if operator == "sub" else number


LARGEST = 3.4e38
"""From here on, a bound of single precision is none."""


class Clamp(Pointwise):
    """x, brought into the range from min to max (``torch.clamp``): any shape."""

    name = "clamp"
    functional = "torch.clamp"
    any_dtype = True
    torch_lacks = ("bool",)
    aten = ("clamp_min", "clamp_max")
    onnx_type = "Clip"

    min: float | None = None
    max: float | None = None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_onnx(call)
        if reading is None:
            return None
        bounds = {name: exactly(value) for name, value in reading.arguments.items() if abs(value) < LARGEST}
        return reading._replace(arguments=bounds)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if "float" not in inputs[0].dtype:
            for argument in ("min", "max"):
                guard_whole(self.name, argument, getattr(self, argument), inputs[0].dtype)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.min is None and self.max is None:
            raise ShapeError("clamp needs min or max, or both", argument="min")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ShapeError(f"min {self.min} is above max {self.max}", argument="min")
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        if "float" in inputs[0].dtype:
            return super().call(arguments, inputs)
        bounds = [f"{name}={spell_number(value)}" for name, value in self.changed().items()]
        return f"torch.clamp({', '.join([arguments[0], *bounds])})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        bounds = (None if bound is None else builder.constant(bound, dtype) for bound in (self.min, self.max))
        return builder.op(self.onnx_type, inputs[0], *bounds)

    def detail(self) -> str:
        least, most = ("" if bound is None else spell_number(bound) for bound in (self.min, self.max))
        return f"{least} … {most}".strip()


class Cast(Op):
    """The same numbers in another dtype (``Tensor.to``): any shape."""

    name = "cast"
    family = "shape"
    main = "dtype"
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"
    elementwise = True

    onnx_nodes = ("Cast",)
    onnx_names = {"to": None}

    dtype: Dtype

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape, self.dtype),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.to(torch.{self.dtype})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(0, run.strides[0]),) if run.inputs[0].dtype == self.dtype else super().output_layout(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        to_number = tensors[0].dtype == "bool" and "float" in self.dtype
        return as_number(builder, inputs[0], self.dtype) if to_number else builder.cast(inputs[0], self.dtype)
