"""Comparisons, logic, and choices made by masks."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.agreement import broadcast, one_dtype, repeated
from netspec.ops.core.arguments import Number, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading, number_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, need_rank
from netspec.ops.math.arithmetic import Infix


class NumberComparison(Op):
    """Base of the comparisons of the input with another one, or with a fixed number; they give booleans."""

    family = "arithmetic"
    main = "value"
    ports = ("input", "other")
    optional = ("other",)
    any_dtype = True
    sign: ClassVar[str]
    onnx_type: ClassVar[str]
    saved_for_backward = "nothing"
    elementwise = True
    onnx_lacks = ("bool",)

    value: Annotated[Any, Number(optional=True)] = None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        number = number_of(call.arguments["B"])
        if number is None:
            return super().from_onnx(call)
        return OpReading({"value": number}, (call.tensor("A"), None), {}, call.outputs)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs if tensor is not None])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        if (len(given) == 2) == (self.value is not None):
            raise ShapeError(f"{self.name} compares with `other` or with a number: give one of the two")
        one_dtype(self.name, given)
        if self.value is not None:
            guard_number(self.name, self.value, given[0].dtype)
        return (Tensor(broadcast(self.name, *(tensor.shape for tensor in given)), "bool"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        other = spell_number(self.value) if self.value is not None else arguments[1]
        return f"{arguments[0]} {self.sign} {other}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, other = inputs
        other = builder.constant(float(self.value), tensors[0].dtype) if self.value is not None else other
        return builder.op(self.onnx_type, x, other)

    def detail(self) -> str:
        return "" if self.value is None else str(self.value)


class Equal(NumberComparison):
    """True where x = y (``torch.eq``): shapes broadcast as in torch, bool."""

    name = "equal"
    aten = ("eq",)
    covers = ("Tensor.eq",)
    sign = "=="
    onnx_type = "Equal"


class NotEqual(NumberComparison):
    """True where x ≠ y (``torch.ne``): shapes broadcast as in torch, bool."""

    name = "not_equal"
    aten = ("ne",)
    onnx_nodes = ()
    sign = "!="
    onnx_type = "Equal"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Not", super().onnx(builder, *inputs, tensors=tensors))


class Less(NumberComparison):
    """True where x < y (``torch.lt``): shapes broadcast as in torch, bool."""

    name = "less"
    aten = ("lt",)
    sign = "<"
    onnx_type = "Less"


class LessEqual(NumberComparison):
    """True where x ≤ y (``torch.le``): shapes broadcast as in torch, bool."""

    name = "less_equal"
    aten = ("le",)
    sign = "<="
    onnx_type = "LessOrEqual"


class Greater(NumberComparison):
    """True where x > y (``torch.gt``): shapes broadcast as in torch, bool."""

    name = "greater"
    aten = ("gt",)
    sign = ">"
    onnx_type = "Greater"


class GreaterEqual(NumberComparison):
    """True where x ≥ y (``torch.ge``): shapes broadcast as in torch, bool."""

    name = "greater_equal"
    aten = ("ge",)
    sign = ">="
    onnx_type = "GreaterOrEqual"


class LogicalOp(Infix):
    """Base of the logic on booleans."""

    onnx_lacks = ()

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for tensor in inputs:
            need_bool(self.name, tensor)
        return super().infer(*inputs)


class LogicalAnd(LogicalOp):
    """True where all inputs are (``torch.logical_and``): shapes broadcast as in torch, bool."""

    name = "logical_and"
    functional = "torch.logical_and"
    aten = ("bitwise_and", "__and__")
    sign = "&"
    onnx_type = "And"


class LogicalOr(LogicalOp):
    """True where any input is (``torch.logical_or``): shapes broadcast as in torch, bool."""

    name = "logical_or"
    functional = "torch.logical_or"
    aten = ("bitwise_or", "__or__")
    sign = "|"
    onnx_type = "Or"


class LogicalNot(Op):
    """True where x is false (``torch.logical_not``): any shape, bool."""

    name = "logical_not"
    onnx_nodes = ("Not",)
    family = "arithmetic"
    functional = "torch.logical_not"
    aten = ("bitwise_not",)
    any_dtype = True
    saved_for_backward = "nothing"
    elementwise = True

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_bool(self.name, inputs[0])
        return super().infer(*inputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"~{arguments[0]}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Not", inputs[0])


class Where(Op):
    """The input where the condition is true, else the other (``torch.where``): shapes broadcast as in torch."""

    name = "where"
    onnx_nodes = ("Where",)
    aten_names = MappingProxyType({"self": "input"})
    family = "arithmetic"
    functional = "torch.where"
    ports = ("condition", "input", "other")
    elementwise = True

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs])

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_bool(self.name, inputs[0], "condition")
        one_dtype(self.name, inputs[1:])
        return (Tensor(broadcast(self.name, *(tensor.shape for tensor in inputs)), inputs[1].dtype),)

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if tensors[1].dtype != "bool":
            return builder.op("Where", *inputs)
        condition, x, other = inputs  # onnxruntime has no Where of booleans
        chosen = builder.op("And", condition, x)
        return builder.op("Or", chosen, builder.op("And", builder.op("Not", condition), other))


class MaskedFill(Op):
    """The input, but value where the mask is true (``Tensor.masked_fill``): shapes broadcast as in torch."""

    name = "masked_fill"
    family = "arithmetic"
    main = "value"
    ports = ("input", "mask")
    onnx_nodes = ("Where",)

    value: Annotated[Any, Number()]

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        number = number_of(call.arguments["X"])
        if number is None:
            return None
        return OpReading({"value": number}, (call.tensor("Y"), call.tensor("condition")), {}, call.outputs)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs])

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_bool(self.name, inputs[1], "mask")
        guard_number(self.name, self.value, inputs[0].dtype)
        return (Tensor(broadcast(self.name, *(tensor.shape for tensor in inputs)), inputs[0].dtype),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.masked_fill({arguments[1]}, {spell_number(self.value)})"

    def saved(self, run: OpRun) -> Saved:
        return Saved((1,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Where", inputs[1], builder.constant(float(self.value), tensors[0].dtype), inputs[0])


class Triangle(Op):
    """Base of the ops that keep one side of a diagonal."""

    family = "arithmetic"
    main = "diagonal"
    any_dtype = True
    onnx_nodes = ("Trilu",)
    upper: ClassVar[int]
    saved_for_backward = "nothing"

    diagonal: int = 0

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        place = call.arguments.get("k", 0)
        if call.arguments.get("upper", 1) != cls.upper or not isinstance(place, int):
            return None
        return OpReading({"diagonal": place}, (call.tensor("input"),), {}, call.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 2:
            need_rank(self.name, shapes[0], 2, layout="at least two dimensions")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, dtype = inputs[0], tensors[0].dtype
        rare = dtype in ("bool", "int32")  # which onnxruntime cannot cut before 1.19
        cut = builder.cast(x, "int64") if rare else x
        cut = builder.op("Trilu", cut, builder.constant(self.diagonal), upper=self.upper)
        return builder.cast(cut, dtype) if rare else cut


class Tril(Triangle):
    """0 above a diagonal of the last two dimensions (``torch.tril``): (…, A, B), kept."""

    name = "tril"
    functional = "torch.tril"
    upper = 0


class Triu(Triangle):
    """0 below a diagonal of the last two dimensions (``torch.triu``): (…, A, B), kept."""

    name = "triu"
    functional = "torch.triu"
    upper = 1


def need_bool(name: str, tensor: Tensor, what: str = "input") -> None:
    """Guard: the tensor holds booleans."""
    if tensor.dtype != "bool":
        raise ShapeError(f"{name} takes booleans as its {what}, but got {tensor.dtype}")


def guard_number(name: str, value: float | str, dtype: str) -> None:
    """Guard: a tensor of this dtype can hold the number."""
    if "float" not in dtype and (isinstance(value, str) or not float(value).is_integer() or dtype == "bool"):
        raise ShapeError(f"{name}: {value} cannot be {dtype}", argument="value")
