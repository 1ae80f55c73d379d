"""Activations that normalise or halve along a dimension."""

from collections.abc import Iterable, Sequence
from typing import Any

from netspec.dims import Shape, Size, floor_div
from netspec.ops.activation.base import Activation
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, dense
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of, need_rank
from netspec.ops.core.window import LAYOUT


class AlongDimension(Activation):
    """Base of activations along one dimension."""

    main = "dim"
    keyword_main = True

    dim: int

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        return OpReading({"dim": call.arguments.get("axis", -1)}, (call.tensor("input"),), {}, call.outputs)

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return 1 - rank <= self.dim < 0

    def output_shape(self, *shapes: Shape) -> Shape:
        axis_of(self.dim, len(shapes[0]))
        return shapes[0]

    def detail(self) -> str:
        return f"dim {self.dim}"


class GLU(AlongDimension):
    """Gated linear unit, a · sigmoid(b) of the halves of ``dim`` (``torch.nn.GLU``): (…, 2·C, …) -> (…, C, …)."""

    name = "glu"
    torch = "nn.GLU"
    functional = "F.glu"

    dim: int = -1

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        yield size, floor_div(size, 2) * 2, f"glu halves dim {self.dim}, which must be even"

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        size = shapes[0][axis]
        if isinstance(size, int) and size % 2:
            raise ShapeError(f"glu halves dim {self.dim}, which must be even but is {size}", argument="dim")
        return (*shapes[0][:axis], floor_div(size, 2), *shapes[0][axis + 1 :])

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = run.strides[0]
        return (OutputLayout(None, None if strides is None else dense(run.outputs[0].shape, strides)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        value, gate = builder.op("Split", inputs[0], outputs=2, axis=axis, num_outputs=2)
        return builder.op("Mul", value, builder.op("Sigmoid", gate))


class Softmax(AlongDimension):
    """exp(x) / Σ exp(x) along ``dim`` (``torch.nn.Softmax``): any shape."""

    name = "softmax"
    onnx_nodes = ("Softmax",)
    torch = "nn.Softmax"
    functional = "F.softmax"
    saved_for_backward = "output"
    autocast = "float32"
    elementwise = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Softmax", inputs[0], axis=self.dim)


class LogSoftmax(AlongDimension):
    """Logarithm of the softmax along ``dim`` (``torch.nn.LogSoftmax``): any shape."""

    name = "log_softmax"
    onnx_nodes = ("LogSoftmax",)
    torch = "nn.LogSoftmax"
    functional = "F.log_softmax"
    saved_for_backward = "output"
    autocast = "float32"
    elementwise = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("LogSoftmax", inputs[0], axis=self.dim)


class Softmin(AlongDimension):
    """Softmax of −x along ``dim`` (``torch.nn.Softmin``): any shape."""

    name = "softmin"
    torch = "nn.Softmin"
    functional = "F.softmin"
    saved_for_backward = "output"
    autocast = "float32"
    elementwise = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Softmax", builder.op("Neg", inputs[0]), axis=self.dim)


class Softmax2d(Activation):
    """Softmax over the channels at each place (``torch.nn.Softmax2d``): (N, C, H, W), kept."""

    name = "softmax2d"
    torch = "nn.Softmax2d"
    functional = "F.softmax"
    batched_over_leading_dims = False
    saved_for_backward = "output"
    autocast = "float32"
    elementwise = False

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 4, layout=LAYOUT[2])
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"F.softmax({arguments[0]}, dim=1)"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Softmax", inputs[0], axis=1)
