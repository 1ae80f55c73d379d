"""Reductions of the first 1, 2, 3, … elements along a dimension.

ONNX has such a sum alone. The others are reductions of a T by T table there, whose row i shows the first i + 1.
"""

from collections.abc import Sequence
from typing import Any

from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor, axis_of
from netspec.ops.math.reduce import widen, widened


class Cumulation(Op):
    """Base of the reductions of ever more elements."""

    family = "arithmetic"
    main = "dim"
    keyword_main = True

    dim: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        axis_of(self.dim, len(inputs[0].shape))
        return super().infer(*inputs)

    def firsts(self, builder: OnnxBuilder, x: Any, tensor: Tensor, filling: Any) -> tuple[Any, int]:
        """The table of the first elements, ``filling`` in place of the others, and the dimension to reduce."""
        rank = len(tensor.shape)
        axis = axis_of(self.dim, rank)
        size = builder.op("Squeeze", builder.op("Shape", x, start=axis, end=axis + 1), builder.constant([0]))
        places = builder.op("Range", builder.constant(0), size, builder.constant(1))
        after = list(range(1, rank - axis))
        column = builder.op("Unsqueeze", places, builder.constant(after)) if after else places
        row = builder.op("Unsqueeze", places, builder.constant([1, *[each + 1 for each in after]]))
        shown = builder.op("LessOrEqual", column, row)
        table = builder.op("Unsqueeze", x, builder.constant([axis]))
        return builder.op("Where", shown, table, filling), axis + 1

    def detail(self) -> str:
        return f"dim {self.dim}"


class CumProd(Cumulation):
    """Products of the first 1, 2, 3, … elements along a dimension (``torch.cumprod``): any shape."""

    name = "cumprod"
    functional = "torch.cumprod"
    any_dtype = True
    autocast = "float32"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        return (Tensor(output.shape, widened(output.dtype)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = widened(tensors[0].dtype)
        x = widen(builder, inputs[0], tensors[0].dtype)
        table, axis = self.firsts(builder, x, tensors[0], builder.constant(1, dtype))
        return builder.op("ReduceProd", table, builder.constant([axis]), keepdims=0)


class LogCumSumExp(Cumulation):
    """log Σ exp(x) of the first 1, 2, 3, … elements along a dimension (``torch.logcumsumexp``): any shape."""

    name = "logcumsumexp"
    onnx_exact = True
    functional = "torch.logcumsumexp"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        least = builder.constant(float("-inf"), tensors[0].dtype)
        table, axis = self.firsts(builder, inputs[0], tensors[0], least)
        return builder.op("ReduceLogSumExp", table, builder.constant([axis]), keepdims=0)


class CumulativeExtreme(Cumulation):
    """Base of the running extremes; of several that are equal, the index is the last one's."""

    outputs = ("values", "indices")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        return output, Tensor(output.shape, "int64")

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), (1,))

    def extreme(self, builder: OnnxBuilder, x: Any, tensor: Tensor, kind: str, filling: float) -> tuple[Any, Any]:
        table, axis = self.firsts(builder, x, tensor, builder.constant(filling, tensor.dtype))
        values = builder.op(f"Reduce{kind}", table, builder.constant([axis]), keepdims=0)
        return values, builder.op(f"Arg{kind}", table, axis=axis, keepdims=0, select_last_index=1)


class CumMax(CumulativeExtreme):
    """The largest of the first 1, 2, 3, … elements, and its index (``torch.cummax``): any shape."""

    name = "cummax"
    functional = "torch.cummax"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.extreme(builder, inputs[0], tensors[0], "Max", float("-inf"))


class CumMin(CumulativeExtreme):
    """The least of the first 1, 2, 3, … elements, and its index (``torch.cummin``): any shape."""

    name = "cummin"
    functional = "torch.cummin"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.extreme(builder, inputs[0], tensors[0], "Min", float("inf"))
