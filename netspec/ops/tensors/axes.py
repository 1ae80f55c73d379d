"""Ops that reorder dimensions, add some of size one, or take them away."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

from netspec.dims import Shape, Size
from netspec.ops.core.arguments import Integers, is_integer
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of
from netspec.ops.tensors.reshape import Rearrangement


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
