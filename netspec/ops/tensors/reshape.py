"""Ops that give a tensor another shape, in the same order."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from netspec.dims import Shape, Size, product, times_shape
from netspec.ops.core.arguments import Sizes
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import NEW, OutputLayout, viewed
from netspec.ops.core.op import Op
from netspec.ops.core.reshaping import agree, guard_read, merged, reshape, resolve, spelled, unread, with_rest
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of


class Rearrangement(Op):
    """Base of the ops that rearrange elements."""

    family = "shape"
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"


class Identity(Rearrangement):
    """Passes its input on (``torch.nn.Identity``): any shape."""

    name = "identity"
    torch = "nn.Identity"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(0, run.strides[0]),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return inputs[0]


class Flatten(Rearrangement):
    """Merges dimensions start_dim to end_dim into one (``torch.nn.Flatten``): (N, C, H, W) -> (N, C·H·W)."""

    name = "flatten"
    torch = "nn.Flatten"
    takes_empty = False
    functional = "torch.flatten"

    aten_defaults = MappingProxyType({"start_dim": 0})

    start_dim: int = 1
    end_dim: int = -1

    aten = ("view", "reshape", "_unsafe_view")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, (output, *_) = call.tensor("self"), call.outputs
        if x is None or output is None:
            return None
        if call.name == "flatten" and len(x.shape) > 1:
            return super().from_aten(call)
        start, end = merged(x.shape, output.shape)
        if end <= start:
            return None
        last = -1 if end == len(x.shape) - 1 else end
        return OpReading({"start_dim": start, "end_dim": last}, (x,), {}, call.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        shape = shapes[0]
        start = axis_of(self.start_dim, len(shape), "start_dim")
        end = axis_of(self.end_dim, len(shape), "end_dim")
        if start > end:
            raise ShapeError(f"start_dim {self.start_dim} comes after end_dim {self.end_dim}", argument="start_dim")
        return (*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :])

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        end = "" if self.end_dim == -1 else f", {self.end_dim}"
        return f"torch.flatten({arguments[0]}, {self.start_dim}{end})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return reshaped(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        shape = tensors[0].shape
        made = self.output_shape(shape)
        if axis_of(self.start_dim, len(shape)) == 1 and len(made) == 2:
            return builder.op("Flatten", inputs[0], axis=1)
        return reshape(builder, inputs, tensors, made)

    def detail(self) -> str:
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"dim {self.start_dim} to {self.end_dim}"


class Unflatten(Rearrangement):
    """Splits one dimension into several (``torch.nn.Unflatten``): (…, size, …) -> (…, *unflattened_size, …)."""

    name = "unflatten"
    torch = "nn.Unflatten"
    takes_empty = False
    functional = "torch.unflatten"

    aten_names = MappingProxyType({"sizes": "unflattened_size"})

    dim: int
    unflattened_size: Annotated[Any, Sizes(None, "of which one may be -1")]

    aten = ("view", "reshape", "_unsafe_view")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, (output, *_) = call.tensor("self"), call.outputs
        if x is None or output is None:
            return None
        if call.name == "unflatten":
            return super().from_aten(call)
        start, end = merged(output.shape, x.shape)
        if end <= start:
            return None
        dim = -1 if start == len(x.shape) - 1 else start
        sizes = with_rest(output.shape[start : end + 1])
        return OpReading({"dim": dim, "unflattened_size": sizes}, (x,), {}, call.outputs)

    @property
    def has_module(self) -> bool:
        return all(isinstance(size, int) for size in self.unflattened_size)

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        return unread(self.unflattened_size, [tensor.shape for tensor in inputs])

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        yield shape[axis], product(self.parts(shape[axis])), f"unflatten splits dim {self.dim} without remainder"

    def parts(self, size: Size) -> Shape:
        """Return the sizes that the dimension becomes; a remainder is left to ``requirements``."""
        return resolve(self.unflattened_size, size, "unflattened_size")

    def output_shape(self, *shapes: Shape) -> Shape:
        shape = shapes[0]
        axis = axis_of(self.dim, len(shape))
        parts = self.parts(shape[axis])
        agree(shape[axis : axis + 1], parts, "unflattened_size")
        guard_read(self.name, self.unflattened_size, shapes, "unflattened_size")
        return (*shape[:axis], *parts, *shape[axis + 1 :])

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        if self.has_module:
            return f"torch.unflatten({arguments[0]}, {self.dim}, {self.unflattened_size})"
        sizes = ", ".join(spelled(self.name, self.unflattened_size, arguments, inputs))
        return f"torch.unflatten({arguments[0]}, {self.dim}, ({sizes}{',' * (len(self.unflattened_size) == 1)}))"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return reshaped(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return reshape(builder, inputs, tensors, self.output_shape(*(tensor.shape for tensor in tensors)))

    def detail(self) -> str:
        return f"dim {self.dim} → " + times_shape(self.unflattened_size)


class Reshape(Rearrangement):
    """The same elements in another shape (``Tensor.reshape``); one size may be -1: any shape -> shape."""

    name = "reshape"
    takes_empty = False
    functional = "torch.reshape"
    main = "shape"

    shape: Annotated[Any, Sizes(None, "of which one may be -1")]

    aten = ("view", "_unsafe_view", "flatten", "unflatten", "squeeze")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, (output, *_) = call.tensor("self"), call.outputs
        if x is None or output is None:
            return None
        if call.name == "squeeze" and len(x.shape) - len(output.shape) == 1:
            return None
        return OpReading({"shape": with_rest(output.shape)}, (x,), {}, call.outputs)

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        return unread(self.shape, [tensor.shape for tensor in inputs])

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        made = resolve(self.shape, product(inputs[0].shape), "shape")
        yield product(inputs[0].shape), product(made), "reshape must keep the number of elements"

    def output_shape(self, *shapes: Shape) -> Shape:
        made = resolve(self.shape, product(shapes[0]), "shape")
        agree(shapes[0], made, "shape")
        guard_read(self.name, self.shape, shapes, "shape")
        return made

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.reshape({', '.join(spelled(self.name, self.shape, arguments, inputs))})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return reshaped(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return reshape(builder, inputs, tensors, self.output_shape(*(tensor.shape for tensor in tensors)))

    def detail(self) -> str:
        return "→ " + times_shape(self.shape)


def reshaped(run: OpRun) -> tuple[OutputLayout, ...]:
    """The place of the input's elements in another shape: the same memory where that is possible."""
    return (viewed(run.inputs[0].shape, run.strides[0], run.outputs[0].shape) or NEW,)
