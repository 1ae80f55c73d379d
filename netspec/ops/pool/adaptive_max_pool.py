"""Max pooling to a given size, whatever the input has."""

from collections.abc import Sequence
from typing import Annotated, Any

from netspec.ops.core.arguments import PerDimension
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor, known
from netspec.ops.pool.adaptive_pool import AdaptivePool, covered, edges
from netspec.ops.pool.indices import indexed, saved_indices, with_indices


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
        mask = covered(builder, *edges(builder, x, tensor.shape[axis], axis, to))
        mask = builder.op("Transpose", mask, perm=[1, 0])
        after = len(tensor.shape) - 1 - axis
        if after:
            mask = builder.op("Unsqueeze", mask, builder.constant(list(range(2, 2 + after))))
        spread_out = builder.op("Unsqueeze", x, builder.constant([axis]))
        return builder.op("Where", mask, spread_out, builder.constant(float("-inf"), tensor.dtype))

    def saved(self, run: OpRun) -> Saved:
        return saved_indices(run)


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
