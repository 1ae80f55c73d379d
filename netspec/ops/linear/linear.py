"""Fully connected layers and products of matrices."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from netspec.dims import Shape, Size, pretty, pretty_shape, product
from netspec.ops.core.agreement import broadcast, differ, one_dtype, repeated
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, OpReading, is_weight, own_tensors
from netspec.ops.core.layout import shortened, strides_of, viewed
from netspec.ops.core.op import Op
from netspec.ops.core.parametrized import Parametrized
from netspec.ops.core.roles.low_rank import LowRank
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, known, need_rank


class Linear(Parametrized):
    """Affine map of the last dimension, x·Wᵀ + b (``torch.nn.Linear``): (…, in) -> (…, out_features)."""

    name = "linear"
    family = "linear"
    torch = "nn.Linear"
    main = "out_features"
    batched_over_leading_dims = True
    saved_for_backward = "input"
    autocast = "bfloat16"
    onnx_nodes = ("Gemm", "MatMul")

    out_features: Positive
    bias: bool = True

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        weight, reading = cls.weight_of(call), super().from_aten(call)
        if reading is None or weight is None:
            return None
        return reading.saying(out_features=weight.shape[0], bias="bias" in reading.state)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, weight, bias = call.tensor("A"), call.tensor("B"), call.tensor("C")
        if x is None or weight is None or not is_weight(weight, 2) or (bias is not None and not is_weight(bias, 1)):
            return None
        if {"alpha", "transA"} & call.arguments.keys() or (bias is not None and "beta" in call.arguments):
            return None
        stored = weight if call.arguments.get("transB", 0) else weight.transposed()
        state = own_tensors(weight=stored, bias=bias)
        return OpReading({"out_features": stored.shape[0], "bias": bias is not None}, (x,), state, call.outputs)

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
        weights = self.weights(*inputs)
        return {**weights, "bias": (self.out_features,)} if self.bias else weights

    def weight_shape(self, *inputs: Tensor) -> tuple[int, ...]:
        return (self.out_features, self.features(inputs[0].shape))

    def low_rank(self, rank: int, *inputs: Tensor) -> LowRank | None:
        if self.is_worked_out:
            return None
        down, up = (Linear(out_features=size, bias=False) for size in (rank, self.out_features))
        return LowRank(down, up, min(self.weight_shape(*inputs)))

    def change(self, down: Any, up: Any) -> Any:
        return up @ down

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(inputs[0].shape) * self.out_features

    def saved(self, run: OpRun) -> Saved:
        kept = folded(run, 0) if self.learns_weight(run) else Saved()
        return Saved(kept.inputs, made=(*kept.made, *self.weight_saved(run, whole=run.needs[0])))

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Nothing but the copy, where one is made: the bias is added in a step of its own, when the copy is gone."""
        copied = folded(run, 0).made
        widens = self.bias and self.out_features > self.sizes(*run.inputs)["in_features"]
        return run.outputs if copied and widens else copied

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """Weights stand as the nodes take them: so they are read as they are, and quantizers find them."""
        x, bias = inputs[0], builder.parameter("bias")
        if len(tensors[0].shape) == 2:
            return builder.op("Gemm", x, self.onnx_weight(builder, tensors[0]), bias, transB=1)
        if self.weight_norm or self.spectral_norm:
            turned = builder.op("Transpose", self.onnx_weight(builder, tensors[0]), perm=[1, 0])
        else:
            turned = builder.turned("weight")
        if turned is None:
            rows = builder.op("Reshape", x, builder.constant([-1, self.features(tensors[0].shape)]))
            # Nothing is added, whatever `beta` is; were it 1, onnxruntime's quantizers would transpose the weight in
            # place, and so for all who read it.
            made = builder.op("Gemm", rows, builder.parameter("weight"), transB=1, beta=0.0)
            sizes = builder.op("Shape", x, start=0, end=-1), builder.constant([self.out_features])
            result = builder.op("Reshape", made, builder.op("Concat", *sizes, axis=0))
            return builder.op("Add", result, bias) if self.bias else result
        result = builder.op("MatMul", x, turned)
        return builder.op("Add", result, bias) if self.bias else result


class Affine(Op):
    """Affine map by given matrices, x·W + b: input (…, in), weight (in, out), bias (out) -> (…, out).

    For weights that are not a layer's own: stored (in, out), shared, or made by other steps.
    """

    name = "affine"
    family = "linear"
    functional = "F.linear"
    ports = ("input", "weight", "bias")
    optional = ("bias",)
    saved_for_backward = "input"
    autocast = "bfloat16"

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """F.linear has its weight the other way round."""
        return None if call.name == "linear" else super().from_aten(call)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x, weight, bias = self.guard(inputs)
        yield x[-1], weight[0], "affine sums over the input's last dimension and the weight's first"
        if bias is not None:
            yield bias[0], weight[1], "affine takes a bias as long as the weight's second dimension"

    def guard(self, inputs: Sequence[Tensor | None]) -> tuple[Shape, Shape, Shape | None]:
        """The shapes of input, weight and bias; guards their ranks."""
        x, weight, bias = (None if tensor is None else tensor.shape for tensor in inputs)
        assert x is not None
        assert weight is not None
        need_rank("the weight of affine", weight, 2, layout="[in, out]")
        if bias is not None:
            need_rank("the bias of affine", bias, 1, layout="[out]")
        if not x:
            raise ShapeError("affine takes at least one dimension, but its input is a scalar")
        return x, weight, bias

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        one_dtype(self.name, given)
        if "float" not in given[0].dtype:
            raise ShapeError(f"affine takes floating-point numbers, but its input is {given[0].dtype}")
        x, weight, bias = self.guard(inputs)
        if differ(x[-1], weight[0]) or (bias is not None and differ(bias[0], weight[1])):
            found = " and ".join(pretty_shape(tensor.shape) for tensor in given)
            raise ShapeError(f"affine takes […, in], [in, out] and [out], but got {found}")
        return (Tensor((*x[:-1], weight[1]), given[0].dtype),)

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        x, weight, _ = self.guard(inputs)
        return product(x) * weight[1]

    def low_rank(self, rank: int, *inputs: Tensor | None) -> LowRank | None:
        rows, columns = self.guard(inputs)[1]
        if not (isinstance(rows, int) and isinstance(columns, int)):
            return None
        down, up = (Linear(out_features=size, bias=False) for size in (rank, columns))
        return LowRank(down, up, min(rows, columns))

    def change(self, down: Any, up: Any) -> Any:
        return (up @ down).transpose(0, 1)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        x, weight, *bias = arguments
        return f"F.linear({', '.join([x, f'{weight}.t()', *bias])})"

    def saved(self, run: OpRun) -> Saved:
        weight = (1,) if run.needs[0] else ()
        given = folded(run, 0) if run.needs[1] else Saved()
        return Saved((*given.inputs, *weight), made=given.made)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        x, weight, bias = inputs
        if len(self.guard(tensors)[0]) == 2:
            return builder.op("Gemm", x, weight, bias)
        result = builder.op("MatMul", x, weight)
        return result if bias is None else builder.op("Add", result, bias)


