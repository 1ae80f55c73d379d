"""Arithmetic on several inputs, element by element with torch's broadcasting."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.agreement import broadcast, one_dtype, repeated
from netspec.ops.core.foreign import ForeignCall, OpReading, number_of
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor


class Elementwise(Op):
    """Base of arithmetic on any number of inputs; ``onnx_type`` is the ONNX op of two of them."""

    family = "arithmetic"
    variadic = True
    takes_empty = True
    skips_absent = True
    any_dtype = True
    batched_over_leading_dims = True
    onnx_type: ClassVar[str]
    elementwise = True
    onnx_lacks: ClassVar[tuple[str, ...]] = ("bool",)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        numbers = [number_of(value) for value in call.arguments.values()]
        return None if len(numbers) == 2 and numbers.count(None) == 1 else super().from_onnx(call)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs])

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        return broadcast(self.name, *shapes)

    def kept_of_two(self, left: bool, right: bool) -> tuple[bool, bool]:
        """Return which of two inputs are saved, where gradients flow to the left or the right one."""
        return False, False

    def saved(self, run: OpRun) -> Saved:
        """From left to right: what two of them give is the left one of the next two."""
        inputs: list[int] = []
        tensors: list[Tensor] = []
        for at in range(1, len(run.inputs)):
            flows = any(run.needs[:at]), run.needs[at]
            left, right = self.kept_of_two(*flows) if any(flows) else (False, False)
            inputs += [at] if right else []
            if left and at == 1:
                inputs.append(0)
            elif left:
                shape = broadcast(self.name, *(tensor.shape for tensor in run.inputs[:at]))
                tensors.append(Tensor(shape, run.outputs[0].dtype))
        return Saved(tuple(inputs), made=tuple(tensors))

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the gradients of inputs that are repeated, before they are added up; a sum's are the output's own."""
        if not any(self.kept_of_two(True, True)):
            return ()
        output = run.outputs[0]
        given = [tensor.shape for tensor, needs in zip(run.inputs, run.needs) if needs]
        return tuple([output for shape in given if shape != output.shape])

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(0, run.strides[0]),) if len(run.inputs) == 1 else super().output_layout(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        made = inputs[0]
        for x in inputs[1:]:
            made = builder.op(self.onnx_type, made, x)
        return made


class Infix(Elementwise):
    """Arithmetic that Python writes between its operands. ``sign`` is how."""

    sign: ClassVar[str]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f" {self.sign} ".join(arguments)


class Add(Infix):
    """Sum of its inputs, x + y: shapes broadcast as in torch."""

    name = "add"
    without = ("alpha",)
    functional = "torch.add"
    sign = "+"
    onnx_type = "Add"
    onnx_nodes = ("Add", "Sum")


class Subtract(Infix):
    """The first input minus the others, x − y: shapes broadcast as in torch."""

    name = "subtract"
    without = ("alpha",)
    functional = "torch.subtract"
    aten = ("sub",)
    sign = "-"
    onnx_type = "Sub"
    torch_lacks = ("bool",)


class Multiply(Infix):
    """Product of its inputs, element by element, x · y: shapes broadcast as in torch."""

    name = "multiply"
    functional = "torch.multiply"
    aten = ("mul",)
    sign = "*"
    onnx_type = "Mul"

    def kept_of_two(self, left: bool, right: bool) -> tuple[bool, bool]:
        return right, left


class Divide(Infix):
    """The first input divided by the others, x / y: shapes broadcast as in torch."""

    name = "divide"
    without = ("rounding_mode",)
    functional = "torch.divide"
    aten = ("div", "true_divide")
    sign = "/"
    any_dtype = False
    onnx_type = "Div"

    def kept_of_two(self, left: bool, right: bool) -> tuple[bool, bool]:
        return right, True
