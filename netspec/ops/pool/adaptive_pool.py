"""Pooling to a given size, whatever the input has: averages."""

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
from netspec.ops.core.tensors import Tensor, need_rank
from netspec.ops.core.window import LAYOUT


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
        steps = [1 if size == to else step_of(size, to) for size, to in zip(shape[2:], made[2:])]
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


def step_of(size: Size, to: Size) -> int:
    """The window and stride that pool ``size`` to ``to`` evenly; 0 where there is none."""
    return size // to if isinstance(size, int) and isinstance(to, int) and size % to == 0 else 0


def edges(builder: OnnxBuilder, x: Any, size: Size, axis: int, to: int) -> tuple[Any, Any, Any]:
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


def covered(builder: OnnxBuilder, starts: Any, ends: Any, positions: Any) -> Any:
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
        starts, ends, positions = edges(builder, x, tensor.shape[axis], axis, to)
        mask = as_number(builder, covered(builder, starts, ends, positions), tensor.dtype)
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
