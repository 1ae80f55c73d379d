"""Ops that rearrange: flatten, reshape, permute, join. No arithmetic, no parameters."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from netspec.dims import Shape, Size, product, times_shape
from netspec.ops.core.arguments import Integers, Sizes, is_integer
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import NEW, OutputLayout, shortened, strides_of, viewed
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


class Reordering(Rearrangement):
    """Base of what puts the dimensions into another order."""

    @abstractmethod
    def order(self, rank: int) -> list[int]:
        """Return, for each dimension of the output, the input's that it is."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(shapes[0][axis] for axis in self.order(len(shapes[0])))

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        order = self.order(len(strides))
        return (OutputLayout(0, shortened(run.outputs[0].shape, tuple(strides[axis] for axis in order))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Transpose", inputs[0], perm=self.order(len(tensors[0].shape)))


class Permute(Reordering):
    """Puts the dimensions in another order (``Tensor.permute``): [N, C, H, W] by [0, 2, 3, 1] -> [N, H, W, C]."""

    name = "permute"
    functional = "torch.permute"
    main = "dims"

    dims: Integers

    aten = ("movedim", "numpy_T")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x = call.tensor("self")
        if x is None or call.name == "permute":
            return super().from_aten(call)
        rank = len(x.shape)
        order = list(range(rank))[::-1]
        if call.name == "movedim":
            sources, targets = (
                [each % rank for each in (dims if isinstance(dims, list) else [dims])]
                for dims in (call.arguments["source"], call.arguments["destination"])
            )
            order = [axis for axis in range(rank) if axis not in sources]
            for target, source in sorted(zip(targets, sources)):
                order.insert(target, source)
        return OpReading({"dims": order}, (x,), {}, call.outputs)

    def order(self, rank: int) -> list[int]:
        axes = [axis_of(dim, rank, "dims") for dim in self.dims]
        if sorted(axes) != list(range(rank)):
            raise ShapeError(f"dims {list(self.dims)} must name each of {rank} dimensions once", argument="dims")
        return axes

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.permute({', '.join(map(str, self.dims))})"

    def detail(self) -> str:
        return " ".join(map(str, self.dims))


class Transpose(Reordering):
    """Exchanges two dimensions (``Tensor.transpose``): (…, A, …, B, …) -> (…, B, …, A, …)."""

    name = "transpose"
    functional = "torch.transpose"

    dim0: int
    dim1: int

    aten = ("t", "swapaxes", "swapdims", "mT", "adjoint")
    aten_names = MappingProxyType({"axis0": "dim0", "axis1": "dim1"})

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, reading = call.tensor("self"), super().from_aten(call)
        if reading is None or x is None or len(call.arguments) > 1:
            return reading
        dims = (0, 1) if call.name == "t" else (-2, -1)
        return reading.saying(dim0=dims[0], dim1=dims[1]) if len(x.shape) > 1 else None

    def order(self, rank: int) -> list[int]:
        axes = list(range(rank))
        first, second = axis_of(self.dim0, rank, "dim0"), axis_of(self.dim1, rank, "dim1")
        axes[first], axes[second] = axes[second], axes[first]
        return axes

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return max(self.dim0, self.dim1) < 0 and min(self.dim0, self.dim1) > -rank

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.transpose({self.dim0}, {self.dim1})"

    def detail(self) -> str:
        return f"{self.dim0} ↔ {self.dim1}"


class Squeeze(Rearrangement):
    """Drops a dimension of size 1 (``Tensor.squeeze``): (…, 1, …) -> (…, …)."""

    name = "squeeze"
    functional = "torch.squeeze"
    main = "dim"

    dim: int

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, dims = call.tensor("self"), call.arguments.get("dim")
        if isinstance(dims, list) and len(dims) == 1:
            dims = dims[0]
        ones = [axis for axis, size in enumerate(x.shape) if size == 1] if x is not None else []
        if dims is None and len(ones) == 1:
            dims = ones[0]
        return None if x is None or not is_integer(dims) else OpReading({"dim": dims}, (x,), {}, call.outputs)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        shape = inputs[0].shape
        yield shape[axis_of(self.dim, len(shape))], 1, f"squeeze drops dim {self.dim}, which must be 1"

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        size = shapes[0][axis]
        if isinstance(size, int) and size != 1:
            raise ShapeError(f"squeeze drops dim {self.dim}, which must be 1 but is {size}", argument="dim")
        return (*shapes[0][:axis], *shapes[0][axis + 1 :])

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return -rank < self.dim < 0

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.squeeze({self.dim})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides))
        return (OutputLayout(0, shortened(run.outputs[0].shape, (*strides[:axis], *strides[axis + 1 :]))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Squeeze", inputs[0], builder.constant([axis_of(self.dim, len(tensors[0].shape))]))

    def detail(self) -> str:
        return f"dim {self.dim}"


class Unsqueeze(Rearrangement):
    """Inserts a dimension of size 1 before ``dim`` (``Tensor.unsqueeze``): (…, …) -> (…, 1, …)."""

    name = "unsqueeze"
    functional = "torch.unsqueeze"
    main = "dim"

    dim: int

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]) + 1)
        return (*shapes[0][:axis], 1, *shapes[0][axis:])

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return -rank <= self.dim < 0  # behind the batch, where a scan has its iterations

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.unsqueeze({self.dim})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides) + 1)
        return (OutputLayout(0, shortened(run.outputs[0].shape, (*strides[:axis], 1, *strides[axis:]))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Unsqueeze", inputs[0], builder.constant([axis_of(self.dim, len(tensors[0].shape) + 1)]))

    def detail(self) -> str:
        return f"dim {self.dim}"


def reshaped(run: OpRun) -> tuple[OutputLayout, ...]:
    """The place of the input's elements in another shape: the same memory where that is possible."""
    return (viewed(run.inputs[0].shape, run.strides[0], run.outputs[0].shape) or NEW,)
