"""Batch normalisation: of each channel over the batch, by running statistics in inference."""

from typing import Any

from netspec.dims import Shape, Size, product
from netspec.ops.core.averages import centred, mean_over
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading, exactly, own_tensors
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.norm.channel import ChannelNorm, is_frozen


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
