"""Power-average pooling: a norm of each window."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size
from netspec.ops.core.arguments import PerDimension, spell_window, spread
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT, begins_in_padding, slide


class PowerPool(Op):
    """Base of power-average pooling: the root of a window's sum of powers.

    As in torch, an odd or fractional power has no root of a negative sum (NaN), and a window that only partly fits
    counts as if it were whole.
    """

    family = "pooling"
    main = "norm_type"
    onnx_lacks = ("float64",)
    onnx_exact = True
    rank: ClassVar[int]

    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], self.rank + 2, layout=LAYOUT[self.rank])
        if self.norm_type == 0:
            raise ShapeError("norm_type must not be 0, as the root is of 1/norm_type", argument="norm_type")
        return (*shapes[0][:2], *map(self.slide, shapes[0][2:], self.kernels(), self.strides()))

    def slide(self, size: Size, kernel: int, stride: int) -> Size:
        return slide(size, kernel, stride, 0, ceil_mode=self.ceil_mode)

    def kernels(self) -> tuple[int, ...]:
        return spread(self.kernel_size, self.rank)

    def strides(self) -> tuple[int, ...]:
        return self.kernels() if self.stride is None else spread(self.stride, self.rank)

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return tuple(AccessWindow(stride, 0, kernel - 1) for kernel, stride in zip(self.kernels(), self.strides()))

    def module(self, *inputs: Tensor) -> Constructor:
        keywords = self.changed()
        return Constructor(
            str(self.torch), {name: keywords.pop(name) for name in ("norm_type", "kernel_size")}, keywords
        )

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        made = self.module(*inputs)
        positional = [repr(value) for value in made.positional.values()]
        named = [f"{name}={value!r}" for name, value in made.keywords.items()]
        return f"{self.functional}({', '.join([*arguments, *positional, *named])})"

    def saved(self, run: OpRun) -> Saved:
        """The powers, and of the means: absolute value, what is positive of it, the sign, and the product of these."""
        x, result = run.inputs[0], run.outputs[0]
        return Saved((0,), made=(x, *(result,) * 4))

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        windows = zip(self.kernels(), self.strides())
        return 22 if self.ceil_mode and any(begins_in_padding(*window, 0, 1) for window in windows) else 0

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        kernels, strides = list(self.kernels()), list(self.strides())
        powers = builder.op("Pow", inputs[0], builder.constant(self.norm_type, dtype))
        mean = builder.op("AveragePool", powers, kernel_shape=kernels, strides=strides, ceil_mode=int(self.ceil_mode))
        total = builder.op("Mul", mean, builder.constant(float(math.prod(kernels)), dtype))
        return builder.op("Pow", total, builder.constant(1 / self.norm_type, dtype))

    def detail(self) -> str:
        return f"{self.norm_type:.6g}, {spell_window(self.kernel_size, self.rank)}"


class PowerPool1d(PowerPool):
    """1D power-average pooling (``torch.nn.LPPool1d``): (N, C, L) -> (N, C, L')."""

    name = "lp_pool1d"
    torch = "nn.LPPool1d"
    functional = "F.lp_pool1d"
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1, optional=True)] = None


class PowerPool2d(PowerPool):
    """2D power-average pooling (``torch.nn.LPPool2d``): (N, C, H, W) -> (N, C, H', W')."""

    name = "lp_pool2d"
    torch = "nn.LPPool2d"
    functional = "F.lp_pool2d"
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1, optional=True)] = None


class PowerPool3d(PowerPool):
    """3D power-average pooling (``torch.nn.LPPool3d``): (N, C, D, H, W) -> (N, C, D', H', W')."""

    name = "lp_pool3d"
    torch = "nn.LPPool3d"
    functional = "F.lp_pool3d"
    rank = 3
    torch_lacks = HALVES

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1, optional=True)] = None