def folded(run: OpRun, at: int, transposed: bool = False) -> Saved:
    """An input as a product with a matrix keeps it: copied where all dimensions but the last do not fold into one."""
    x, strides = run.inputs[at], run.strides[at]
    shape = x.shape
    if transposed:
        steps = strides_of(shape, strides)
        shape, strides = (*shape[:-2], shape[-1], shape[-2]), (*steps[:-2], steps[-1], steps[-2])
    if len(shape) < 3 or viewed(shape, strides, (product(shape[:-1]), shape[-1])) is not None:
        return Saved((at,))
    return Saved(made=(x,))


def fixing(shape: Shape) -> str:
    """Return how to get a known size out of a symbolic one."""
    if len(shape) < 4 and pretty(shape[-1]).isidentifier():  # features as they come, of which nothing was flattened
        return f"write a number for `{pretty(shape[-1])}` under `inputs`"
    where = "before the `flatten`" if len(shape) == 2 else "and `flatten` before this"
    return f"put `adaptive_avg_pool2d: 1` {where}, or write the size of the input as numbers"


class MatMul(Op):
    """Product of matrices or vectors (``torch.matmul``), leading sizes broadcast: (…, A, B), (…, B, C) -> (…, A, C)."""

    name = "matmul"
    family = "linear"
    functional = "torch.matmul"
    aten = ("bmm", "mm", "mv", "dot")
    aten_names = MappingProxyType({"mat2": "other", "vec": "other", "tensor": "other"})
    ports = ("input", "other")
    saved_for_backward = "input"
    autocast = "bfloat16"
    onnx_nodes = ("MatMul",)

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return rank > 2

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        left, right = self.matrices([tensor.shape for tensor in inputs])
        yield left[-1], right[-2], "matmul sums over the input's last dimension and the other's second-to-last"
        yield from repeated(self.name, [left[:-2], right[:-2]])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Shape, Shape]:
        """The shapes with a row for a vector on the left, and a column for one on the right."""
        left, right = shapes
        if not left or not right:
            raise ShapeError("matmul takes at least one dimension, but an input is []")
        return (1, *left) if len(left) == 1 else left, (*right, 1) if len(right) == 1 else right

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        left, right = self.matrices(shapes)
        if differ(left[-1], right[-2]):
            raise ShapeError(f"matmul cannot multiply {pretty_shape(shapes[0])} by {pretty_shape(shapes[1])}")
        rows, columns = left[-2:-1] * (len(shapes[0]) > 1), right[-1:] * (len(shapes[1]) > 1)
        return (*broadcast(self.name, left[:-2], right[:-2]), *rows, *columns)

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * inputs[0].shape[-1]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]} @ {arguments[1]}"

    def saved(self, run: OpRun) -> Saved:
        parts = [self.operand(run, at) for at in (0, 1) if run.needs[1 - at]]
        return Saved(
            tuple(at for part in parts for at in part.inputs), made=tuple(x for part in parts for x in part.made)
        )

    def operand(self, run: OpRun, at: int) -> Saved:
        """An input as the product keeps it: copied where its leading dimensions do not fold into one."""
        shapes = [tensor.shape for tensor in run.inputs]
        own, other = len(shapes[at]), len(shapes[1 - at])
        if own <= 2 and other <= 2:
            return Saved((at,))
        if other <= 2 and (run.needs[1 - at] or at == 0):
            return folded(run, at, transposed=at == 1)
        if own <= 2:
            return Saved((at,))
        batch = run.outputs[0].shape[:-2]
        sizes = (1,) * (len(batch) - own + 2) + shapes[at][:-2]
        strides = strides_of(shapes[at], run.strides[at])
        missing = len(batch) - len(strides) + 2
        spread = [
            0 if size == 1 and to != 1 else step for size, to, step in zip(sizes, batch, (0,) * missing + strides)
        ]
        shape = (*batch, *shapes[at][-2:])
        target = (product(batch), *shapes[at][-2:])
        if viewed(shape, shortened(shape, (*spread, *strides[-2:])), target) is not None:
            return Saved((at,))
        return Saved(made=(Tensor(target, run.inputs[at].dtype),))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("MatMul", *inputs)
