"""Normalisation of each channel: over the batch, or within each sample; and across neighbouring channels."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from netspec.dims import Shape, Size, product
from netspec.ops.core.arguments import Positive
from netspec.ops.core.averages import centred, mean_over
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading, exactly, own_tensors
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, Bound, Tensor, known, need_rank
from netspec.ops.norm.affine import learned, scale_and_shift

LAYOUTS = {2: "[N, C]", 3: "[N, C, L]", 4: "[N, C, H, W]", 5: "[N, C, D, H, W]"}


class ChannelNorm(Op):
    """Base of batch and instance normalisation: one weight and bias for each channel."""

    family = "norm"
    ranks: ClassVar[tuple[int, ...]]
    aten_names = MappingProxyType(dict.fromkeys(("training", "use_input_stats", "cudnn_enabled")))

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    bias: bool = True

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        if reading is None:
            return None
        tracks = "running_mean" in reading.state
        momentum = reading.arguments.get("momentum") if tracks else None
        return reading.saying(affine="weight" in reading.state, track_running_stats=tracks, momentum=momentum)

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"num_features": self.channels(inputs[0].shape)}

    def channels(self, shape: Shape) -> int:
        """The number of channels; guards the input's rank."""
        need_rank(self.name, shape, *self.ranks, layout=" or ".join(LAYOUTS[rank] for rank in self.ranks))
        return known(shape[1], f"the number of channels that {self.name} takes")

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        return shapes[0]

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        """Yield the bound that each statistic is taken over two values at least; tracked ones in training only."""
        reason = f"{self.name} takes more than one value per channel"
        yield Bound(self.samples(inputs[0].shape), reason, least=2, training=self.track_running_stats)

    def samples(self, shape: Shape) -> Size:
        """Return how many values each mean is taken over."""
        raise AssertionError("each kind of normalisation says what it measures")

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return learned((self.channels(inputs[0].shape),), self.affine, self.bias)

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        if not self.track_running_stats:
            return {}
        each = (self.channels(inputs[0].shape),)
        return {"running_mean": each, "running_var": each, "num_batches_tracked": ()}

    @property
    def onnx_single(self) -> bool:
        """Return whether it measures: squares are added up."""
        return not self.track_running_stats

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        channels = self.channels(tensors[0].shape)
        scale, shift = scale_and_shift(builder, (channels,), tensors[0].dtype)
        if not self.track_running_stats:
            return self.onnx_measured(builder, inputs[0], scale, shift, tensors[0])
        tracked = builder.parameter("running_mean"), builder.parameter("running_var")
        return builder.op("BatchNormalization", inputs[0], scale, shift, *tracked, epsilon=self.eps)

    def onnx_measured(self, builder: OnnxBuilder, x: Any, scale: Any, shift: Any, tensor: Tensor) -> Any:
        """The nodes that normalise by what they measure of the input."""
        raise AssertionError("each kind of normalisation says what it measures")

    def detail(self) -> str:
        return ""


