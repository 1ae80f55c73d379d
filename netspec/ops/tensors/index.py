"""Ops that pick parts of a tensor: by number, by range, by an index tensor; and the index itself one-hot."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from netspec.dims import Dim, Shape, Size, ceil_div, floor_div, pretty, pretty_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import INTEGER, Argument, Integers, Positive, is_integer
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, axis_of, known
from netspec.ops.tensors.reshape import Rearrangement

END = 2**63 - 1
"""ONNX's word for the end of a dimension, however long."""


class Embedding(Op):
    """A learned row for each integer (``torch.nn.Embedding``): (…) of int64 -> (…, embedding_dim)."""

    name = "embedding"
    family = "sequence"
    torch = "nn.Embedding"
    main = "embedding_dim"
    without = ("max_norm", "norm_type", "scale_grad_by_freq", "sparse")
    any_dtype = True
    batched_over_leading_dims = True
    saved_for_backward = "input"

    num_embeddings: Positive
    embedding_dim: Positive
    padding_idx: int | None = None

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_integers(self.name, inputs[0])
        if self.padding_idx is not None and not -self.num_embeddings <= self.padding_idx < self.num_embeddings:
            text = f"padding_idx {self.padding_idx} is not one of the {self.num_embeddings} rows"
            raise ShapeError(text, argument="padding_idx")
        return (Tensor((*inputs[0].shape, self.embedding_dim)),)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        return InputRange(below=self.num_embeddings)

    def module(self, *inputs: Tensor) -> Constructor:
        sizes = {"num_embeddings": self.num_embeddings, "embedding_dim": self.embedding_dim}
        keywords = {} if self.padding_idx is None else {"padding_idx": self.padding_idx}
        return Constructor(self.torch, sizes, keywords)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Gather", builder.parameter("weight"), inputs[0])

    def detail(self) -> str:
        return f"{self.num_embeddings} × {self.embedding_dim}"


class OneHot(Op):
    """1 at the place that each integer names, else 0 (``F.one_hot``): (…) of int64 -> (…, num_classes)."""

    name = "one_hot"
    family = "shape"
    functional = "F.one_hot"
    main = "num_classes"
    any_dtype = True
    saved_for_backward = "nothing"

    num_classes: Positive

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_integers(self.name, inputs[0], "int64")
        return (Tensor((*inputs[0].shape, self.num_classes), "int64"),)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        return InputRange(below=self.num_classes)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("OneHot", inputs[0], builder.constant(self.num_classes), builder.constant([0, 1]))


class Gather(Rearrangement):
    """Elements along ``dim`` by their numbers (``torch.gather``): input (…, A, …), index (…, B, …) -> (…, B, …)."""

    name = "gather"
    functional = "torch.gather"
    main = "dim"
    ports = ("input", "index")
    saved_for_backward = "input"

    dim: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        source, index = inputs
        need_integers(self.name, index, "int64")
        axis_of(self.dim, len(source.shape))
        found = f"{pretty_shape(source.shape)} and {pretty_shape(index.shape)}"
        if len(source.shape) != len(index.shape):
            raise ShapeError(f"gather takes inputs with the same number of dimensions, but got {found}")
        return (Tensor(index.shape, source.dtype),)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        source, index = (tensor.shape for tensor in inputs)
        axis = axis_of(self.dim, len(source))
        for place, (have, want) in enumerate(zip(source, index)):
            if place != axis:
                yield Bound(want, f"gather takes an index of at most {pretty(have)} in dim {place}", most=have)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        return InputRange(below=size) if port == "index" else None

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.gather({self.dim}, {arguments[1]})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        for place, (have, want) in enumerate(zip(tensors[0].shape, tensors[1].shape)):
            if place != axis and have != want:  # ONNX holds them equal there
                axes = [builder.constant([place])]
                stop = builder.op("Shape", inputs[1], start=place, end=place + 1)
                inputs = (builder.op("Slice", inputs[0], builder.constant([0]), stop, *axes), inputs[1])
        return builder.op("GatherElements", *inputs, axis=axis)

    def detail(self) -> str:
        return f"dim {self.dim}"


