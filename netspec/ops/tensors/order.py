"""Ops that put elements in order, or find places in what is ordered."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from netspec.dims import Size, pretty_shape
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, like
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, axis_of


class Ordering(Op):
    """Base of what picks elements along a dimension by their order, and says where they were."""

    family = "shape"
    outputs: ClassVar[tuple[str, ...]] = ("values", "indices")
    any_dtype = True
    torch_lacks = ("bool",)
    covers: ClassVar[tuple[str, ...]] = ()

    dim: int = -1

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        dtype = super().infer(*inputs)[0].dtype
        shape = inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        made = (*shape[:axis], *self.picked(shape[axis]), *shape[axis + 1 :])
        return Tensor(made, dtype), Tensor(made, "int64")

    def picked(self, size: Size) -> tuple[Size, ...]:
        """Return the sizes that the dimension becomes."""
        return (size,)

    def saved(self, run: OpRun) -> Saved:
        return Saved(outputs=(1,))

    def ordered(
        self, builder: OnnxBuilder, x: Any, tensor: Tensor, count: Any = None, largest: bool = False
    ) -> tuple[Any, Any]:
        """The first ``count`` (default: all) in order, in ONNX; of equal ones, the first comes first."""
        axis = axis_of(self.dim, len(tensor.shape))
        count = builder.op("Shape", x, start=axis, end=axis + 1) if count is None else count
        values, indices = builder.op("TopK", x, count, outputs=2, axis=axis, largest=int(largest), sorted=1)
        return values, indices

    def detail(self) -> str:
        return f"dim {self.dim}"


class TopK(Ordering):
    """The k largest along a dimension, or least, in order (``torch.topk``): (…, A, …) -> values, indices (…, k, …)."""

    name = "topk"
    onnx_lacks = ("bfloat16",)
    onnx_nodes = ("TopK",)
    functional = "torch.topk"
    main = "k"
    without = ("sorted",)

    k: Positive
    largest: bool = True

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Return the reading in order, where that is left open."""
        return super().from_aten(call.without("sorted"))

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        count, given = call.arguments.get("K", call.arguments.get("k")), call.arguments
        if not isinstance(count, (int, list)):
            return None
        arguments = {"k": count if isinstance(count, int) else count[0], "largest": bool(given.get("largest", 1))}
        return OpReading({**arguments, "dim": given.get("axis", -1)}, (call.tensor("X"),), {}, call.outputs)

    def picked(self, size: Size) -> tuple[Size, ...]:
        return (self.k,)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        yield Bound(size, f"topk takes a dimension of at least {self.k}", least=self.k, argument="k")

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.ordered(builder, inputs[0], tensors[0], builder.constant([self.k]), self.largest)

    def detail(self) -> str:
        return f"{self.k}, dim {self.dim}"


class Sorting(Ordering):
    """Base of what orders all elements; the results lie in memory as the input does."""

    main = "dim"
    keyword_main = True
    descending: bool = False
    stable: bool = False

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        made = OutputLayout(None, like(run.outputs[0].shape, [(run.inputs[0].shape, run.strides[0])]))
        return (made,) * len(run.outputs)


class Sort(Sorting):
    """The elements along a dimension in order, and where they were (``torch.sort``): any shape."""

    name = "sort"
    onnx_lacks = ("bfloat16",)
    functional = "torch.sort"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.ordered(builder, inputs[0], tensors[0], largest=self.descending)


