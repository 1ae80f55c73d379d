"""Pooling to a given size (adaptive), and over everything (global)."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.arguments import PerDimension, spread
from netspec.ops.core.averages import mean_over
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.tensors import Tensor, known, need_rank
from netspec.ops.core.window import LAYOUT
from netspec.ops.spatial.pool import indexed, saved_indices, with_indices


class AdaptivePool(Op):
    """Base of pooling to a given size: output i covers ⌊i·size/output⌋ up to ⌈(i + 1)·size/output⌉.

    In ONNX it is a global pool where every output is 1, a window pool where the sizes are known and divide, and
    otherwise one reduction for each dimension under a mask, which for a symbolic size is made as the network runs.
    """

    family = "pooling"
    main = "output_size"
    rank: ClassVar[int]
    window_type: ClassVar[str]
    saved_for_backward = "input"

    output_size: Any

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x = call.tensor("X")
        if x is None or len(x.shape) != cls.rank + 2:
            return None
        return OpReading({"output_size": 1}, (x,), {}, call.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], self.rank + 2, layout=LAYOUT[self.rank])
        wanted = spread(self.output_size, self.rank)
        return (*shapes[0][:2], *(size if to is None else to for size, to in zip(shapes[0][2:], wanted)))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        shape = tensors[0].shape
        made = self.output_shape(shape)
        if all(size == 1 for size in made[2:]):
            return self.whole(builder, inputs[0], len(shape))
        steps = [1 if size == to else _step(size, to) for size, to in zip(shape[2:], made[2:])]
        if all(steps):
            return builder.op(self.window_type, inputs[0], kernel_shape=steps, strides=steps)
        x = inputs[0]
        for axis, (size, to) in enumerate(zip(shape, made)):
            if size != to and isinstance(to, int):
                x = self.reduce_axis(builder, x, tensors[0], axis, to)
        return x

    def whole(self, builder: OnnxBuilder, x: Any, rank: int) -> Any:
        """The nodes that pool every dimension to the size 1."""
        raise AssertionError("each kind of pooling reduces in its own way")

    def reduce_axis(self, builder: OnnxBuilder, x: Any, tensor: Tensor, axis: int, to: int) -> Any:
        """The nodes that pool one dimension to the size ``to``."""
        raise AssertionError("each kind of pooling reduces in its own way")

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return None if set(spread(self.output_size, rank)) == {1} else ()

    def detail(self) -> str:
        return "→" + "×".join("·" if size is None else str(size) for size in spread(self.output_size, self.rank))


def _step(size: Size, to: Size) -> int:
    """The window and stride that pool ``size`` to ``to`` evenly; 0 where there is none."""
    return size // to if isinstance(size, int) and isinstance(to, int) and size % to == 0 else 0


def _edges(builder: OnnxBuilder, x: Any, size: Size, axis: int, to: int) -> tuple[Any, Any, Any]:
    """Return the start and end of each output's stretch of the input, and the input's positions, as a column."""
    if isinstance(size, int):
        starts = [i * size // to for i in range(to)]
        ends = [-(-(i + 1) * size // to) for i in range(to)]
        return builder.constant(starts), builder.constant(ends), builder.constant([[j] for j in range(size)])
    length = builder.op("Shape", x, start=axis, end=axis + 1)
    count = builder.constant([to])
    starts = builder.op("Div", builder.op("Mul", builder.constant(list(range(to))), length), count)
    ends = builder.op("Mul", builder.constant(list(range(1, to + 1))), length)
    ends = builder.op("Div", builder.op("Add", ends, builder.constant([to - 1])), count)
    scalar = builder.op("Squeeze", length, builder.constant([0]))
    positions = builder.op("Range", builder.constant(0), scalar, builder.constant(1))
    return starts, ends, builder.op("Unsqueeze", positions, builder.constant([1]))


def _mask(builder: OnnxBuilder, starts: Any, ends: Any, positions: Any) -> Any:
    """Return whether an input position (row) belongs to an output (column)."""
    return builder.op("And", builder.op("GreaterOrEqual", positions, starts), builder.op("Less", positions, ends))


class AdaptiveAveragePool(AdaptivePool):
    """Base of adaptive average pooling: along each dimension, a product with a matrix of weights."""

    onnx_lacks = ("float64",)
    onnx_exact = True
    window_type = "AveragePool"
    onnx_nodes = ("GlobalAveragePool",)

    def whole(self, builder: OnnxBuilder, x: Any, rank: int) -> Any:
        return mean_over(builder, x, range(2, rank), keepdims=True)

    def reduce_axis(self, builder: OnnxBuilder, x: Any, tensor: Tensor, axis: int, to: int) -> Any:
        starts, ends, positions = _edges(builder, x, tensor.shape[axis], axis, to)
        mask = as_number(builder, _mask(builder, starts, ends, positions), tensor.dtype)
        matrix = builder.op("Div", mask, builder.op("ReduceSum", mask, builder.constant([0]), keepdims=0))
        last = len(tensor.shape) - 1
        swap = list(range(last + 1))
        swap[axis], swap[last] = swap[last], swap[axis]
        if axis == last:
            return builder.op("MatMul", x, matrix)
        result = builder.op("MatMul", builder.op("Transpose", x, perm=swap), matrix)
        return builder.op("Transpose", result, perm=swap)

    def saved(self, run: OpRun) -> Saved:
        everything = all(size == 1 for size in run.outputs[0].shape[2:])  # then torch takes the mean
        return Saved() if everything else super().saved(run)


class AdaptiveMaxPool(AdaptivePool):
    """Base of adaptive max pooling: along each dimension, the maximum of what a mask leaves.

    With ``return_indices`` it gives also where each maximum lies in its flattened channel.
    """

    window_type = "MaxPool"
    onnx_nodes = ("GlobalMaxPool",)

    return_indices: bool = False

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return with_indices(self.return_indices)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return indexed(super().infer(*inputs), self.return_indices)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if not self.return_indices:
            return super().onnx(builder, *inputs, tensors=tensors)
        x, rank = inputs[0], len(tensors[0].shape)
        sizes = builder.op("Shape", x, start=2)
        count = builder.op("ReduceProd", sizes, keepdims=0)
        places = builder.op("Range", builder.constant(0), count, builder.constant(1))
        places = builder.op("Expand", builder.op("Reshape", places, sizes), builder.op("Shape", x))
        made = self.output_shape(tensors[0].shape)
        for axis in reversed(range(2, rank)):  # so that the first of several maxima is the first in memory
            if tensors[0].shape[axis] != made[axis]:
                to = known(made[axis], f"the size that {self.name} makes")
                kept = self.stretches(builder, x, tensors[0], axis, to)
                found = builder.op("ArgMax", kept, axis=axis + 1, keepdims=0)
                x = builder.op("ReduceMax", kept, builder.constant([axis + 1]), keepdims=0)
                places = builder.op("GatherElements", places, found, axis=axis)
        return x, places

    def whole(self, builder: OnnxBuilder, x: Any, rank: int) -> Any:
        return builder.op("GlobalMaxPool", x)

    def reduce_axis(self, builder: OnnxBuilder, x: Any, tensor: Tensor, axis: int, to: int) -> Any:
        kept = self.stretches(builder, x, tensor, axis, to)
        return builder.op("ReduceMax", kept, builder.constant([axis + 1]), keepdims=0)

    def stretches(self, builder: OnnxBuilder, x: Any, tensor: Tensor, axis: int, to: int) -> Any:
        """Return the whole dimension for each output, -inf but for the stretch that it covers."""
        mask = _mask(builder, *_edges(builder, x, tensor.shape[axis], axis, to))
        mask = builder.op("Transpose", mask, perm=[1, 0])
        after = len(tensor.shape) - 1 - axis
        if after:
            mask = builder.op("Unsqueeze", mask, builder.constant(list(range(2, 2 + after))))
        spread_out = builder.op("Unsqueeze", x, builder.constant([axis]))
        return builder.op("Where", mask, spread_out, builder.constant(float("-inf"), tensor.dtype))

    def saved(self, run: OpRun) -> Saved:
        return saved_indices(run)


class AdaptiveAveragePool1d(AdaptiveAveragePool):
    """1D adaptive average pooling (``torch.nn.AdaptiveAvgPool1d``): (N, C, L) -> (N, C, output_size)."""

    name = "adaptive_avg_pool1d"
    torch = "nn.AdaptiveAvgPool1d"
    functional = "F.adaptive_avg_pool1d"
    rank = 1

    output_size: Annotated[Any, PerDimension(1, 1)]


class AdaptiveAveragePool2d(AdaptiveAveragePool):
    """2D adaptive average pooling (``torch.nn.AdaptiveAvgPool2d``): (N, C, H, W) -> (N, C, *output_size)."""

    name = "adaptive_avg_pool2d"
    torch = "nn.AdaptiveAvgPool2d"
    functional = "F.adaptive_avg_pool2d"
    rank = 2

    output_size: Annotated[Any, PerDimension(2, 1, keep=True)]


class AdaptiveAveragePool3d(AdaptiveAveragePool):
    """3D adaptive average pooling (``torch.nn.AdaptiveAvgPool3d``): (N, C, D, H, W) -> (N, C, *output_size)."""

    name = "adaptive_avg_pool3d"
    torch = "nn.AdaptiveAvgPool3d"
    functional = "F.adaptive_avg_pool3d"
    rank = 3

    output_size: Annotated[Any, PerDimension(3, 1, keep=True)]


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """1D adaptive max pooling (``torch.nn.AdaptiveMaxPool1d``): (N, C, L) -> (N, C, output_size)."""

    name = "adaptive_max_pool1d"
    torch = "nn.AdaptiveMaxPool1d"
    functional = "F.adaptive_max_pool1d"
    covers = ("F.adaptive_max_pool1d_with_indices",)
    rank = 1

    output_size: Annotated[Any, PerDimension(1, 1)]


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """2D adaptive max pooling (``torch.nn.AdaptiveMaxPool2d``): (N, C, H, W) -> (N, C, *output_size)."""

    name = "adaptive_max_pool2d"
    torch = "nn.AdaptiveMaxPool2d"
    functional = "F.adaptive_max_pool2d"
    covers = ("F.adaptive_max_pool2d_with_indices",)
    rank = 2

    output_size: Annotated[Any, PerDimension(2, 1, keep=True)]


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """3D adaptive max pooling (``torch.nn.AdaptiveMaxPool3d``): (N, C, D, H, W) -> (N, C, *output_size)."""

    name = "adaptive_max_pool3d"
    torch = "nn.AdaptiveMaxPool3d"
    functional = "F.adaptive_max_pool3d"
    covers = ("F.adaptive_max_pool3d_with_indices",)
    rank = 3

    output_size: Annotated[Any, PerDimension(3, 1, keep=True)]


class GlobalPool(Op):
    """Base of pooling over every spatial dimension; ``method`` is the tensor's."""

    family = "pooling"
    method: ClassVar[str]

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, dims = call.tensor("self"), call.arguments.get("dim")
        if x is None or len(x.shape) < 4 or not isinstance(dims, list) or len(call.arguments) > 2:
            return None
        every = list(range(2, len(x.shape)))
        return OpReading({}, (x,), {}, call.outputs) if sorted(dim % len(x.shape) for dim in dims) == every else None

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 3:
            need_rank(self.name, shapes[0], 3, layout="[N, C, …] with at least one spatial dimension")
        return shapes[0][:2]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        dims = ", ".join(map(str, range(2, len(inputs[0].shape))))
        return (
            f"{arguments[0]}.{self.method}(dim=({dims}))"
            if "," in dims
            else f"{arguments[0]}.{self.method}(dim={dims})"
        )


class GlobalAveragePool(GlobalPool):
    """Mean over every spatial dimension (``Tensor.mean``): (N, C, …) -> (N, C)."""

    name = "global_avg_pool"
    onnx_exact = True
    functional = "torch.mean"
    method = "mean"
    saved_for_backward = "nothing"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return mean_over(builder, inputs[0], range(2, len(tensors[0].shape)))


class GlobalMaxPool(GlobalPool):
    """Maximum over every spatial dimension (``Tensor.amax``): (N, C, …) -> (N, C)."""

    name = "global_max_pool"
    functional = "torch.amax"
    method = "amax"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axes = builder.constant(list(range(2, len(tensors[0].shape))))
        return builder.op("ReduceMax", inputs[0], axes, keepdims=0)