class BatchNorm(ChannelNorm):
    """Base of batch normalisation. Outside training it uses the tracked mean and variance, where it tracks."""

    stateful = True
    aten = ("batch_norm",)
    onnx_nodes = ("BatchNormalization",)

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        return None if reading is not None and is_frozen(reading.state) else reading

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        """Outside training, where the statistics are fixed."""
        return (PLACE,) * rank if self.track_running_stats else None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        given = call.arguments
        x, mean = call.tensor("X"), call.tensor("input_mean") or call.tensor("mean")
        if x is None or mean is None or len(x.shape) not in cls.ranks or given.get("training_mode", 0):
            return None
        state = own_tensors(
            weight=call.tensor("scale"),
            bias=call.tensor("B"),
            running_mean=mean,
            running_var=call.tensor("input_var") or call.tensor("var"),
            num_batches_tracked=ForeignTensor(
                (), "int64", f"{mean.key}".replace("running_mean", "num_batches_tracked")
            ),
        )
        arguments = {"eps": exactly(given.get("epsilon", 1e-5))}
        return OpReading(arguments, (x,), state, call.outputs[:1])

    def samples(self, shape: Shape) -> Size:
        return product((shape[0], *shape[2:]))

    def saved(self, run: OpRun) -> Saved:
        channels = (self.channels(run.inputs[0].shape),)
        return Saved((0,), made=(Tensor(channels),) * 2)  # mean and 1/deviation

    def onnx_measured(self, builder: OnnxBuilder, x: Any, scale: Any, shift: Any, tensor: Tensor) -> Any:
        rank, dtype = len(tensor.shape), tensor.dtype
        axes = [0, *range(2, rank)]
        x = centred(builder, centred(builder, x, axes), axes)  # the second time without what the first mean was off by
        variance = mean_over(builder, builder.op("Mul", x, x), axes, keepdims=True)
        if rank > 2:
            places = builder.constant(list(range(1, rank - 1)))
            scale, shift = (builder.op("Unsqueeze", value, places) for value in (scale, shift))
        deviation = builder.op("Sqrt", builder.op("Add", variance, builder.constant(self.eps, dtype)))
        return builder.op("Add", builder.op("Mul", builder.op("Div", x, deviation), scale), shift)


class BatchNorm1d(BatchNorm):
    """1D batch normalisation (``torch.nn.BatchNorm1d``): (N, C) or (N, C, L), kept."""

    name = "batch_norm1d"
    torch = "nn.BatchNorm1d"
    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """2D batch normalisation (``torch.nn.BatchNorm2d``): (N, C, H, W), kept."""

    name = "batch_norm2d"
    torch = "nn.BatchNorm2d"
    ranks = (4,)


class BatchNorm3d(BatchNorm):
    """3D batch normalisation (``torch.nn.BatchNorm3d``): (N, C, D, H, W), kept."""

    name = "batch_norm3d"
    torch = "nn.BatchNorm3d"
    ranks = (5,)


def is_frozen(state: Mapping[str, ForeignTensor]) -> bool:
    """Return whether the scale and the shift of a batch norm are buffers, which nothing learns."""
    return "weight" in state and "bias" in state and not (state["weight"].learned or state["bias"].learned)


FROZEN = '''class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation by tensors that stay as they are."""

    def __init__(self, num_features, eps=1e-05):
        super().__init__()
        self.eps = eps
        self.weight = nn.Buffer(torch.ones(num_features))
        self.bias = nn.Buffer(torch.zeros(num_features))
        self.running_mean = nn.Buffer(torch.zeros(num_features))
        self.running_var = nn.Buffer(torch.ones(num_features))

    def _load_from_state_dict(self, state_dict, prefix, *arguments):
        state_dict.pop(prefix + "num_batches_tracked", None)  # a batch norm counts, this one does not
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)'''


class FrozenBatchNorm2d(Op):
    """Batch normalisation of which nothing is learned or tracked, as torchvision's: (N, C, H, W), kept.

    It loads the keys of that one, and of ``batch_norm2d``.
    """

    name = "frozen_batch_norm2d"
    family = "norm"
    torch = "FrozenBatchNorm2d"
    definition = FROZEN
    aten = ("batch_norm",)
    aten_names = MappingProxyType({"training": None, "momentum": None, "cudnn_enabled": None})

    eps: float = 1e-5

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        return reading if reading is not None and is_frozen(reading.state) else None

    def channels(self, shape: Shape) -> int:
        """The number of channels; guards the input's rank."""
        need_rank(self.name, shape, 4, layout=LAYOUTS[4])
        return known(shape[1], f"the number of channels that {self.name} takes")

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"num_features": self.channels(inputs[0].shape)}

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        return shapes[0]

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        each = (self.channels(inputs[0].shape),)
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), each)

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,), made=(Tensor((0,)),))  # where training would have its reserve

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        tensors_there = (builder.parameter(name) for name in ("weight", "bias", "running_mean", "running_var"))
        return builder.op("BatchNormalization", inputs[0], *tensors_there, epsilon=self.eps)

    def detail(self) -> str:
        return ""


