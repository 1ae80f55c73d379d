"""Diagonals of matrices, and matrices that have one."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Dim, Shape, Size, pretty, times_shape
from netspec.ops.core.arguments import Extent
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.sizes import count_up, find, size_vector, spell_size
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, axis_of
from netspec.ops.core.window import padded
from netspec.ops.tensors.create import on_device
from netspec.ops.tensors.reshape import Rearrangement


class Diagonal(Rearrangement):
    """A diagonal of two dimensions, in a new last one (``torch.diagonal``): (A, …, A, …) -> (…, A)."""

    name = "diagonal"
    functional = "torch.diagonal"
    main = "offset"

    offset: int = 0
    dim1: int = 0
    dim2: int = 1

    def axes(self, rank: int) -> tuple[int, int]:
        """The dimensions of the rows and the columns."""
        rows, columns = axis_of(self.dim1, rank, "dim1"), axis_of(self.dim2, rank, "dim2")
        if rows == columns:
            raise ShapeError(f"dim1 and dim2 are both dim {rows}", argument="dim2")
        return rows, columns

    def length(self, rows: Size, columns: Size) -> Size:
        """The length of the diagonal, which lies in both."""
        rows, columns = rows + min(self.offset, 0), columns - max(self.offset, 0)
        difference = rows - columns
        if isinstance(difference, Dim):
            raise ShapeError(f"the diagonal's length is the smaller of {pretty(rows)} and {pretty(columns)}")
        return rows if difference <= 0 else columns

    def output_shape(self, *shapes: Shape) -> Shape:
        shape = shapes[0]
        rows, columns = self.axes(len(shape))
        rest = tuple(size for axis, size in enumerate(shape) if axis not in (rows, columns))
        return (*rest, self.length(shape[rows], shape[columns]))

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        shape = inputs[0].shape
        size = shape[self.axes(len(shape))[0 if self.offset < 0 else 1]]
        reason = f"the diagonal {self.offset} takes a size above {abs(self.offset)}, not {pretty(size)}"
        yield Bound(size, reason, least=abs(self.offset) + 1, argument="offset")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.diagonal({self.offset}, {self.dim1}, {self.dim2})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        rows, columns = self.axes(len(strides))
        rest = tuple(step for axis, step in enumerate(strides) if axis not in (rows, columns))
        steps = (*rest, strides[rows] + strides[columns])
        return (OutputLayout(0, shortened(run.outputs[0].shape, steps)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """Of the two dimensions, last and merged into one, every element whose place is on the diagonal."""
        shape = tensors[0].shape
        rank = len(shape)
        rows, columns = self.axes(rank)
        rest = [axis for axis in range(rank) if axis not in (rows, columns)]
        last = builder.op("Transpose", inputs[0], perm=[*rest, rows, columns])
        sizes = [builder.op("Shape", inputs[0], start=axis, end=axis + 1) for axis in rest]
        sizes.append(builder.constant([-1]))
        flat = builder.op("Reshape", last, builder.op("Concat", *sizes, axis=0) if rest else sizes[0])
        up, left = max(-self.offset, 0), max(self.offset, 0)
        height = builder.op("Sub", builder.op("Shape", inputs[0], start=rows, end=rows + 1), builder.constant([up]))
        width = builder.op("Shape", inputs[0], start=columns, end=columns + 1)
        length = builder.op("Min", height, builder.op("Sub", width, builder.constant([left])))
        along = count_up(builder, length)
        first = builder.op("Add", builder.op("Mul", width, builder.constant([up])), builder.constant([left]))
        places = builder.op("Add", builder.op("Mul", along, builder.op("Add", width, builder.constant([1]))), first)
        return builder.op("Gather", flat, places, axis=len(rest))

    def detail(self) -> str:
        return str(self.offset) if self.offset else ""


class DiagEmbed(Rearrangement):
    """Matrices with the last dimension on a diagonal, 0 elsewhere (``torch.diag_embed``): (…, A) -> (…, A, A)."""

    name = "diag_embed"
    without = ("dim1", "dim2")
    functional = "torch.diag_embed"
    main = "offset"

    offset: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0]:
            raise ShapeError("diag_embed takes at least one dimension, but its input is a scalar")
        size = shapes[0][-1] + abs(self.offset)
        return (*shapes[0][:-1], size, size)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype, rank = tensors[0].dtype, len(tensors[0].shape)
        number = "int32" if dtype == "bool" else dtype
        x = builder.cast(inputs[0], number) if dtype == "bool" else inputs[0]
        places = count_up(builder, builder.op("Shape", x, start=rank - 1, end=rank))
        column, row = (builder.op("Unsqueeze", places, builder.constant([axis])) for axis in (1, 0))
        table = builder.op("Unsqueeze", x, builder.constant([rank - 1]))
        made = builder.op("Where", builder.op("Equal", column, row), table, builder.constant(0, number))
        if self.offset:
            down, right = max(-self.offset, 0), max(self.offset, 0)
            front = [0] * (rank - 1)
            made = padded(builder, made, [*front, down, right, *front, right, down])
        return builder.cast(made, dtype) if dtype == "bool" else made

    def detail(self) -> str:
        return str(self.offset) if self.offset else ""


class Eye(Op):
    """1 on the diagonal, else 0 (``torch.eye``); ``like`` has symbolic sizes: -> (n, m), or (n, n) without m."""

    name = "eye"
    family = "shape"
    functional = "torch.eye"
    main = "n"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    n: Annotated[Any, Extent()]
    m: Annotated[Any, Extent()] | None = None

    def sizes_made(self) -> tuple[Size, Size]:
        return self.n, self.n if self.m is None else self.m

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield from self.sizes_made()

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        for size in self.sizes_made():
            find(self.name, size, inputs)
        like = inputs[0]
        return (Tensor(self.sizes_made(), like.dtype if like is not None and "float" in like.dtype else "float32"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        n, m = (spell_size(self.name, size, arguments, inputs) for size in self.sizes_made())
        dtype = self.infer(*inputs)[0].dtype
        kept = "" if dtype == "float32" else f", dtype=torch.{dtype}"
        return f"torch.eye({n}{'' if self.m is None else f', {m}'}{kept}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        sizes = [size_vector(builder, self.name, size, inputs, tensors) for size in self.sizes_made()]
        rows, columns = (count_up(builder, size) for size in sizes)
        same = builder.op("Equal", builder.op("Unsqueeze", rows, builder.constant([1])), columns)
        return as_number(builder, same, self.infer(*tensors)[0].dtype)

    def detail(self) -> str:
        return times_shape(self.sizes_made())
