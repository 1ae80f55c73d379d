"""Activations of ``torch.nn``: elementwise, and those that normalise or halve along a dimension."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from netspec.dims import Shape, Size, floor_div
from netspec.ops.activation.base import Activation
from netspec.ops.activation.parts import gelu_in_parts
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, dense
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of, need_rank
from netspec.ops.core.window import LAYOUT

Natural = Annotated[float, Field(ge=0)]


class GELU(Activation):
    """Gaussian error linear unit, x · Φ(x), or its tanh approximation (``torch.nn.GELU``): any shape."""

    name = "gelu"
    onnx_nodes = ("Gelu",)
    onnx_lacks = ("float64",)
    torch = "nn.GELU"
    functional = "F.gelu"
    main = "approximate"
    keyword_main = True

    approximate: Literal["none", "tanh"] = "none"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("Gelu"):
            return builder.op("Gelu", inputs[0], approximate=self.approximate)
        return gelu_in_parts(builder, inputs[0], tensors[0].dtype, self.approximate == "tanh")


class SiLU(Activation):
    """Swish, x · sigmoid(x) (``torch.nn.SiLU``): any shape."""

    name = "silu"
    onnx_nodes = ("Swish",)
    torch = "nn.SiLU"
    functional = "F.silu"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Mul", inputs[0], builder.op("Sigmoid", inputs[0]))


class Mish(Activation):
    """x · tanh(softplus(x)) (``torch.nn.Mish``): any shape."""

    name = "mish"
    onnx_nodes = ("Mish",)
    onnx_lacks = ("float64",)
    torch = "nn.Mish"
    functional = "F.mish"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("Mish"):
            return builder.op("Mish", inputs[0])
        return builder.op("Mul", inputs[0], builder.op("Tanh", builder.op("Softplus", inputs[0])))


class HardSwish(Activation):
    """x · relu6(x + 3) / 6 (``torch.nn.Hardswish``): any shape."""

    name = "hardswish"
    onnx_nodes = ("HardSwish",)
    onnx_lacks = ("float64",)
    torch = "nn.Hardswish"
    functional = "F.hardswish"

    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if builder.has("HardSwish"):
            return builder.op("HardSwish", inputs[0])
        return builder.op("Mul", inputs[0], builder.op("HardSigmoid", inputs[0], alpha=1 / 6, beta=0.5))


class HardSigmoid(Activation):
    """relu6(x + 3) / 6 (``torch.nn.Hardsigmoid``): any shape."""

    name = "hardsigmoid"
    onnx_lacks = ("float64",)
    torch = "nn.Hardsigmoid"
    functional = "F.hardsigmoid"
    onnx_nodes = ("HardSigmoid",)
    onnx_names = {"alpha": None, "beta": None}

    inplace: bool = False

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        slope, offset = call.arguments.get("alpha", 0.2), call.arguments.get("beta", 0.5)
        return super().from_onnx(call) if abs(slope - 1 / 6) < 1e-6 and offset == 0.5 else None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("HardSigmoid", inputs[0], alpha=1 / 6, beta=0.5)


class HardTanh(Activation):
    """min(max(min_val, x), max_val) (``torch.nn.Hardtanh``): any shape."""

    name = "hardtanh"
    torch = "nn.Hardtanh"
    functional = "F.hardtanh"

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Return the reading, except of a relu6."""
        reading = super().from_aten(call)
        return None if reading is None or [*reading.arguments.values()] == [0, 6] else reading

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.min_val >= self.max_val:
            raise ShapeError(f"min_val {self.min_val} must be below max_val {self.max_val}", argument="min_val")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        least, most = (self.scalar(builder, value, tensors) for value in (self.min_val, self.max_val))
        return builder.op("Clip", inputs[0], least, most)


