"""Tensors that a few numbers describe: of one number, or of equal steps from one to another."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Size, pretty
from netspec.ops.core.arguments import Extent, Number, spell_number
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_scalar, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.tensors.create import Filled, on_device


class Full(Filled):
    """A tensor of one number (``torch.full``); ``like`` has its symbolic sizes, and its dtype: -> size."""

    name = "full"
    covers = ("Tensor.fill_", "Tensor.new_full")

    fill_value: Annotated[Any, Number()]

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        (made,) = super().infer(*inputs)
        dtype = made.dtype
        if dtype in ("int32", "int64") and not float(self.fill_value).is_integer():
            found = f"full: {self.fill_value} cannot be {dtype}"
            raise ShapeError(found, argument="fill_value", help="write `dtype: float32`")
        return (made,)

    def filled_with(self) -> float:
        return float(self.fill_value)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = ", ".join(spell_size(self.name, size, arguments, inputs) for size in self.size)
        shape = f"({sizes}{',' * (len(self.size) == 1)})"
        dtype = self.infer(*inputs)[0].dtype
        number = spell_number(self.fill_value) if dtype != "bool" else str(bool(self.fill_value))
        return f"torch.full({shape}, {number}, dtype=torch.{dtype}{on_device(arguments)})"

    def detail(self) -> str:
        return f"{super().detail()} of {spell_number(self.fill_value)}"


class Linspace(Op):
    """Numbers from start to end in equal steps (``torch.linspace``); ``like`` has a symbolic ``steps``: -> (steps)."""

    name = "linspace"
    family = "shape"
    functional = "torch.linspace"
    main = "steps"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    start: float
    end: float
    steps: Annotated[Any, Extent()]

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield self.steps

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        find(self.name, self.steps, inputs)
        return (Tensor((self.steps,)),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        steps = spell_size(self.name, self.steps, arguments, inputs)
        if not isinstance(self.steps, int):  # torch.export would fix the number of steps of a linspace
            step = f"{spell_number(self.end - self.start)} / max({steps} - 1, 1)"
            return f"torch.arange({steps}{on_device(arguments)}) * ({step}) + {spell_number(self.start)}"
        return f"torch.linspace({spell_number(self.start)}, {spell_number(self.end)}, {steps}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """start + i · (end − start) / (steps − 1), counted in whole numbers, so that nothing is added up."""
        count = size_scalar(builder, self.name, self.steps, inputs, tensors)
        places = builder.cast(builder.op("Range", builder.constant(0), count, builder.constant(1)), "float32")
        gaps = builder.op("Max", builder.op("Sub", count, builder.constant(1)), builder.constant(1))
        share = builder.op("Div", places, builder.cast(gaps, "float32"))
        apart = builder.op("Mul", share, builder.constant(self.end - self.start, "float32"))
        return builder.op("Add", apart, builder.constant(self.start, "float32"))

    def detail(self) -> str:
        return f"{spell_number(self.start)} … {spell_number(self.end)}, {pretty(self.steps)}"
