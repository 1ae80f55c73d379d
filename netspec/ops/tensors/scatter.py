"""Ops that pick elements by tensors of places, and that put elements there."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Shape, Size, pretty, pretty_shape, product
from netspec.ops.core.agreement import broadcast, one_dtype, repeated
from netspec.ops.core.arguments import Number, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import viewed
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, axis_of, need_integers
from netspec.ops.math.compare import guard_number, need_bool
from netspec.ops.tensors.reshape import Rearrangement


class Take(Rearrangement):
    """Entries of a dimension by an index of any shape (``x[:, index]``): (…, A, …), index (*I) -> (…, *I, …).

    Without ``dim``, elements of the flattened input (``torch.take``): index (*I) -> (*I).
    """

    name = "take"
    covers = ("Tensor.take", "Tensor.index_select")
    main = "dim"
    ports = ("input", "index")
    onnx_nodes = ("Gather",)

    dim: int | None = None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        tensors = call.tensor("data"), call.tensor("indices")
        return OpReading({"dim": call.arguments.get("axis", 0)}, tensors, {}, call.outputs)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        source, index = inputs
        need_integers(self.name, index, "int64")
        if self.dim is None:
            return (Tensor(index.shape, source.dtype),)
        axis = axis_of(self.dim, len(source.shape))
        return (Tensor((*source.shape[:axis], *index.shape, *source.shape[axis + 1 :]), source.dtype),)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        if port != "index":
            return None
        shape = inputs[0].shape
        return InputRange(below=product(shape) if self.dim is None else shape[axis_of(self.dim, len(shape))])

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        x, index = arguments
        if self.dim is None:
            return f"torch.take({x}, {index})"
        rank = len(inputs[1].shape)
        if rank == 1:
            return f"{x}.index_select({self.dim}, {index})"
        taken = f"{x}.index_select({self.dim}, {index}.flatten())"
        return f"{taken}.unflatten({self.dim}, {index}.shape)" if rank else f"{taken}.squeeze({self.dim})"

    def saved(self, run: OpRun) -> Saved:
        if self.dim is None:
            return Saved((0, 1))
        index, count = run.inputs[1], product(run.inputs[1].shape)
        if viewed(index.shape, run.strides[1], (count,)) is not None:
            return Saved((1,))
        return Saved(made=(Tensor((count,), "int64"),))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if self.dim is None:
            return builder.op("Gather", builder.op("Reshape", inputs[0], builder.constant([-1])), inputs[1])
        return builder.op("Gather", *inputs, axis=axis_of(self.dim, len(tensors[0].shape)))

    def detail(self) -> str:
        return "" if self.dim is None else f"dim {self.dim}"


REDUCTIONS = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
"""ONNX's words for torch's reductions."""


class Scatter(Rearrangement):
    """The input, with elements of src put along ``dim`` where index says (``torch.scatter``): any shape, kept.

    ``reduce`` adds them to what is there, multiplies, or keeps the largest or least. ``value`` is one number in place
    of src. index has the sizes of src; but for ``dim``, they are the input's or smaller.
    """

    name = "scatter"
    covers = ("Tensor.scatter", "Tensor.scatter_add", "Tensor.scatter_reduce")
    without = ("include_self",)
    main = "dim"
    ports = ("input", "index", "src")
    optional = ("src",)

    dim: int
    value: Annotated[Any, Number(optional=True)] = None
    reduce: Literal["sum", "prod", "amax", "amin"] | None = None

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        return 18 if self.reduce in ("amax", "amin") else 16 if self.reduce else 0

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x, index, src = inputs
        assert x is not None
        assert index is not None
        need_integers(self.name, index, "int64")
        axis_of(self.dim, len(x.shape))
        if (src is None) == (self.value is None):
            raise ShapeError("scatter takes `src` or a number `value`: give one of the two")
        if src is None and self.reduce is not None:
            raise ShapeError("scatter reduces elements of `src` alone", argument="reduce")
        if src is None:
            guard_number(self.name, self.value, x.dtype)
        given = [tensor for tensor in (x, src) if tensor is not None]
        one_dtype(self.name, given)
        if any(len(tensor.shape) != len(index.shape) for tensor in given):
            found = " and ".join(pretty_shape(tensor.shape) for tensor in inputs if tensor is not None)
            raise ShapeError(f"scatter takes inputs with the same number of dimensions, but got {found}")
        return (x,)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        _, index, src = inputs
        assert index is not None
        for left, right in zip(index.shape, src.shape if src is not None else ()):
            yield left, right, "scatter takes an element of src for each of index"

    def bounds(self, *inputs: Tensor | None) -> Iterable[Bound]:
        x, index, _ = inputs
        assert x is not None
        assert index is not None
        axis = axis_of(self.dim, len(x.shape))
        for place, (size, have) in enumerate(zip(index.shape, x.shape)):
            if place != axis:
                yield Bound(size, f"scatter takes an index of at most {pretty(have)} in dim {place}", most=have)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        return InputRange(below=size) if port == "index" else None

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        x, index, *src = arguments
        what = src[0] if src else spell_number(self.value)
        if self.reduce in (None, "sum"):
            return f"{x}.scatter{'_add' if self.reduce else ''}({self.dim}, {index}, {what})"
        return f'{x}.scatter_reduce({self.dim}, {index}, {what}, "{self.reduce}")'

    def saved(self, run: OpRun) -> Saved:
        if self.reduce == "sum":
            return Saved((1,) if run.needs[2] else ())
        return Saved((1,)) if self.reduce is None else Saved((0, 1, 2), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, index, src = inputs
        if src is None:
            number = builder.constant(float(self.value), tensors[0].dtype)
            src = builder.op("Expand", number, builder.op("Shape", index))
        axis = axis_of(self.dim, len(tensors[0].shape))
        how = "none" if self.reduce is None else REDUCTIONS[self.reduce]
        return builder.op("ScatterElements", x, index, src, axis=axis, reduction=how)

    def detail(self) -> str:
        return f"dim {self.dim}" + (f", {self.reduce}" if self.reduce else "")


class MaskedScatter(Rearrangement):
    """The input, but source's elements, in turn, where the mask is true (``torch.masked_scatter``): any shape, kept."""

    name = "masked_scatter"
    functional = "torch.masked_scatter"
    ports = ("input", "mask", "source")

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs[:2]])

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x, mask, source = inputs
        need_bool(self.name, mask, "mask")
        one_dtype(self.name, (x, source))
        return (Tensor(broadcast(self.name, x.shape, mask.shape), x.dtype),)

    def saved(self, run: OpRun) -> Saved:
        return Saved((1,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, mask, source = inputs
        shape: Shape = self.infer(*tensors)[0].shape
        if tensors[1].shape != shape:
            mask = builder.op("Expand", mask, builder.op("Shape", x))
        flat = builder.constant([-1])
        counted = builder.op("CumSum", builder.cast(builder.op("Reshape", mask, flat), "int64"), builder.constant(0))
        before = builder.op("Max", builder.op("Sub", counted, builder.constant(1)), builder.constant(0))
        picked = builder.op("Gather", builder.op("Reshape", source, flat), before)
        return builder.op("Where", mask, builder.op("Reshape", picked, builder.op("Shape", mask)), x)
