"""Instance normalisation: of each channel within each sample."""

from typing import Any

from netspec.dims import Shape, Size, product
from netspec.ops.core.averages import centred
from netspec.ops.core.foreign import ForeignCall, OpReading, exactly
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.norm.channel import ChannelNorm


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
