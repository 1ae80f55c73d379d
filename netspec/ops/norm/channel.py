"""Normalisation of each channel: what that over the batch and that within a sample have in common."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Bound, Tensor, known, need_rank
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


def is_frozen(state: Mapping[str, ForeignTensor]) -> bool:
    """Return whether the scale and the shift of a batch norm are buffers, which nothing learns."""
    return "weight" in state and "bias" in state and not (state["weight"].learned or state["bias"].learned)
