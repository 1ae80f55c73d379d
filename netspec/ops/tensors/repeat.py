"""Ops that repeat, shift and unroll the entries of a dimension."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Dim, Shape, Size, floor_div, pretty, product
from netspec.ops.core.arguments import INTEGER, Listed, OneOrSome, Positive, is_integer
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, axis_of, known
from netspec.ops.tensors.index import END
from netspec.ops.tensors.reshape import Rearrangement

COUNT = {**INTEGER, "minimum": 1}


class Roll(Rearrangement):
    """Shifts entries along dimensions; what leaves at the end comes in at the start (``torch.roll``): any shape.

    Without ``dims`` it shifts all elements, as if they were in one row.
    """

    name = "roll"
    functional = "torch.roll"
    main = "shifts"

    shifts: OneOrSome
    dims: OneOrSome | None = None

    def rolled(self, shape: Shape) -> Shape:
        """The shape in which dimensions are shifted."""
        return (product(shape),) if self.dims is None else shape

    def moves(self, shape: Shape) -> list[tuple[int, int]]:
        """The dimensions and by how much each is shifted."""
        dims = (0,) if self.dims is None else self.dims
        if len(self.shifts) != len(dims):
            text = f"roll takes a shift for each of {len(dims)} dims, but got {len(self.shifts)}"
            raise ShapeError(text, argument="shifts")
        return [(axis_of(dim, len(shape), "dims"), shift) for dim, shift in zip(dims, self.shifts)]

    def output_shape(self, *shapes: Shape) -> Shape:
        self.moves(self.rolled(shapes[0]))
        return shapes[0]

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        shape = self.rolled(inputs[0].shape)
        for axis, shift in self.moves(shape):
            size = shape[axis]
            if isinstance(size, Dim):
                yield Bound(size, f"roll by {shift} takes a size of at least {abs(shift)}", least=abs(shift))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"torch.roll({arguments[0]}, {self.shifts}{'' if self.dims is None else f', {self.dims}'})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, shape = inputs[0], self.rolled(tensors[0].shape)
        x = builder.op("Reshape", x, builder.constant([-1])) if self.dims is None else x
        for axis, shift in self.moves(shape):
            size = shape[axis]
            by = shift % size if isinstance(size, int) and size else shift
            if by:
                along = builder.constant([axis])
                end = builder.op("Slice", x, builder.constant([-by]), builder.constant([END]), along)
                start = builder.op("Slice", x, builder.constant([0]), builder.constant([-by]), along)
                x = builder.op("Concat", end, start, axis=axis)
        return builder.op("Reshape", x, builder.op("Shape", inputs[0])) if self.dims is None else x

    def detail(self) -> str:
        if self.dims is None:
            return f"by {self.shifts[0]}"
        return ", ".join(f"dim {dim} by {shift}" for dim, shift in zip(self.dims, self.shifts))


class Tile(Rearrangement):
    """Repeats the whole input along its last dimensions (``torch.tile``): (A, B) by [2, 1, 3] -> (2, A, 3·B)."""

    name = "tile"
    functional = "torch.tile"
    main = "dims"
    covers = ("Tensor.repeat",)
    onnx_nodes = ("Tile",)
    onnx_names = {"repeats": "dims"}

    dims: Annotated[Any, Listed("a list of positive integers", lambda value: is_integer(value) and value > 0, COUNT)]

    def repeats(self, shape: Shape) -> tuple[tuple[int, ...], Shape]:
        """Return the repetitions of each dimension and the sizes, 1 for a new one."""
        rank = max(len(shape), len(self.dims))
        return (1,) * (rank - len(self.dims)) + self.dims, (1,) * (rank - len(shape)) + shape

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(size * count for count, size in zip(*self.repeats(shapes[0])))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.tile({self.dims})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        counts, sizes = self.repeats(tensors[0].shape)
        added = len(sizes) - len(tensors[0].shape)
        x = builder.op("Unsqueeze", inputs[0], builder.constant(list(range(added)))) if added else inputs[0]
        return builder.op("Tile", x, builder.constant(list(counts)))

    def detail(self) -> str:
        return "×".join(map(str, self.dims))


class RepeatInterleave(Rearrangement):
    """Repeats each entry of a dimension, side by side (``torch.repeat_interleave``): (…, A, …) -> (…, n·A, …)."""

    name = "repeat_interleave"
    without = ("output_size",)
    functional = "torch.repeat_interleave"
    main = "repeats"

    repeats: Positive
    dim: int

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        return (*shapes[0][:axis], shapes[0][axis] * self.repeats, *shapes[0][axis + 1 :])

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        rank = len(tensors[0].shape)
        axis = axis_of(self.dim, rank)
        raised = builder.op("Unsqueeze", inputs[0], builder.constant([axis + 1]))
        counts = [1] * (axis + 1) + [self.repeats] + [1] * (rank - axis - 1)
        copies = builder.op("Tile", raised, builder.constant(counts))
        sizes = [builder.op("Shape", inputs[0], start=0, end=axis)] if axis else []
        sizes.append(builder.constant([-1]))
        sizes += [builder.op("Shape", inputs[0], start=axis + 1, end=rank)] if axis + 1 < rank else []
        return builder.op("Reshape", copies, builder.op("Concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0])

    def detail(self) -> str:
        return f"{self.repeats}, dim {self.dim}"


class Unbind(Rearrangement):
    """Cuts a dimension into its entries 0, 1, … (``torch.unbind``): (…, n, …) -> n of (…, …)."""

    name = "unbind"
    functional = "torch.unbind"
    main = "dim"
    keyword_main = True

    dim: int = 0

    def count(self, shape: Shape) -> int:
        return known(shape[axis_of(self.dim, len(shape))], "a dimension that is cut into its entries")

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return tuple(map(str, range(self.count(inputs[0].shape))))

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        return (Tensor((*shape[:axis], *shape[axis + 1 :]), inputs[0].dtype),) * self.count(shape)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.unbind({self.dim})"

    def statements(self, forward: ForwardCall) -> list[str]:
        parts = self.call(forward.present, forward.inputs)
        return [forward.assign(parts if len(forward.targets) > 1 else f"{parts}[0]")]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides))
        rest = (*strides[:axis], *strides[axis + 1 :])
        return tuple(OutputLayout(0, shortened(part.shape, rest)) for part in run.outputs)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis, count = axis_of(self.dim, len(tensors[0].shape)), self.count(tensors[0].shape)
        return tuple(builder.op("Gather", inputs[0], builder.constant(at), axis=axis) for at in range(count))

    def detail(self) -> str:
        return f"dim {self.dim}"


class SlidingWindows(Rearrangement):
    """All windows of a dimension, in a new last one (``Tensor.unfold``): (…, A, …) -> (…, windows, …, size)."""

    name = "sliding_windows"
    aten = ("unfold",)
    covers = ("Tensor.unfold",)
    main = "size"

    dimension: int
    size: Positive
    step: Positive = 1

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dimension, len(shapes[0]), "dimension")
        count = floor_div(shapes[0][axis] - self.size, self.step) + 1
        return (*shapes[0][:axis], count, *shapes[0][axis + 1 :], self.size)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        size: Size = inputs[0].shape[axis_of(self.dimension, len(inputs[0].shape), "dimension")]
        reason = f"windows of {self.size} take a size of at least {self.size}, not {pretty(size)}"
        yield Bound(size, reason, least=self.size, argument="size")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.unfold({self.dimension}, {self.size}, {self.step})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dimension, len(strides))
        steps = (*strides[:axis], strides[axis] * self.step, *strides[axis + 1 :], strides[axis])
        return (OutputLayout(0, shortened(run.outputs[0].shape, steps)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        rank = len(tensors[0].shape)
        axis = axis_of(self.dimension, rank)
        size = builder.op("Squeeze", builder.op("Shape", inputs[0], start=axis, end=axis + 1), builder.constant([0]))
        end = builder.op("Sub", size, builder.constant(self.size - 1))
        starts = builder.op("Range", builder.constant(0), end, builder.constant(self.step))
        column = builder.op("Unsqueeze", starts, builder.constant([1]))
        places = builder.op("Add", column, builder.constant(list(range(self.size))))
        made = builder.op("Gather", inputs[0], places, axis=axis)
        return builder.op("Transpose", made, perm=[*range(axis + 1), *range(axis + 2, rank + 1), axis + 1])

    def detail(self) -> str:
        return f"{self.size}, dim {self.dimension}" + (f", /{self.step}" if self.step > 1 else "")


class Meshgrid(Rearrangement):
    """The coordinates of all points of a grid (``torch.meshgrid``), outputs 0, 1, …: (A), (B) -> two of (A, B).

    ``indexing: xy`` exchanges the first two dimensions of the outputs.
    """

    name = "meshgrid"
    functional = "torch.meshgrid"
    variadic = True
    main = "indexing"
    keyword_main = True

    indexing: Literal["ij", "xy"] = "ij"

    def axes(self, count: int) -> list[int]:
        """The dimension of the outputs along which each input goes."""
        order = list(range(count))
        return [1, 0, *order[2:]] if self.indexing == "xy" and count > 1 else order

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return tuple(map(str, range(len(inputs))))

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for tensor in inputs:
            if len(tensor.shape) != 1 or tensor.dtype != inputs[0].dtype:
                raise ShapeError("meshgrid takes vectors of one dtype")
        axes = self.axes(len(inputs))
        shape = tuple(inputs[axes.index(axis)].shape[0] for axis in range(len(inputs)))
        return (Tensor(shape, inputs[0].dtype),) * len(inputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f'torch.meshgrid({", ".join(arguments)}, indexing="{self.indexing}")'

    def statements(self, forward: ForwardCall) -> list[str]:
        grids = self.call(forward.present, forward.inputs)
        return [forward.assign(grids if len(forward.targets) > 1 else f"{grids}[0]")]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        axes, made = self.axes(len(run.inputs)), []
        for at, (tensor, strides) in enumerate(zip(run.inputs, run.strides)):
            (step,) = strides_of(tensor.shape, strides)
            steps = tuple(step if axis == axes[at] else 0 for axis in range(len(axes)))
            made.append(OutputLayout(at, shortened(run.outputs[at].shape, steps)))
        return tuple(made)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axes = self.axes(len(inputs))
        sizes = [builder.op("Shape", inputs[axes.index(axis)]) for axis in range(len(inputs))]
        shape = builder.op("Concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0]
        made = []
        for x, own in zip(inputs, axes):
            others = [axis for axis in range(len(inputs)) if axis != own]
            raised = builder.op("Unsqueeze", x, builder.constant(others)) if others else x
            made.append(builder.op("Expand", raised, shape))
        return tuple(made)
