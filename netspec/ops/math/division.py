"""Functions of two numbers, element by element: division with remainder, powers, angles and lengths."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Size
from netspec.ops.core.agreement import broadcast, one_dtype, repeated
from netspec.ops.core.arguments import Number, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading, exactly, number_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor
from netspec.ops.math.compare import guard_number


class TwoNumbers(Op):
    """Base of the functions of the input and of another one, element by element with torch's broadcasting."""

    family = "arithmetic"
    batched_over_leading_dims = True
    elementwise = True
    ports: ClassVar[tuple[str, ...]] = ("input", "other")

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs if tensor is not None])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        one_dtype(self.name, given)
        dtype = super().infer(*given)[0].dtype
        return (Tensor(broadcast(self.name, *(tensor.shape for tensor in given)), dtype),)


class OptionalNumber(TwoNumbers):
    """Base of those whose other number may be a fixed one, the main argument."""

    optional = ("other",)
    any_dtype = True
    torch_lacks = ("bool",)

    def number(self) -> Any:
        """The fixed number; ``None`` where there is another input."""
        return getattr(self, str(self.main))

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        if (len(given) == 2) == (self.number() is not None):
            raise ShapeError(f"{self.name} takes `other` or a number `{self.main}`: give one of the two")
        if self.number() is not None:
            guard_number(self.name, self.number(), given[0].dtype)
        return super().infer(*inputs)

    def second(self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
        """The other number in ONNX."""
        return inputs[1] if self.number() is None else builder.constant(float(self.number()), tensors[0].dtype)

    def other(self, arguments: Sequence[str]) -> str:
        """The other number in PyTorch."""
        return arguments[1] if self.number() is None else spell_number(self.number())

    def detail(self) -> str:
        return "" if self.number() is None else spell_number(self.number())


class Division(OptionalNumber):
    """Base of the divisions that leave a remainder."""

    main = "divisor"
    divisor: Annotated[Any, Number(optional=True)] = None

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        if self.divisor == 0:
            raise ShapeError(f"{self.name} cannot divide by 0", argument="divisor")
        return super().infer(*inputs)

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(least=1, below=8) if port == "other" else None  # whole numbers cannot be divided by 0

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{self.functional}({arguments[0]}, {self.other(arguments)})"


class Remainder(Division):
    """x modulo the divisor, with the divisor's sign (``torch.remainder``): shapes broadcast as in torch."""

    name = "remainder"
    functional = "torch.remainder"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0, 1) if len(run.inputs) > 1 and run.inputs[1] is not None and run.needs[1] else ())

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return modulo(builder, inputs[0], self.second(builder, inputs, tensors), tensors[0].dtype)


class Fmod(Division):
    """The remainder of x by the divisor, with the sign of x (``torch.fmod``): shapes broadcast as in torch."""

    name = "fmod"
    functional = "torch.fmod"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0, 1) if len(run.inputs) > 1 and run.inputs[1] is not None and run.needs[1] else ())

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mod", inputs[0], self.second(builder, inputs, tensors), fmod=1)


class FloorDivide(Division):
    """x / divisor, rounded down (``torch.floor_divide``): shapes broadcast as in torch."""

    name = "floor_divide"
    functional = "torch.floor_divide"

    def saved(self, run: OpRun) -> Saved:
        if self.divisor is not None:
            return Saved()
        return Saved((0, 1) if run.needs[1] else (1,))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        if "float" not in inputs[0].dtype:
            return f"{arguments[0]} // {self.other(arguments)}"
        return f'torch.div({arguments[0]}, {self.other(arguments)}, rounding_mode="floor")'  # it has a derivative

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """(x − x mod y) / y, which is whole but for the rounding of the division."""
        y = self.second(builder, inputs, tensors)
        rest = modulo(builder, inputs[0], y, tensors[0].dtype)
        made = builder.op("Div", builder.op("Sub", inputs[0], rest), y)
        return builder.op("Round", made) if "float" in tensors[0].dtype else made


