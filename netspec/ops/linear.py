"""Fully connected layers and products of matrices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.arguments import Positive
from netspec.ops.arithmetic import broadcast, repeated
from netspec.ops.base import OnnxBuilder, Op, ShapeError, Tensor, known
from netspec.ops.join import one_dtype
from netspec.ops.shape import differ


class Linear(Op):
    """Affine map of the last dimension, x·Wᵀ + b (``torch.nn.Linear``): (…, in) -> (…, out_features)."""

    name = "linear"
    family = "linear"
    torch = "nn.Linear"
    main = "out_features"
    leading = True

    out_features: Positive
    bias: bool = True

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"in_features": self.features(inputs[0].shape)}

    def features(self, shape: Shape) -> int:
        """The size of the last dimension, which must be a number."""
        if not shape:
            raise ShapeError("linear takes at least one dimension, but its input is a scalar")
        try:
            return known(shape[-1], "the last dimension that linear takes")
        except ShapeError as found:
            raise ShapeError(
                str(found),
                help=fixing(shape),
            ) from None

    def output_shape(self, *shapes: Shape) -> Shape:
        self.features(shapes[0])
        return (*shapes[0][:-1], self.out_features)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        weight = (self.out_features, self.features(inputs[0].shape))
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(inputs[0].shape) * self.out_features

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        weight, bias = builder.parameter("weight"), builder.parameter("bias")
        if len(tensors[0].shape) == 2:
            return builder.op("Gemm", inputs[0], weight, bias, transB=1)
        made = builder.op("MatMul", inputs[0], builder.op("Transpose", weight, perm=[1, 0]))
        return builder.op("Add", made, bias) if self.bias else made


def fixing(shape: Shape) -> str:
    """How to get a known size out of a symbolic one."""
    where = "before the `flatten`" if len(shape) == 2 else "and `flatten` before this"
    return f"put `adaptive_avg_pool2d: 1` {where}, or write the size of the input as numbers"


class MatMul(Op):
    """Matrix product (``torch.matmul``), leading sizes broadcast: input (…, A, B), other (…, B, C) -> (…, A, C)."""

    name = "matmul"
    family = "linear"
    functional = "torch.matmul"
    ports = ("input", "other")

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        left, right = (self.guard(tensor.shape) for tensor in inputs)
        yield left[-1], right[-2], "matmul sums over the input's last dimension and the other's last but one"
        yield from repeated(self.name, [left[:-2], right[:-2]])

    def guard(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"matmul takes two dimensions at least, but an input is {pretty_shape(shape)}")
        return shape

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        left, right = map(self.guard, shapes)
        if differ(left[-1], right[-2]):
            raise ShapeError(f"matmul cannot multiply {pretty_shape(left)} by {pretty_shape(right)}")
        return (*broadcast(self.name, left[:-2], right[:-2]), left[-2], right[-1])

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * inputs[0].shape[-1]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]} @ {arguments[1]}"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("MatMul", *inputs)