class ArgSort(Sorting):
    """The places of the elements along a dimension, in order (``torch.argsort``): any shape, int64."""

    name = "argsort"
    onnx_lacks = ("bfloat16",)
    functional = "torch.argsort"
    outputs = ("output",)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return super().infer(*inputs)[1:]

    def saved(self, run: OpRun) -> Saved:
        return Saved(outputs=(0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.ordered(builder, inputs[0], tensors[0], largest=self.descending)[1]


class Ranked(Ordering):
    """Base of what picks one element by its rank."""

    keepdim: bool = False

    def picked(self, size: Size) -> tuple[Size, ...]:
        return (1,) if self.keepdim else ()

    def at(self, builder: OnnxBuilder, ordered: tuple[Any, Any], place: Any, tensor: Tensor) -> tuple[Any, ...]:
        """The values and indices at a place, a vector of one number."""
        axis = axis_of(self.dim, len(tensor.shape))
        found = [builder.op("Gather", each, place, axis=axis) for each in ordered]
        return tuple(each if self.keepdim else builder.op("Squeeze", each, builder.constant([axis])) for each in found)


class KthValue(Ranked):
    """The k-th least along a dimension, and its index (``torch.kthvalue``): (…, A, …) -> (…, …)."""

    name = "kthvalue"
    onnx_lacks = ("bfloat16",)
    functional = "torch.kthvalue"
    main = "k"

    k: Positive

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        size = inputs[0].shape[axis_of(self.dim, len(inputs[0].shape))]
        yield Bound(size, f"kthvalue takes a dimension of at least {self.k}", least=self.k, argument="k")

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        found = self.ordered(builder, inputs[0], tensors[0], builder.constant([self.k]))
        return self.at(builder, found, builder.constant([self.k - 1]), tensors[0])

    def detail(self) -> str:
        return f"{self.k}, dim {self.dim}"


class Median(Ranked):
    """The median along a dimension, the lower one of two, and its index (``torch.median``): (…, A, …) -> (…, …)."""

    name = "median"
    onnx_lacks = ("bfloat16",)
    functional = "torch.median"
    main = "dim"
    keyword_main = True

    dim: int

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.median(dim={self.dim}{', keepdim=True' if self.keepdim else ''})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        size = builder.op("Shape", inputs[0], start=axis, end=axis + 1)
        half = builder.op("Div", builder.op("Add", size, builder.constant([1])), builder.constant([2]))
        found = self.ordered(builder, inputs[0], tensors[0], half)
        return self.at(builder, found, builder.op("Sub", half, builder.constant([1])), tensors[0])


class SearchSorted(Op):
    """The number of elements of a sorted sequence below each number (``torch.searchsorted``): (A), (…) -> (…), int64.

    Or (…, A), (…, B) -> (…, B), a sequence for each row. ``right`` counts those that are equal, too.
    """

    name = "searchsorted"
    family = "shape"
    functional = "torch.searchsorted"
    aten = ("bucketize",)
    ports = ("sorted_sequence", "input")
    any_dtype = True
    torch_lacks = ("bool",)
    saved_for_backward = "nothing"

    right: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, known = call.tensor("self"), {*call.arguments} <= {"self", "sorted_sequence", "boundaries", "right"}
        edges = call.tensor("sorted_sequence") or call.tensor("boundaries")
        if x is None or edges is None or not known:
            return None
        return OpReading({"right": bool(call.arguments.get("right"))}, (edges, x), {}, call.outputs)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        sequence, x = (tensor.shape for tensor in inputs)
        for left, right in zip(sequence[:-1], x[:-1]):
            yield left, right, "searchsorted takes a sequence for each row of the input"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        super().infer(*inputs)
        sequence, x = (tensor.shape for tensor in inputs)
        fits = len(sequence) == 1 or (len(sequence) == len(x) and not any(map(differ, sequence[:-1], x[:-1])))
        if not sequence or not fits:
            found = f"{pretty_shape(sequence)} and {pretty_shape(x)}"
            raise ShapeError(f"searchsorted takes one sequence, or one for each row of the input, but got {found}")
        return (Tensor(x, "int64"),)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        return InputRange(ordered=True) if port == "sorted_sequence" else None

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        sequence, x = inputs
        if len(tensors[0].shape) > 1:
            sequence = builder.op("Unsqueeze", sequence, builder.constant([-2]))
        x = builder.op("Unsqueeze", x, builder.constant([-1]))
        below = builder.op("LessOrEqual" if self.right else "Less", sequence, x)
        return builder.op("ReduceSum", builder.cast(below, "int64"), builder.constant([-1]), keepdims=0)
