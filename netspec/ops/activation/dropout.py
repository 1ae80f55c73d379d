"""Dropout: what training leaves out at random, and inference passes on."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from netspec.dims import Shape
from netspec.ops.core.arguments import Probability
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT


class LeftOut(Op):
    """Base of what leaves something out at random, with probability p: outside training each is the identity."""

    family = "dropout"
    main = "p"
    stateful = True
    elementwise = True

    p: Probability = 0.5

    def saved(self, run: OpRun) -> Saved:
        if not self.p:
            return Saved()
        output = run.outputs[0]
        return Saved(made=(self.mask_on_cpu(output) if run.on_cpu else self.mask(output),))

    def mask(self, output: Tensor) -> Tensor:
        """The tensors that say which elements stay, in the output's dtype."""
        return output

    def mask_on_cpu(self, output: Tensor) -> Tensor:
        """The same where torch runs on CPU."""
        return self.mask(output)

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        same = self.p == 0 or not run.training
        return (OutputLayout(0, run.strides[0]),) if same else super().output_layout(run)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return inputs[0]


class AnyDropout(LeftOut):
    """Base of the dropouts that torch has."""

    aten_names = MappingProxyType({"train": None})

    inplace: bool = False

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"{self.functional}({arguments[0]}, p={self.p}, training=self.training{inplace})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(0, run.strides[0]),) if self.inplace else super().output_layout(run)


class ChannelDropout(AnyDropout):
    """Base of dropouts of whole channels; ``rank`` counts the spatial dimensions."""

    rank: ClassVar[int]
    aten = ("feature_dropout",)

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], self.rank + 2, layout=LAYOUT[self.rank])
        return shapes[0]

    def mask(self, output: Tensor) -> Tensor:
        return Tensor((*output.shape[:2], *(1 for _ in output.shape[2:])), output.dtype)


class Dropout(AnyDropout):
    """Zeroes elements with probability p (``torch.nn.Dropout``): any shape."""

    name = "dropout"
    torch = "nn.Dropout"
    functional = "F.dropout"
    batched_over_leading_dims = True

    def mask(self, output: Tensor) -> Tensor:
        """As on CUDA, in one kernel unless it is in place."""
        return output if self.inplace else Tensor(output.shape, "bool")

    def mask_on_cpu(self, output: Tensor) -> Tensor:
        """On CPU it is a product with a mask of real numbers."""
        return output


class Dropout1d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout1d``): (N, C, L), kept."""

    name = "dropout1d"
    torch = "nn.Dropout1d"
    functional = "F.dropout1d"
    rank = 1


class Dropout2d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout2d``): (N, C, H, W), kept."""

    name = "dropout2d"
    torch = "nn.Dropout2d"
    functional = "F.dropout2d"
    rank = 2


class Dropout3d(ChannelDropout):
    """Zeroes whole channels with probability p (``torch.nn.Dropout3d``): (N, C, D, H, W), kept."""

    name = "dropout3d"
    torch = "nn.Dropout3d"
    functional = "F.dropout3d"
    rank = 3


class StochasticDepth(LeftOut):
    """Zeroes rows, or the whole batch, with probability p, as ``torchvision.ops.stochastic_depth``: (N, …), kept."""

    name = "stochastic_depth"

    mode: Literal["row", "batch"] = "row"

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0]:
            raise ShapeError("stochastic_depth takes a tensor with rows, but its input has no dimensions")
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        x = arguments[0]
        if not self.p:
            return x
        sizes = [f"{x}.shape[0]" if self.mode == "row" else "1", *("1" for _ in inputs[0].shape[1:])]
        return f"{x} * F.dropout({x}.new_ones({', '.join(sizes)}), p={self.p}) if self.training else {x}"

    def mask(self, output: Tensor) -> Tensor:
        first, *others = output.shape
        return Tensor((first if self.mode == "row" else 1, *(1 for _ in others)), output.dtype)


class AlphaDropout(AnyDropout):
    """Dropout that keeps mean and variance, for SELU networks (``torch.nn.AlphaDropout``): any shape."""

    name = "alpha_dropout"
    torch = "nn.AlphaDropout"
    functional = "F.alpha_dropout"


class FeatureAlphaDropout(AnyDropout):
    """Alpha dropout of whole channels (``torch.nn.FeatureAlphaDropout``): (N, C, …), kept."""

    name = "feature_alpha_dropout"
    torch = "nn.FeatureAlphaDropout"
    functional = "F.feature_alpha_dropout"

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 2, 3, 4, 5, layout="[N, C, …]")
        return shapes[0]

    def mask(self, output: Tensor) -> Tensor:
        return Tensor((*output.shape[:2], *(1 for _ in output.shape[2:])), output.dtype)
