"""Rectifiers whose slope is learned, or drawn at random."""

from collections.abc import Mapping, Sequence
from typing import Any

from netspec.dims import Shape
from netspec.ops.activation.base import Activation
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, known


class PReLU(Activation):
    """Leaky ReLU whose slope is learned, one or one a channel (``torch.nn.PReLU``): (N, C, …), kept."""

    name = "prelu"
    torch = "nn.PReLU"
    batched_over_leading_dims = False
    main = "num_parameters"

    onnx_nodes = ("PRelu",)

    num_parameters: Positive = 1

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        weight, reading = call.tensor("weight"), super().from_aten(call)
        return reading.saying(num_parameters=weight.shape[0]) if reading and weight else None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, slope = call.tensor("X"), call.tensor("slope")
        if x is None or slope is None or slope.constant is None:
            return None
        axis = len(slope.shape) - len(x.shape) + 1  # of the channels
        if any(size != 1 for at, size in enumerate(slope.shape) if at != axis):
            return None
        weight = ForeignTensor((slope.constant.size,), slope.dtype, slope.key, True, slope.constant.reshape(-1))
        return OpReading({"num_parameters": slope.constant.size}, (x,), {"weight": weight}, call.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.num_parameters > 1:
            shape = shapes[0]
            channels = known(shape[1], "the number of channels that prelu takes") if len(shape) > 1 else 1
            if channels != self.num_parameters:
                found = f"{self.num_parameters} slopes do not fit {channels} channels"
                raise ShapeError(f"prelu: {found}", argument="num_parameters")
        return shapes[0]

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        slope = builder.parameter("weight")
        after = len(tensors[0].shape) - 2
        if self.num_parameters > 1 and after > 0:
            slope = builder.op("Unsqueeze", slope, builder.constant(list(range(1, 1 + after))))
        return builder.op("PRelu", inputs[0], slope)


class RReLU(Activation):
    """Leaky ReLU of random slope in training, of the mean slope after (``torch.nn.RReLU``): any shape."""

    name = "rrelu"
    onnx_lacks = ("float64",)
    torch = "nn.RReLU"
    functional = "F.rrelu"
    stateful = True
    elementwise = False

    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.lower > self.upper:
            raise ShapeError(f"lower {self.lower} is above upper {self.upper}", argument="lower")
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return super().call(arguments, inputs)[:-1] + ", training=self.training)"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=run.outputs)  # the slopes

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("LeakyRelu", inputs[0], alpha=(self.lower + self.upper) / 2)