class Pow(OptionalNumber):
    """x to a power, a fixed number or another input (``torch.pow``): shapes broadcast as in torch."""

    name = "pow"
    functional = "torch.pow"
    main = "exponent"
    autocast = "float32"

    exponent: float | None = None
    onnx_nodes = ("Pow",)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        number = number_of(call.arguments["Y"])
        if number is None:
            return super().from_onnx(call)
        return OpReading({"exponent": exactly(number)}, (call.tensor("X"), None), {}, call.outputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]} ** {self.other(arguments)}"

    def saved(self, run: OpRun) -> Saved:
        if self.exponent is not None:
            return Saved((0,))
        return Saved((0, 1), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Pow", inputs[0], self.second(builder, inputs, tensors))


class Atan2(TwoNumbers):
    """Angle of the point (other, input), from −π to π (``torch.atan2``): shapes broadcast as in torch."""

    name = "atan2"
    functional = "torch.atan2"
    saved_for_backward = "input"
    onnx_lacks = ("float64",)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        y, x = inputs
        dtype = tensors[0].dtype
        zero, half, whole = (builder.constant(value, dtype) for value in (0.0, 1.5707963267948966, 3.141592653589793))
        upright = builder.op("Equal", x, zero)
        safe = builder.op("Where", upright, builder.constant(1.0, dtype), x)
        angle = builder.op("Atan", builder.op("Div", y, safe))
        turn = builder.op("Where", builder.op("Less", y, zero), builder.op("Neg", whole), whole)
        left = builder.op("Where", builder.op("Less", x, zero), builder.op("Add", angle, turn), angle)
        return builder.op("Where", upright, builder.op("Mul", builder.op("Sign", y), half), left)


class Hypot(TwoNumbers):
    """√(x² + y²), without overflow on the way (``torch.hypot``): shapes broadcast as in torch."""

    name = "hypot"
    onnx_exact = True
    functional = "torch.hypot"

    def saved(self, run: OpRun) -> Saved:
        return Saved(tuple(at for at in (0, 1) if run.needs[at]), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        one = builder.constant(1.0, tensors[0].dtype)
        sizes = [builder.op("Abs", x) for x in inputs]
        large, small = builder.op("Max", *sizes), builder.op("Min", *sizes)
        zero = builder.op("Equal", large, builder.constant(0.0, tensors[0].dtype))
        ratio = builder.op("Div", small, builder.op("Where", zero, one, large))
        return builder.op("Mul", large, builder.op("Sqrt", builder.op("Add", builder.op("Mul", ratio, ratio), one)))


class Xlogy(TwoNumbers):
    """x · log(y), and 0 where x is 0 (``torch.xlogy``): shapes broadcast as in torch."""

    name = "xlogy"
    functional = "torch.xlogy"
    saved_for_backward = "input"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, y = inputs
        zero = builder.constant(0.0, tensors[0].dtype)
        made = builder.op("Mul", x, builder.op("Log", y))
        return builder.op("Where", builder.op("Equal", x, zero), zero, made)


class Logaddexp(TwoNumbers):
    """log(exp(x) + exp(y)), without overflow on the way (``torch.logaddexp``): shapes broadcast as in torch."""

    name = "logaddexp"
    onnx_exact = True
    functional = "torch.logaddexp"
    saved_for_backward = "input"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        one = builder.constant(1.0, tensors[0].dtype)
        apart = builder.op("Neg", builder.op("Abs", builder.op("Sub", *inputs)))
        rest = builder.op("Log", builder.op("Add", builder.op("Exp", apart), one))
        return builder.op("Add", builder.op("Max", *inputs), rest)


class Lerp(Op):
    """input + weight · (other − input), for a fixed weight or a third input (``torch.lerp``): shapes broadcast."""

    name = "lerp"
    family = "arithmetic"
    functional = "torch.lerp"
    main = "weight"
    ports = ("input", "end", "weights")
    optional = ("weights",)
    batched_over_leading_dims = True
    elementwise = True

    weight: float | None = None

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        weight = [] if self.weight is None else [spell_number(self.weight)]
        return f"torch.lerp({', '.join([*arguments, *weight])})"

    def detail(self) -> str:
        return "" if self.weight is None else spell_number(self.weight)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs if tensor is not None])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        if (len(given) == 3) == (self.weight is not None):
            raise ShapeError("lerp takes `weights` or a number `weight`: give one of the two")
        one_dtype(self.name, given)
        dtype = super().infer(*given)[0].dtype
        return (Tensor(broadcast(self.name, *(tensor.shape for tensor in given)), dtype),)

    def saved(self, run: OpRun) -> Saved:
        if self.weight is not None:
            return Saved()
        return Saved((2, *((0, 1) if run.needs[2] else ())))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, end, weight = inputs
        weight = builder.constant(self.weight, tensors[0].dtype) if weight is None else weight
        return builder.op("Add", x, builder.op("Mul", builder.op("Sub", end, x), weight))


def modulo(builder: OnnxBuilder, x: Any, y: Any, dtype: str) -> Any:
    """x modulo y with the sign of y, in ONNX, whose Mod has that for integers alone."""
    if "float" not in dtype:
        return builder.op("Mod", x, y)
    zero = builder.constant(0.0, dtype)
    rest = builder.op("Mod", x, y, fmod=1)
    signs = builder.op("Less", rest, zero), builder.op("Less", y, zero)
    wrong = builder.op("And", builder.op("Xor", *signs), builder.op("Not", builder.op("Equal", rest, zero)))
    return builder.op("Where", wrong, builder.op("Add", rest, y), rest)
