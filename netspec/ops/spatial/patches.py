"""Sliding windows laid out as columns, and columns added up where their windows overlap."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import PerDimension, Sizes, spell_window, spread
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import count_up, find, size_vectors, spell_size
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, known, need_rank
from netspec.ops.core.window import LAYOUT, padded, slide


class Columns(Op):
    """Base of the ops between an image and the columns of its windows."""

    family = "shape"
    saved_for_backward = "nothing"

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    dilation: Annotated[Any, PerDimension(2, 1)] = 1
    padding: Annotated[Any, PerDimension(2, 0)] = 0
    stride: Annotated[Any, PerDimension(2, 1)] = 1

    def kernel(self) -> tuple[int, ...]:
        return spread(self.kernel_size, 2)

    def count(self, spatial: Shape) -> tuple[Size, ...]:
        """The number of windows along height and width."""
        options = (spread(value, 2) for value in (self.stride, self.padding, self.dilation))
        windows = zip(spatial, self.kernel(), *options)
        return tuple(slide(size, kernel, stride, 2 * pad, dilation) for size, kernel, stride, pad, dilation in windows)

    def detail(self) -> str:
        stride = (
            ""
            if set(spread(self.stride, 2)) == {1}
            else f", /{spell_window(self.stride, 1 if isinstance(self.stride, int) else 2)}"
        )
        return spell_window(self.kernel_size) + stride


class UnfoldWindows(Columns):
    """The elements of each window as a column (``torch.nn.Unfold``): (N, C, H, W) -> (N, C·kernel, windows)."""

    name = "unfold"
    aten = ("im2col",)
    torch = "nn.Unfold"
    functional = "F.unfold"
    main = "kernel_size"

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 4, layout=LAYOUT[2])
        batch, channels, *spatial = shapes[0]
        return (batch, channels * math.prod(self.kernel()), product(self.count(tuple(spatial))))

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        """Yield the bound that a window fits along each dimension, which the product of both does not tell."""
        for count, kernel in zip(self.count(inputs[0].shape[2:]), self.kernel()):
            yield Bound(count, f"unfold takes a size that {kernel} elements of a window fit into", least=1)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        before = spread(self.padding, 2)
        x = padded(builder, inputs[0], [0, 0, *before, 0, 0, *before]) if any(before) else inputs[0]
        sizes = builder.op("Shape", x, start=2, end=4)
        ends = builder.op("Split", sizes, outputs=2, axis=0, num_outputs=2)
        for axis, end in zip((2, 4), ends):  # the first Gather makes one dimension two
            x = builder.op("Gather", x, self.places(builder, end, axis // 2 - 1), axis=axis)
        x = builder.op("Transpose", x, perm=[0, 1, 2, 4, 3, 5])
        channels = tensors[0].shape[1]
        rows = channels * math.prod(self.kernel())
        if isinstance(rows, int):
            return builder.op("Reshape", x, builder.constant([0, rows, -1]))
        columns = builder.op("ReduceProd", builder.op("Shape", x, start=4), builder.constant([0]), keepdims=1)
        return builder.op("Reshape", x, builder.op("Concat", builder.constant([0, -1]), columns, axis=0))

    def places(self, builder: OnnxBuilder, size: Any, at: int) -> Any:
        """The positions that each window (column) reads for each of its elements (row), along one dimension."""
        kernel, stride, dilation = (spread(value, 2)[at] for value in (self.kernel_size, self.stride, self.dilation))
        reach = dilation * (kernel - 1) + 1
        count = builder.op(
            "Div", builder.op("Sub", size, builder.constant([reach - stride])), builder.constant([stride])
        )
        starts = builder.op("Mul", count_up(builder, count), builder.constant(stride))
        return builder.op("Add", starts, builder.constant([[tap * dilation] for tap in range(kernel)]))


class FoldWindows(Columns):
    """Adds up columns where their windows were (``torch.nn.Fold``): (N, C·kernel, windows) -> (N, C, *output_size).

    ``like`` has a symbolic ``output_size``.
    """

    name = "fold"
    aten = ("col2im",)
    torch = None
    functional = "F.fold"
    covers = ("nn.Fold",)
    onnx_since = 18
    onnx_lacks = ("float64",)
    ports = ("input", "like")
    optional = ("like",)

    output_size: Annotated[Any, Sizes(alone=True)]

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x = inputs[0]
        assert x is not None
        if "float" not in x.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {x.dtype}")
        need_rank(self.name, x.shape, 3, layout="[N, C·kernel, windows]")
        batch, rows, columns = x.shape
        rows, area = known(rows, "the number of rows that fold takes"), math.prod(self.kernel())
        if rows % area:
            raise ShapeError(f"{rows} rows are not a multiple of a window's {area} elements", argument="kernel_size")
        wanted = product(self.count(self.spatial()))
        if differ(columns, wanted):
            found = f"{pretty_shape(self.spatial())} has {wanted} windows, but the input has {columns} columns"
            raise ShapeError(found, argument="output_size")
        for size in self.spatial():
            find(self.name, size, inputs)
        return (Tensor((batch, rows // area, *self.spatial()), x.dtype),)

    def spatial(self) -> Shape:
        """The height and width of the output."""
        if len(self.output_size) > 2:
            raise ShapeError("fold takes a height and a width", argument="output_size")
        return tuple(self.output_size) * (3 - len(self.output_size)) if len(self.output_size) == 1 else self.output_size

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        if inputs[0] is not None and len(inputs[0].shape) == 3:
            yield inputs[0].shape[2], product(self.count(self.spatial())), "fold takes a column for each window"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = ", ".join(spell_size(self.name, size, arguments, inputs) for size in self.spatial())
        keywords = {name: value for name, value in self.changed().items() if name not in ("output_size", "kernel_size")}
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        return f"F.fold({', '.join([arguments[0], f'({sizes})', repr(self.kernel_size), *named])})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        dilations, pads, strides = (list(spread(value, 2)) for value in (self.dilation, self.padding, self.stride))
        return builder.op(
            "Col2Im",
            inputs[0],
            size_vectors(builder, self.name, self.spatial(), inputs, tensors),
            builder.constant(list(self.kernel())),
            dilations=dilations,
            pads=pads * 2,
            strides=strides,
        )
