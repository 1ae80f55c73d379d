"""Sampling at the places of a grid, and the grid of an affine map."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Dim, Shape, Size, pretty_shape
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Sizes
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import count_up, find, size_vectors, spell_size
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, need_rank

MODES = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}
"""ONNX's words for torch's modes."""


class GridSample(Op):
    """The input's values at the places of ``grid`` (``F.grid_sample``): (N, C, H, W), (N, H', W', 2) -> (N, C, H', W').

    Places are (x, y) from −1 to 1, or (x, y, z) for [N, C, D, H, W].
    """

    name = "grid_sample"
    onnx_exact = True
    onnx_lacks = ("float64",)
    family = "shape"
    functional = "F.grid_sample"
    ports = ("input", "grid")

    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear"
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: bool = False

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        return 20 if inputs[0] is not None and len(inputs[0].shape) > 4 else 16

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        image, grid = shapes
        need_rank(self.name, image, 4, 5, layout="[N, C, H, W] or [N, C, D, H, W]")
        rank = len(image) - 2
        if len(grid) != len(image) or differ(grid[-1], rank) or differ(grid[0], image[0]):
            wanted = pretty_shape((image[0], *map(Dim.symbol, "DHW"[-rank:]), rank))
            raise ShapeError(f"{self.name} takes a grid {wanted} for this input, but got {pretty_shape(grid)}")
        if rank == 3 and self.mode == "bicubic":
            raise ShapeError("bicubic sampling takes [N, C, H, W]", argument="mode")
        return (*image[:2], *grid[1:-1])

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        image, grid = (tensor.shape for tensor in inputs)
        if len(image) == len(grid) > 3:
            yield grid[-1], len(image) - 2, f"{self.name} takes one number for each spatial dimension"
            yield image[0], grid[0], f"{self.name} takes a grid for each sample"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        keywords = {**self.changed(), "align_corners": self.align_corners}
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        if inputs[0].dtype not in HALVES:
            return f"F.grid_sample({', '.join([*arguments, *named])})"
        wide = [f"{name}.float()" for name in arguments]  # as torch works out places in the precision of its inputs
        return f"F.grid_sample({', '.join([*wide, *named])}).to({arguments[0]}.dtype)"

    def saved(self, run: OpRun) -> Saved:
        if run.inputs[0].dtype in HALVES:
            return Saved(made=tuple(Tensor(tensor.shape) for tensor in run.inputs))
        return Saved((0, 1))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        mode, outside = MODES[self.mode], self.padding_mode
        corners = int(self.align_corners)
        return builder.op("GridSample", *inputs, mode=mode, padding_mode=outside, align_corners=corners)

    def detail(self) -> str:
        return self.mode


class AffineGrid(Op):
    """The places that an affine map sends those of an image to (``F.affine_grid``): (N, 2, 3) -> (N, H, W, 2).

    ``size`` is the image's (H, W), or (D, H, W) for maps (N, 3, 4); ``like`` has its symbolic sizes.
    """

    name = "affine_grid"
    onnx_exact = True
    family = "shape"
    functional = "F.affine_grid"
    main = "size"
    saved_for_backward = "nothing"
    ports = ("theta", "like")
    optional = ("like",)

    size: Annotated[Any, Sizes()]
    align_corners: bool = False

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        theta = inputs[0]
        assert theta is not None
        rank = len(self.size)
        if "float" not in theta.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {theta.dtype}")
        if rank not in (2, 3):
            raise ShapeError("affine_grid takes a height and a width, or a depth too", argument="size")
        if len(theta.shape) != 3 or differ(theta.shape[1], rank) or differ(theta.shape[2], rank + 1):
            raise ShapeError(f"affine_grid takes [N, {rank}, {rank + 1}], but its input is {pretty_shape(theta.shape)}")
        for size in self.size:
            find(self.name, size, inputs)
        return (Tensor((theta.shape[0], *self.size, rank), theta.dtype),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = ", ".join(spell_size(self.name, size, arguments, inputs) for size in self.size)
        theta = arguments[0]
        return f"F.affine_grid({theta}, ({theta}.size(0), 1, {sizes}), align_corners={self.align_corners})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """The product of [x, y, 1] of each place with the map's rows."""
        theta, tensor = inputs[0], tensors[0]
        assert tensor is not None
        rank = len(self.size)
        shape = size_vectors(builder, self.name, self.size, inputs, tensors)
        sizes = builder.op("Split", shape, outputs=rank, axis=0, num_outputs=rank)
        planes = [self.along(builder, size, rank - 1 - at, shape, tensor.dtype) for at, size in enumerate(sizes)]
        one = builder.op("Expand", builder.constant(1.0, tensor.dtype), shape)
        planes = [builder.op("Unsqueeze", each, builder.constant([rank])) for each in (*reversed(planes), one)]
        places = builder.op("Reshape", builder.op("Concat", *planes, axis=rank), builder.constant([-1, rank + 1]))
        moved = builder.op("MatMul", places, builder.op("Transpose", theta, perm=[0, 2, 1]))
        whole = builder.op("Concat", builder.constant([0]), shape, builder.constant([rank]), axis=0)
        return builder.op("Reshape", moved, whole)

    def along(self, builder: OnnxBuilder, size: Any, after: int, shape: Any, dtype: str) -> Any:
        """The coordinate along one dimension, for every place: from −1 to 1, at the corners or half a step inside."""
        count = builder.cast(size, dtype)
        one, two = builder.constant(1.0, dtype), builder.constant(2.0, dtype)
        steps = builder.op("Mul", builder.cast(count_up(builder, size), dtype), two)
        if self.align_corners:  # a single place is in the middle
            gaps = builder.op("Sub", count, one)
            place = builder.op("Sub", builder.op("Div", steps, builder.op("Max", gaps, one)), one)
            place = builder.op("Mul", place, builder.op("Min", gaps, one))
        else:
            place = builder.op("Div", builder.op("Sub", builder.op("Add", steps, one), count), count)
        if after:
            place = builder.op("Unsqueeze", place, builder.constant(list(range(1, 1 + after))))
        return builder.op("Expand", place, shape)

    def detail(self) -> str:
        return "×".join(map(str, self.size))