class InstanceNorm(ChannelNorm):
    """Base of instance normalisation: mean and variance of each channel of each sample."""

    onnx_nodes = ("InstanceNormalization",)

    onnx_lacks = ("float64",)
    aten = ("instance_norm",)
    momentum: float = 0.1
    affine: bool = False
    track_running_stats: bool = False

    def samples(self, shape: Shape) -> Size:
        return product(shape[2:])

    def saved(self, run: OpRun) -> Saved:
        """As torch does it: a batch norm of N·C channels, with copies of the weight and of the tracked statistics."""
        x = run.inputs[0]
        each = (Tensor(x.shape[:2]),) * (2 + self.affine + 2 * self.track_running_stats)
        return Saved((0,), made=each) if run.strides[0] is None else Saved(made=(x, *each))

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, scale, shift = call.tensor("input"), call.tensor("scale"), call.tensor("B")
        if x is None or len(x.shape) not in cls.ranks or scale is None or shift is None:
            return None
        arguments = {"eps": exactly(call.arguments.get("epsilon", 1e-5)), "affine": True, "track_running_stats": False}
        return OpReading(arguments, (x,), {"weight": scale, "bias": shift}, call.outputs)

    def onnx_measured(self, builder: OnnxBuilder, x: Any, scale: Any, shift: Any, tensor: Tensor) -> Any:
        x = centred(builder, x, range(2, len(tensor.shape)))
        return builder.op("InstanceNormalization", x, scale, shift, epsilon=self.eps)


class InstanceNorm1d(InstanceNorm):
    """1D instance normalisation (``torch.nn.InstanceNorm1d``): (N, C, L), kept."""

    name = "instance_norm1d"
    torch = "nn.InstanceNorm1d"
    ranks = (3,)


class InstanceNorm2d(InstanceNorm):
    """2D instance normalisation (``torch.nn.InstanceNorm2d``): (N, C, H, W), kept."""

    name = "instance_norm2d"
    torch = "nn.InstanceNorm2d"
    ranks = (4,)


class InstanceNorm3d(InstanceNorm):
    """3D instance normalisation (``torch.nn.InstanceNorm3d``): (N, C, D, H, W), kept."""

    name = "instance_norm3d"
    torch = "nn.InstanceNorm3d"
    ranks = (5,)


class LocalResponseNorm(Op):
    """Divides by (k + alpha · mean x² of ``size`` channels)^beta (``torch.nn.LocalResponseNorm``): (N, C, …), kept."""

    name = "local_response_norm"
    onnx_exact = True
    onnx_nodes = ("LRN",)
    onnx_names = {"bias": "k"}
    onnx_lacks = ("float64",)
    torch_lacks = HALVES
    family = "norm"
    torch = "nn.LocalResponseNorm"
    functional = "F.local_response_norm"
    main = "size"
    elementwise = True

    size: Positive
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 3:
            need_rank(self.name, shapes[0], 3, layout="[N, C, …] of at least three dimensions")
        return shapes[0]

    def saved(self, run: OpRun) -> Saved:
        x = run.inputs[0]
        batch, channels, *spatial = x.shape
        squares = Tensor((batch, channels + self.size - 1, *spatial), x.dtype)
        return Saved((0,), made=(squares, x, x))  # padded; their mean · alpha + k; that to the power of beta

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        squares = builder.op("Reshape", builder.op("Mul", inputs[0], inputs[0]), builder.constant([0, 0, -1]))
        squares = builder.op("Unsqueeze", squares, builder.constant([1]))
        pads = [self.size // 2, 0, (self.size - 1) // 2, 0]
        mean = builder.op("AveragePool", squares, kernel_shape=[self.size, 1], pads=pads, count_include_pad=1)
        mean = builder.op("Reshape", mean, builder.op("Shape", inputs[0]))
        alpha, beta, k = (builder.constant(value, tensors[0].dtype) for value in (self.alpha, self.beta, self.k))
        return builder.op(
            "Div", inputs[0], builder.op("Pow", builder.op("Add", builder.op("Mul", mean, alpha), k), beta)
        )
