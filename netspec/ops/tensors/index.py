"""Ops that pick parts of a tensor: by number, by range, by an index tensor."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from netspec.dims import Dim, Shape, Size, ceil_div, pretty, pretty_shape
from netspec.ops.core.arguments import Extent, Integers, Positive
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_vector, spell_size
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, axis_of, need_integers
from netspec.ops.tensors.reshape import Rearrangement

END = 2**63 - 1
"""ONNX's word for the end of a dimension, however long."""


class Gather(Rearrangement):
    """Elements along ``dim`` by their numbers (``torch.gather``): input (…, A, …), index (…, B, …) -> (…, B, …)."""

    name = "gather"
    without = ("sparse_grad",)
    functional = "torch.gather"
    main = "dim"
    ports = ("input", "index")
    saved_for_backward = "input"
    onnx_nodes = ("GatherElements",)

    dim: int

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        tensors = call.tensor("data"), call.tensor("indices")
        return OpReading({"dim": call.arguments.get("axis", 0)}, tensors, {}, call.outputs)

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
    aten_defaults = MappingProxyType({"dim": 0})
    onnx_nodes = ("Gather",)

    dim: int
    index: int

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        place = call.tensor("indices")
        if place is None or place.constant is None or place.shape:
            return None
        arguments = {"dim": call.arguments.get("axis", 0), "index": int(place.constant)}
        return OpReading(arguments, (call.tensor("data"),), {}, call.outputs)

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
    """A range of a dimension, as Python's ``x[start:end:step]``: (…, A, …) -> (…, B, …).

    A fixed piece of a dimension of symbolic size must lie within it; of a known size, a range takes what there is.
    """

    name = "slice"
    aten_defaults = MappingProxyType({"dim": 0})
    onnx_nodes = ("Slice",)

    dim: int
    start: Annotated[Any, Extent(None, optional=True)] = None
    end: Annotated[Any, Extent(None, optional=True)] = None
    step: Positive = 1

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, reading = call.tensor("self"), super().from_aten(call)
        if x is None or reading is None:
            return None
        start, end, size = call.arguments.get("start"), call.arguments.get("end"), x.shape[reading.arguments["dim"]]
        return reading.saying(start=None if start == 0 else start, end=None if end in (END, size) else end)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, given = call.tensor("data"), call.arguments
        parts = [
            given.get(name, default) for name, default in (("starts", 0), ("ends", 0), ("axes", [0]), ("steps", [1]))
        ]
        if x is None or any(not isinstance(part, list) or len(part) != 1 for part in parts):
            return None
        (start,), (end,), (axis,), (step,) = parts
        size = x.shape[axis]
        open_end = end == size or (isinstance(end, int) and end >= (size if isinstance(size, int) else END // 2**32))
        arguments = {"dim": axis, "start": start or None, "end": None if open_end else end, "step": step}
        return OpReading(arguments, (x,), {}, call.outputs)

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        yield from (bound for bound in (self.start, self.end) if isinstance(bound, Dim))

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, len(shapes[0]))
        for bound in self.sizes_read():
            find("slice", bound, [Tensor(shape) for shape in shapes])
        start, end = self.ends(shapes[0][axis])
        made = ceil_div(end - start, self.step)
        made = max(made, 0) if isinstance(made, int) else made
        return (*shapes[0][:axis], made, *shapes[0][axis + 1 :])

    def ends(self, size: Size) -> tuple[Size, Size]:
        """Return the first place of a dimension that is taken, and the one behind the last; from its front."""
        if isinstance(size, int) and not any(True for _ in self.sizes_read()):
            start, end, _ = slice(self.start, self.end).indices(size)
            return start, end
        return from_front(self.start or 0, size), size if self.end is None else from_front(self.end, size)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        start, end = self.ends(size)
        for bound, place, name in ((self.start, start, "start"), (self.end, end, "end")):
            if bound is None:
                continue
            front = from_front(bound, 0) == bound
            least = place if front else -bound
            if isinstance(bound, Dim):
                sign = "at least 0" if front else "below 0"
                yield Bound(least, f"slice takes a {name} that is {sign} for {self.spelled()}", least=int(not front))
            reason = f"slice takes a dimension of at least {pretty(least)} for {self.spelled()}"
            yield Bound(size, reason, least=least, argument=name)

    def spelled(self) -> str:
        start, end = ("" if bound is None else pretty(bound) for bound in (self.start, self.end))
        return f"{start}:{end}" + (f":{self.step}" if self.step > 1 else "")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        every, skip = ":, " * axis, f":{self.step}" if self.step > 1 else ""
        length = self.fixed(shape[axis])
        if length is not None:  # unlike a range, it is refused where the dimension is too short
            piece = f"{arguments[0]}.narrow({axis}, {self.start or 0}, {length})"
            return f"{piece}[{every}:{skip}]" if skip else piece
        ends = (
            "" if bound is None else spell_size("slice", bound, arguments, inputs) for bound in (self.start, self.end)
        )
        return f"{arguments[0]}[{every}{':'.join(ends)}{skip}]"

    def fixed(self, size: Size) -> int | None:
        """Return how long a piece of a symbolic dimension is that is fixed at one of its ends; else ``None``."""
        start, end = self.ends(size)
        length = end - start
        open_ = isinstance(size, Dim) and not any(True for _ in self.sizes_read())
        return length if open_ and isinstance(length, int) else None

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        strides = strides_of(run.inputs[0].shape, run.strides[0])
        axis = axis_of(self.dim, len(strides))
        steps = (*strides[:axis], strides[axis] * self.step, *strides[axis + 1 :])
        return (OutputLayout(0, shortened(run.outputs[0].shape, steps)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        bounds = (self.start or 0, END if self.end is None else self.end)
        start, end = (size_vector(builder, "slice", bound, inputs, tensors) for bound in bounds)
        return builder.op("Slice", inputs[0], start, end, *map(builder.constant, ([axis], [self.step])))

    def detail(self) -> str:
        return f"dim {self.dim}, {self.spelled()}"


def from_front(place: Size, size: Size) -> Size:
    """Return a place of a dimension counted from its front, where a negative one counts from its end."""
    if isinstance(place, int):
        return place if place >= 0 else size + place
    return size + place if all(coefficient < 0 for coefficient in place.terms.values()) else place


class Flip(Rearrangement):
    """Turns dimensions round (``torch.flip``): any shape."""

    name = "flip"
    onnx_nodes = ("Flip",)
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
