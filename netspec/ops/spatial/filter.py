"""Convolutions whose weight is given: worked out by other steps, or fixed."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import PerDimension, Positive, spread
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, known, need_rank
from netspec.ops.core.window import LAYOUT, slide


class GivenFilter(Op):
    """Base of the convolutions by a given weight; ``rank`` counts the spatial dimensions."""

    family = "convolution"
    ports = ("input", "weight", "bias")
    optional = ("bias",)
    autocast = "bfloat16"
    rank: ClassVar[int]

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: Positive = 1

    def guard(self, inputs: Sequence[Tensor | None]) -> tuple[Shape, Shape, Shape | None]:
        """The shapes of input, weight and bias; guards their ranks."""
        x, weight, bias = (None if tensor is None else tensor.shape for tensor in inputs)
        assert x is not None
        assert weight is not None
        need_rank(self.name, x, self.rank + 2, layout=LAYOUT[self.rank])
        need_rank(f"the weight of {self.name}", weight, self.rank + 2, layout="[out, in / groups, *kernel]")
        if bias is not None:
            need_rank(f"the bias of {self.name}", bias, 1, layout="[out]")
        return x, weight, bias

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x, weight, bias = self.guard(inputs)
        yield x[1], weight[1] * self.groups, f"{self.name} takes a weight over all input channels of a group"
        if bias is not None:
            yield bias[0], weight[0], f"{self.name} takes a bias as long as the weight's first dimension"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        one_dtype(self.name, given)
        if "float" not in given[0].dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {given[0].dtype}")
        x, weight, bias = self.guard(inputs)
        if differ(x[1], weight[1] * self.groups) or (bias is not None and differ(bias[0], weight[0])):
            found = " and ".join(pretty_shape(tensor.shape) for tensor in given)
            raise ShapeError(f"{self.name} takes [N, in, …], [out, in / groups, …] and [out], but got {found}")
        if isinstance(weight[0], int) and weight[0] % self.groups:
            raise ShapeError(
                f"{weight[0]} output channels cannot be divided into {self.groups} groups", argument="groups"
            )
        options = (spread(value, self.rank) for value in (self.stride, self.padding, self.dilation))
        windows = zip(x[2:], self.kernel(weight), *options)
        spatial = (slide(size, kernel, stride, 2 * pad, dilation) for size, kernel, stride, pad, dilation in windows)
        return (Tensor((x[0], weight[0], *spatial), given[0].dtype),)

    def kernel(self, weight: Shape) -> tuple[int, ...]:
        """The sizes of the window, which must be numbers."""
        return tuple(known(size, f"the window of {self.name}") for size in weight[2:])

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        """Unknown without the weight's shape."""
        return None

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * product(self.guard(inputs)[1][1:])

    def saved(self, run: OpRun) -> Saved:
        return Saved((0, 1))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        padding = list(spread(self.padding, self.rank))
        return builder.op(
            "Conv",
            *inputs,
            kernel_shape=list(self.kernel(self.guard(tensors)[1])),
            strides=list(spread(self.stride, self.rank)),
            pads=padding * 2,
            dilations=list(spread(self.dilation, self.rank)),
            group=self.groups,
        )


class Filter1d(GivenFilter):
    """1D convolution by a given weight: (N, C, L), weight (out, C/groups, kernel), bias (out) -> (N, out, L')."""

    name = "filter1d"
    functional = "F.conv1d"
    rank = 1

    stride: Annotated[Any, PerDimension(1, 1)] = 1
    padding: Annotated[Any, PerDimension(1, 0)] = 0
    dilation: Annotated[Any, PerDimension(1, 1)] = 1


class Filter2d(GivenFilter):
    """2D convolution by a given weight: (N, C, H, W), weight (out, C/groups, …), bias (out) -> (N, out, H', W')."""

    name = "filter2d"
    functional = "F.conv2d"
    rank = 2

    stride: Annotated[Any, PerDimension(2, 1)] = 1
    padding: Annotated[Any, PerDimension(2, 0)] = 0
    dilation: Annotated[Any, PerDimension(2, 1)] = 1


class Filter3d(GivenFilter):
    """3D convolution by a given weight: (N, C, D, H, W), weight (out, C/groups, kernel), bias (out) -> (N, out, …)."""

    name = "filter3d"
    functional = "F.conv3d"
    rank = 3

    stride: Annotated[Any, PerDimension(3, 1)] = 1
    padding: Annotated[Any, PerDimension(3, 0)] = 0
    dilation: Annotated[Any, PerDimension(3, 1)] = 1