class HardShrink(Activation):
    """x, but 0 from −lambd to lambd (``torch.nn.Hardshrink``): any shape."""

    name = "hardshrink"
    onnx_lacks = ("bfloat16",)
    torch = "nn.Hardshrink"
    functional = "F.hardshrink"
    main = "lambd"

    lambd: Natural = 0.5

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Shrink", inputs[0], lambd=self.lambd, bias=0.0)


class SoftShrink(Activation):
    """x brought nearer to 0 by lambd, down to 0 (``torch.nn.Softshrink``): any shape."""

    name = "softshrink"
    onnx_lacks = ("bfloat16",)
    torch = "nn.Softshrink"
    functional = "F.softshrink"
    main = "lambd"

    lambd: Natural = 0.5

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Shrink", inputs[0], lambd=self.lambd, bias=self.lambd)


class TanhShrink(Activation):
    """x − tanh(x) (``torch.nn.Tanhshrink``): any shape."""

    name = "tanhshrink"
    torch = "nn.Tanhshrink"
    functional = "F.tanhshrink"

    def saved(self, run: OpRun) -> Saved:
        return Saved(made=run.outputs)  # tanh(x)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sub", inputs[0], builder.op("Tanh", inputs[0]))


class SoftPlus(Activation):
    """log(1 + exp(beta · x)) / beta, and x itself where beta · x > threshold (``torch.nn.Softplus``): any shape."""

    name = "softplus"
    onnx_nodes = ("Softplus",)
    onnx_lacks = ("float64",)
    torch = "nn.Softplus"
    functional = "F.softplus"
    autocast = "float32"

    beta: float = 1.0
    threshold: float = 20.0

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.beta == 0:
            raise ShapeError("beta must not be 0, as softplus divides by it", argument="beta")
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        beta = self.scalar(builder, self.beta, tensors)
        scaled = inputs[0] if self.beta == 1 else builder.op("Mul", inputs[0], beta)
        result = builder.op("Softplus", scaled)
        result = result if self.beta == 1 else builder.op("Div", result, beta)
        linear = builder.op("Greater", scaled, self.scalar(builder, self.threshold, tensors))
        return builder.op("Where", linear, inputs[0], result)


class SoftSign(Activation):
    """x / (1 + |x|) (``torch.nn.Softsign``): any shape."""

    name = "softsign"
    onnx_nodes = ("Softsign",)
    onnx_lacks = ("float64",)
    torch = "nn.Softsign"
    functional = "F.softsign"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=run.outputs)  # 1 + |x|

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Softsign", inputs[0])


class Sigmoid(Activation):
    """Logistic function, 1 / (1 + exp(−x)) (``torch.nn.Sigmoid``): any shape."""

    name = "sigmoid"
    onnx_nodes = ("Sigmoid",)
    torch = "nn.Sigmoid"
    functional = "torch.sigmoid"
    saved_for_backward = "output"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sigmoid", inputs[0])


class LogSigmoid(Activation):
    """Logarithm of the logistic function (``torch.nn.LogSigmoid``): any shape."""

    name = "log_sigmoid"
    onnx_lacks = ("float64",)
    torch = "nn.LogSigmoid"
    functional = "F.logsigmoid"
    elementwise = False

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=run.outputs)  # exp(−|x|)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Neg", builder.op("Softplus", builder.op("Neg", inputs[0])))


class Tanh(Activation):
    """Hyperbolic tangent (``torch.nn.Tanh``): any shape."""

    name = "tanh"
    onnx_nodes = ("Tanh",)
    torch = "nn.Tanh"
    functional = "torch.tanh"
    saved_for_backward = "output"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Tanh", inputs[0])


class Threshold(Activation):
    """x above threshold, else value (``torch.nn.Threshold``): any shape."""

    name = "threshold"
    torch = "nn.Threshold"
    functional = "F.threshold"

    threshold: float
    value: float
    inplace: bool = False

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        above = builder.op("Greater", inputs[0], self.scalar(builder, self.threshold, tensors))
        return builder.op("Where", above, inputs[0], self.scalar(builder, self.value, tensors))


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
