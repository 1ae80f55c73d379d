"""Convolution at places that another tensor moves (Dai et al. 2017, Zhu et al. 2019)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from netspec.dims import Dim, Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import PerDimension, spread
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, known
from netspec.ops.core.window import slide
from netspec.ops.spatial.conv import Convolution

TOGETHER = 32
"""So many samples at most are convolved at once."""


class DeformConv2d(Convolution):
    """Convolution at moved places (``torchvision.ops.DeformConv2d``): (N, C, H, W) and offsets -> (N, O, H', W').

    ``offset`` (N, 2·G·k, H', W') has a move down and one to the right for each of the k elements of a window, for each
    of G groups of channels; ``mask`` (N, G·k, H', W') is a factor for each.
    """

    name = "deform_conv2d"
    torch = "torchvision.ops.DeformConv2d"
    covers = ()
    rank = 2
    ports = ("input", "offset", "mask")
    optional = ("mask",)
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    onnx_since = 19
    autocast = "float32"

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1)] = 1
    padding: Annotated[Any, PerDimension(2, 0)] = 0
    dilation: Annotated[Any, PerDimension(2, 1)] = 1

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        one_dtype(self.name, given)
        (made,) = super().infer(given[0])
        for (port, wanted), tensor in zip(self.wanted(*inputs), given[1:]):
            if len(tensor.shape) != 4 or any(map(differ, tensor.shape, wanted)):
                found = f"{pretty_shape(wanted)} for this input, but got {pretty_shape(tensor.shape)}"
                raise ShapeError(f"{self.name} takes {port} {found}")
        return (made,)

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        options = (spread(value, 2) for value in (self.stride, self.padding, self.dilation))
        windows = zip(shapes[0][2:], self.kernel(), *options)
        spatial = (slide(size, kernel, stride, 2 * pad, dilation) for size, kernel, stride, pad, dilation in windows)
        return (shapes[0][0], self.out_channels, *spatial)

    def offset_groups(self, *inputs: Tensor | None) -> int:
        """The number of groups of channels that move together."""
        x, offset = inputs[:2]
        assert x is not None
        assert offset is not None
        each = 2 * self.elements()
        moves = known(offset.shape[1] if len(offset.shape) == 4 else 0, "the number of offsets of deform_conv2d")
        groups, channels = moves // each, self.channels(x.shape)
        if groups == 0 or moves % each or channels % groups:
            text = f"deform_conv2d takes {each} offsets for each group of {channels} channels, but got {moves}"
            raise ShapeError(text, argument="kernel_size")
        return groups

    def elements(self) -> int:
        """The number of a window's elements."""
        height, width = self.kernel()
        return height * width

    def wanted(self, *inputs: Tensor | None) -> list[tuple[str, Shape]]:
        """The shapes of the offsets, and of the mask."""
        assert inputs[0] is not None
        made, count = self.output_shape(inputs[0].shape), self.offset_groups(*inputs) * self.elements()
        return [("offset", (made[0], 2 * count, *made[2:])), ("mask", (made[0], count, *made[2:]))]

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        if inputs[0] is None or len(inputs[0].shape) != 4:
            return
        made = self.output_shape(inputs[0].shape)
        for port, tensor in zip(self.ports[1:], inputs[1:]):
            if tensor is not None and len(tensor.shape) == 4:
                for at in (0, 2, 3):
                    yield tensor.shape[at], made[at], f"deform_conv2d takes {port} for each place of its output"

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return None

    def weight_shape(self, *inputs: Tensor | None) -> tuple[int, ...]:
        assert inputs[0] is not None
        return (self.out_channels, self.channels(inputs[0].shape) // self.groups, *self.kernel())

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        assert inputs[0] is not None
        return super().parameters(inputs[0])

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * product(self.weight_shape(*inputs)[1:])

    def saved(self, run: OpRun) -> Saved:
        x = run.inputs[0]
        given = tuple(at for at, tensor in enumerate(run.inputs) if tensor is not None)
        made = [] if len(given) == 3 else [Tensor((x.shape[0], 1), x.dtype)]
        made += [] if self.bias else [Tensor((self.out_channels,), x.dtype)]
        return Saved(given, made=(*made, *self.weight_saved(run, whole=True)))

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """The windows of the samples that are convolved at once, each a column."""
        x, made = run.inputs[0], run.outputs[0]
        count = x.shape[0]
        if not isinstance(count, Dim):
            count = max(each for each in range(1, TOGETHER + 1) if count % each == 0)
        return (*super().workspace(run), Tensor((x.shape[1] * self.elements(), count, *made.shape[2:]), x.dtype))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, offset, mask = inputs
        padding = spread(self.padding, 2)
        weight, bias = self.onnx_weight(builder, tensors[0]), builder.parameter("bias")
        attributes = {**self.attributes(), "offset_group": self.offset_groups(*tensors), "pads": [*padding, *padding]}
        return builder.op("DeformConv", x, weight, offset, bias, mask, **attributes)
