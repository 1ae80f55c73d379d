"""Reductions: one number out of many, along dimensions. What merges several inputs has the plain name (``maximum``,
``mean``), what shrinks one starts with ``reduce`` (``reduce_max``, ``reduce_mean``)."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape
from netspec.ops.core.arguments import Axes
from netspec.ops.core.averages import mean_over
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of


class Reduction(Op):
    """Base of the reductions. ``method`` is the tensor's method; ``widens`` says that integers become int64,
    ``takes_one`` that it takes one dimension.
    """

    family = "arithmetic"
    main = "dim"
    method: ClassVar[str]
    onnx_type: ClassVar[str]
    widens: ClassVar[bool] = False
    takes_one: ClassVar[bool] = False

    dim: Annotated[Any, Axes()]
    keepdim: bool = False

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        return (getattr(cls, "method", cls.name), *cls.aten)

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        if reading is None:
            return None
        dim = reading.arguments.get("dim") or None
        if isinstance(dim, list) and len(dim) == 1:
            dim = dim[0]
        return reading._replace(arguments={**reading.arguments, "dim": dim if dim != [] else None})

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        given = call.arguments
        x = call.tensor("data")
        axes = given.get("axes", given.get("axis", 0) if cls.takes_one else None)
        if isinstance(axes, ForeignTensor) or x is None or given.get("select_last_index", 0):
            return None
        if not axes and axes != 0:  # none are all, unless they are said to be none
            axes = None
        dim = axes if axes is None or isinstance(axes, int) else axes[0] if len(axes) == 1 else tuple(axes)
        return OpReading({"dim": dim, "keepdim": bool(given.get("keepdims", 1))}, (x,), {}, call.outputs)

    def axes(self, rank: int) -> tuple[int, ...]:
        """The dimensions that are reduced, counted from 0."""
        given = range(rank) if self.dim is None else self.dim if isinstance(self.dim, tuple) else (self.dim,)
        made = tuple(axis_of(dim, rank) for dim in given)
        if len(set(made)) < len(made):
            raise ShapeError(f"dim {list(made)} names a dimension twice", argument="dim")
        return made

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        if output.dtype == "bool" and not self.widens:
            raise ShapeError(f"{self.name} takes numbers, but its input is bool")
        return (Tensor(output.shape, widened(output.dtype)) if self.widens else output,)

    def output_shape(self, *shapes: Shape) -> Shape:
        axes = self.axes(len(shapes[0]))
        if self.keepdim:
            return tuple(1 if axis in axes else size for axis, size in enumerate(shapes[0]))
        return tuple(size for axis, size in enumerate(shapes[0]) if axis not in axes)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{arguments[0]}.{self.method}({self.keywords(inputs)}{self.written()})"

    def keywords(self, inputs: Sequence[Tensor]) -> str:
        """The dimensions in PyTorch: ``dim=1, keepdim=True``."""
        dim = tuple(range(len(inputs[0].shape))) if self.dim is None else self.dim
        dim = dim[0] if isinstance(dim, tuple) and len(dim) == 1 else dim
        return f"dim={dim}{', keepdim=True' if self.keepdim else ''}"

    def written(self) -> str:
        """The other arguments in PyTorch."""
        return ""

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x = widen(builder, inputs[0], tensors[0].dtype) if self.widens else inputs[0]
        axes = builder.constant(list(self.axes(len(tensors[0].shape))))
        return builder.op(self.onnx_type, x, axes, keepdims=int(self.keepdim))

    def detail(self) -> str:
        return "all" if self.dim is None else f"dim {' '.join(map(str, self.axes_text()))}"

    def axes_text(self) -> tuple[int, ...]:
        return self.dim if isinstance(self.dim, tuple) else (self.dim,)


class ReduceSum(Reduction):
    """Sum along dimensions (``torch.sum``): (…, A, …) -> (…, …)."""

    name = "reduce_sum"
    covers = ("Tensor.sum",)
    method = "sum"
    any_dtype = True
    widens = True
    onnx_type = "ReduceSum"
    saved_for_backward = "nothing"
    autocast = "float32"


class ReduceMean(Reduction):
    """Mean along dimensions (``torch.mean``): (…, A, …) -> (…, …)."""

    name = "reduce_mean"
    onnx_exact = True
    onnx_nodes = ("ReduceMean",)
    covers = ("Tensor.mean",)
    method = "mean"
    saved_for_backward = "nothing"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return mean_over(builder, inputs[0], self.axes(len(tensors[0].shape)), self.keepdim)


class ReduceMax(Reduction):
    """Largest along dimensions (``torch.amax``): (…, A, …) -> (…, …)."""

    name = "reduce_max"
    covers = ("Tensor.amax",)
    method = "amax"
    aten = ("max",)
    any_dtype = True
    onnx_type = "ReduceMax"


class ReduceMin(Reduction):
    """Smallest along dimensions (``torch.amin``): (…, A, …) -> (…, …)."""

    name = "reduce_min"
    covers = ("Tensor.amin",)
    method = "amin"
    aten = ("min",)
    any_dtype = True
    onnx_type = "ReduceMin"


class ReduceProd(Reduction):
    """Product along one dimension (``torch.prod``): (…, A, …) -> (…, …)."""

    name = "reduce_prod"
    covers = ("Tensor.prod",)
    method = "prod"
    any_dtype = True
    widens = True
    onnx_type = "ReduceProd"
    autocast = "float32"

    dim: int


class Arg(Reduction):
    """Base of the ops that find an index."""

    saved_for_backward = "nothing"
    any_dtype = True
    takes_one = True

    dim: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        return (Tensor(output.shape, "int64"),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape))
        if tensors[0].dtype != "int64":
            return builder.op(self.onnx_type, inputs[0], axis=axis, keepdims=int(self.keepdim))
        largest = int(self.onnx_type == "ArgMax")  # onnxruntime finds it among int64 from 1.19 on, by TopK before
        _, found = builder.op("TopK", inputs[0], builder.constant([1]), outputs=2, axis=axis, largest=largest)
        return found if self.keepdim else builder.op("Squeeze", found, builder.constant([axis]))


class ArgMax(Arg):
    """Index of the largest along a dimension (``torch.argmax``): (…, A, …) -> (…, …), int64."""

    name = "argmax"
    method = "argmax"
    onnx_type = "ArgMax"


class ArgMin(Arg):
    """Index of the smallest along a dimension (``torch.argmin``): (…, A, …) -> (…, …), int64."""

    name = "argmin"
    method = "argmin"
    onnx_type = "ArgMin"


class CumSum(Op):
    """Sums of the first 1, 2, 3, … elements along a dimension (``torch.cumsum``): any shape."""

    name = "cumsum"
    family = "arithmetic"
    functional = "torch.cumsum"
    main = "dim"
    keyword_main = True
    any_dtype = True
    autocast = "float32"
    saved_for_backward = "nothing"
    onnx_nodes = ("CumSum",)
    onnx_names = {"axis": "dim"}

    dim: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (output,) = super().infer(*inputs)
        axis_of(self.dim, len(output.shape))
        return (Tensor(output.shape, widened(output.dtype)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("CumSum", widen(builder, inputs[0], tensors[0].dtype), builder.constant(self.dim))

    def detail(self) -> str:
        return f"dim {self.dim}"


def widened(dtype: str) -> str:
    """The dtype that torch adds up in: int64 for all integers and booleans."""
    return dtype if "float" in dtype else "int64"


def widen(builder: OnnxBuilder, x: Any, dtype: str) -> Any:
    """The value in the dtype that torch adds up in."""
    return x if widened(dtype) == dtype else builder.cast(x, widened(dtype))
