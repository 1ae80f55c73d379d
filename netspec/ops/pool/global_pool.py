"""Pooling over everything."""

from collections.abc import Sequence
from typing import Any, ClassVar

from netspec.dims import Shape
from netspec.ops.core.averages import mean_over
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor, need_rank


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