class Select(Rearrangement):
    """One entry of a dimension, by its number (``torch.select``): (…, A, …) -> (…, …)."""

    name = "select"
    main = "index"

    dim: int
    index: int

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        return (*shapes[0][:axis], *shapes[0][axis + 1 :])

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        least = self.index + 1 if self.index >= 0 else -self.index
        reason = f"select takes a dimension of at least {least} for its entry {self.index}"
        yield Bound(inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))], reason, least=least, argument="index")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        axis = axis_of(self.dim, len(inputs[0].shape))
        return f"{arguments[0]}[{':, ' * axis}{self.index}]"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides))
        return (OutputLayout(0, shortened(run.outputs[0].shape, (*strides[:axis], *strides[axis + 1 :]))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        return builder.op("Gather", inputs[0], builder.constant(self.index), axis=axis)

    def detail(self) -> str:
        return f"dim {self.dim}, {self.index}"


class Slice(Rearrangement):
    """A range of a dimension, as Python's ``x[start:end:step]``: (…, A, …) -> (…, B, …)."""

    name = "slice"

    dim: int
    start: int | None = None
    end: int | None = None
    step: Positive = 1

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        size = shapes[0][axis]
        made = len(range(size)[self.range()]) if isinstance(size, int) else self.of_symbolic(size)
        return (*shapes[0][:axis], made, *shapes[0][axis + 1 :])

    def range(self) -> slice:
        return slice(self.start, self.end, self.step)

    def of_symbolic(self, size: Dim) -> Size:
        """Return how much a range takes of a symbolic size, which is taken to hold what is named."""
        start, end = self.start or 0, self.end
        if start < -1 or (end is not None and end >= 0):
            text = f"how much {self.spelled()} takes of a dimension of {pretty(size)} depends on it"
            raise ShapeError(text, help="count the start from the front and the end from the back")
        if start == -1:
            if end is not None:
                raise ShapeError(f"{self.spelled()} selects nothing", argument="start")
            return 1
        return ceil_div(size + (end or 0) - start, self.step)

    def spelled(self) -> str:
        start, end = ("" if bound is None else str(bound) for bound in (self.start, self.end))
        return f"{start}:{end}" + (f":{self.step}" if self.step > 1 else "")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        axis = axis_of(self.dim, len(inputs[0].shape))
        return f"{arguments[0]}[{':, ' * axis}{self.spelled()}]"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides))
        steps = (*strides[:axis], strides[axis] * self.step, *strides[axis + 1 :])
        return (OutputLayout(0, shortened(run.outputs[0].shape, steps)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        end = END if self.end is None else self.end
        bounds = ([self.start or 0], [end], [axis], [self.step])
        return builder.op("Slice", inputs[0], *map(builder.constant, bounds))

    def detail(self) -> str:
        return f"dim {self.dim}, {self.spelled()}"


class Flip(Rearrangement):
    """Turns dimensions round (``torch.flip``): any shape."""

    name = "flip"
    functional = "torch.flip"
    main = "dims"
    elementwise = True

    dims: Integers

    def axes(self, rank: int) -> list[int]:
        """The dimensions that are turned round, counted from 0."""
        axes = [axis_of(dim, rank, "dims") for dim in self.dims]
        if len(set(axes)) < len(axes):
            raise ShapeError(f"dims {list(self.dims)} name a dimension twice", argument="dims")
        return axes

    def output_shape(self, *shapes: Shape) -> Shape:
        self.axes(len(shapes[0]))
        return shapes[0]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axes = self.axes(len(tensors[0].shape))
        bounds = ([value] * len(axes) for value in (-1, -END - 1))
        steps = builder.constant([-1] * len(axes))
        return builder.op("Slice", inputs[0], *map(builder.constant, bounds), builder.constant(axes), steps)

    def detail(self) -> str:
        return "dim " + " ".join(map(str, self.dims))


class Sections(Argument):
    """The size of every part, or a list of the parts' sizes (kept as a tuple)."""

    def read(self, value: Any) -> Any:
        if is_integer(value) and value > 0:
            return value
        if isinstance(value, (list, tuple)) and value and all(is_integer(item) and item > 0 for item in value):
            return tuple(value)
        raise ValueError("an integer of at least 1, or a list of them")

    def json_schema(self) -> dict[str, Any]:
        one = {**INTEGER, "minimum": 1}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


class Partition(Rearrangement):
    """Base of the ops that cut a dimension into parts; the outputs are called ``0``, ``1``, …"""

    dim: int = 0

    def parts(self, size: Size) -> tuple[Size, ...]:
        """The sizes of the parts of a dimension."""
        raise AssertionError("each kind of cut says what it makes")

    def sizes_of(self, tensor: Tensor) -> tuple[Size, ...]:
        return self.parts(tensor.shape[axis_of(self.dim, len(tensor.shape))])

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        return tuple(str(number) for number in range(len(self.sizes_of(inputs[0]))))

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        sizes = self.sizes_of(inputs[0])
        return tuple(Tensor((*shape[:axis], size, *shape[axis + 1 :]), inputs[0].dtype) for size in sizes)

    def statements(self, forward: ForwardCall) -> list[str]:
        parts = self.call(forward.present, forward.inputs)
        return [forward.assign(parts if len(forward.targets) > 1 else f"{parts}[0]")]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        return tuple(OutputLayout(0, shortened(part.shape, strides)) for part in run.outputs)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis, sizes = axis_of(self.dim, len(tensors[0].shape)), self.sizes_of(tensors[0])
        count = len(sizes)
        if any(isinstance(size, Dim) for size in sizes):
            result = builder.op("Split", inputs[0], outputs=count, axis=axis, num_outputs=count)
        else:
            result = builder.op("Split", inputs[0], builder.constant(list(sizes)), outputs=count, axis=axis)
        return result if count > 1 else (result,)


class Split(Partition):
    """Cuts a dimension into parts of the sizes given (``torch.split``): (…, A + B, …) -> (…, A, …) and (…, B, …)."""

    name = "split"
    main = "split_size_or_sections"

    split_size_or_sections: Annotated[Any, Sections()]

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        if isinstance(self.split_size_or_sections, tuple):
            total = sum(self.split_size_or_sections)
            yield (
                inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))],
                total,
                f"split makes {total} of dim {self.dim}",
            )

    def parts(self, size: Size) -> tuple[Size, ...]:
        sections = self.split_size_or_sections
        if isinstance(sections, tuple):
            if differ(size, sum(sections)):
                text = f"the parts {list(sections)} do not add up to {pretty(size)}"
                raise ShapeError(text, argument="split_size_or_sections")
            return sections
        whole = known(size, "a dimension that is split into parts of equal size")
        return tuple(min(sections, whole - at) for at in range(0, whole, sections))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.split({self.split_size_or_sections}, dim={self.dim})"


class Chunk(Partition):
    """Cuts a dimension into a number of equal parts (``torch.chunk``): (…, n·A, …) -> n times (…, A, …)."""

    name = "chunk"
    main = "chunks"

    chunks: Positive

    def parts(self, size: Size) -> tuple[Size, ...]:
        part = floor_div(size, self.chunks)
        if part * self.chunks == size:
            return (part,) * self.chunks
        whole = known(size, f"a dimension that is cut into {self.chunks} parts")
        most = -(-whole // self.chunks)
        return tuple(min(most, whole - at) for at in range(0, whole, most))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.chunk({self.chunks}, dim={self.dim})"


def need_integers(name: str, tensor: Tensor, *dtypes: str) -> None:
    """Guard: the tensor holds integers, of these dtypes."""
    if tensor.dtype not in (dtypes or ("int64", "int32")):
        raise ShapeError(f"{name} takes integers (int64), but its input is {tensor.dtype}")
