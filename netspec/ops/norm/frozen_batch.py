"""Batch normalisation by statistics that never change."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from netspec.dims import Shape
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor, known, need_rank
from netspec.ops.norm.channel import LAYOUTS, is_frozen

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
