"""Reductions that say something about many numbers: variances, lengths, and whether any of them is true."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from netspec.dims import Size, product
from netspec.ops.core.arguments import Number, spell_number
from netspec.ops.core.averages import centred
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.tensors import Bound, Tensor
from netspec.ops.math.reduce import Reduction


class Spread(Reduction):
    """Base of variance and standard deviation."""

    without = ("unbiased",)
    onnx_exact = True

    correction: int = 1

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Torch's ``unbiased`` is a correction of 1, its absence one of 0."""
        if "unbiased" not in call.arguments:
            return super().from_aten(call)
        reading = super().from_aten(call.without("unbiased"))
        return reading and reading.saying(correction=int(call.arguments["unbiased"]))

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        count = product(inputs[0].shape[axis] for axis in self.axes(len(inputs[0].shape)))
        reason = f"{self.name} divides by the number of elements less {self.correction}"
        yield Bound(count, reason, least=self.correction + 1, argument="correction")

    def written(self) -> str:
        return f", correction={self.correction}" if self.correction != 1 else ""

    def variance(self, builder: OnnxBuilder, x: Any, tensor: Tensor) -> Any:
        """The mean square of the differences from the mean, times n / (n − correction)."""
        axes = self.axes(len(tensor.shape))
        apart = centred(builder, x, axes)
        squares = builder.op("Mul", apart, apart)
        total = builder.op("ReduceSum", squares, builder.constant(list(axes)), keepdims=int(self.keepdim))
        return builder.op("Div", total, self.divisor(builder, x, tensor, axes))

    def divisor(self, builder: OnnxBuilder, x: Any, tensor: Tensor, axes: Sequence[int]) -> Any:
        count: Size = product(tensor.shape[axis] for axis in axes)
        if isinstance(count, int):
            return builder.constant(float(count - self.correction), tensor.dtype)
        sizes = builder.op("Gather", builder.op("Shape", x), builder.constant(list(axes)))
        found = builder.op("ReduceProd", sizes, keepdims=0)
        return builder.cast(builder.op("Sub", found, builder.constant(self.correction)), tensor.dtype)


class Var(Spread):
    """Variance along dimensions (``torch.var``): (…, A, …) -> (…, …)."""

    name = "var"
    covers = ("Tensor.var",)
    method = "var"
    saved_for_backward = "input"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return self.variance(builder, inputs[0], tensors[0])


class Std(Spread):
    """Standard deviation along dimensions (``torch.std``): (…, A, …) -> (…, …)."""

    name = "std"
    covers = ("Tensor.std",)
    method = "std"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Sqrt", self.variance(builder, inputs[0], tensors[0]))


class LogSumExp(Reduction):
    """log Σ exp(x) along dimensions, without overflow on the way (``torch.logsumexp``): (…, A, …) -> (…, …)."""

    name = "logsumexp"
    covers = ("Tensor.logsumexp",)
    method = "logsumexp"
    onnx_type = "ReduceLogSumExp"
    autocast = "float32"


class Norm(Reduction):
    """Length of the vectors along dimensions, (Σ |x|ᵖ)^(1/p) (``torch.linalg.vector_norm``): (…, A, …) -> (…, …)."""

    name = "norm"
    covers = ("Tensor.norm",)
    aten = ("linalg_vector_norm",)
    aten_names = MappingProxyType({"ord": "p"})
    autocast = "float32"

    p: Annotated[Any, Number()] = 2.0

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        order = "" if self.p == 2 else f"{spell_number(self.p)}, "
        return f"torch.linalg.vector_norm({arguments[0]}, {order}{self.keywords(inputs)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return length(
            builder, inputs[0], float(self.p), self.axes(len(tensors[0].shape)), tensors[0].dtype, self.keepdim
        )

    def detail(self) -> str:
        return super().detail() + ("" if self.p == 2 else f", p {spell_number(self.p)}")


class TruthReduction(Reduction):
    """Base of the reductions of truth values; a number is true unless it is 0."""

    any_dtype = True
    saved_for_backward = "nothing"
    onnx_type: ClassVar[str]
    onnx_nodes = ()

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(self.output_shape(inputs[0].shape), "bool"),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        truth = builder.cast(builder.cast(inputs[0], "bool"), "int32")
        axes = builder.constant(list(self.axes(len(tensors[0].shape))))
        return builder.cast(builder.op(self.onnx_type, truth, axes, keepdims=int(self.keepdim)), "bool")


class AnyTrue(TruthReduction):
    """True where any along dimensions is (``torch.any``): (…, A, …) -> (…, …), bool."""

    name = "any"
    covers = ("Tensor.any",)
    method = "any"
    onnx_type = "ReduceMax"


class AllTrue(TruthReduction):
    """True where all along dimensions are (``torch.all``): (…, A, …) -> (…, …), bool."""

    name = "all"
    covers = ("Tensor.all",)
    method = "all"
    onnx_type = "ReduceMin"


class CountNonzero(Reduction):
    """The number of elements along dimensions that are not 0 (``torch.count_nonzero``): (…, A, …) -> (…, …), int64."""

    name = "count_nonzero"
    covers = ("Tensor.count_nonzero",)
    any_dtype = True
    saved_for_backward = "nothing"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(self.output_shape(inputs[0].shape), "int64"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        truth = arguments[0] if inputs[0].dtype == "bool" else f"({arguments[0]} != 0)"
        return f"{truth}.sum({self.keywords(inputs)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        truth = builder.cast(builder.cast(inputs[0], "bool"), "int64")
        axes = builder.constant(list(self.axes(len(tensors[0].shape))))
        return builder.op("ReduceSum", truth, axes, keepdims=int(self.keepdim))


def length(builder: OnnxBuilder, x: Any, p: float, axes: Sequence[int], dtype: str, keepdim: bool) -> Any:
    """(Σ |x|ᵖ)^(1/p) along dimensions, in ONNX."""
    along, keep = builder.constant(list(axes)), int(keepdim)
    if p in (1.0, 2.0):
        return builder.op("ReduceL1" if p == 1 else "ReduceL2", x, along, keepdims=keep)
    sizes = builder.op("Abs", x)
    if abs(p) == float("inf"):
        return builder.op("ReduceMax" if p > 0 else "ReduceMin", sizes, along, keepdims=keep)
    if p == 0:
        full = as_number(builder, builder.op("Greater", sizes, builder.constant(0.0, dtype)), dtype)
        return builder.op("ReduceSum", full, along, keepdims=keep)
    total = builder.op("ReduceSum", builder.op("Pow", sizes, builder.constant(p, dtype)), along, keepdims=keep)
    return builder.op("Pow", total, builder.constant(1 / p, dtype))
