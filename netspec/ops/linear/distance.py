"""Lengths and distances of vectors, and what becomes of matrices as a whole."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from netspec.dims import Shape, Size, pretty_shape
from netspec.ops.core.agreement import broadcast, differ, one_dtype, repeated
from netspec.ops.core.arguments import Number, spell_number
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, axis_of
from netspec.ops.math.statistics import length


class UnitLength(Op):
    """x divided by its length along dim, but by eps at least (``F.normalize``): any shape."""

    name = "normalize"
    onnx_exact = True
    family = "norm"
    functional = "F.normalize"
    main = "dim"
    keyword_main = True
    elementwise = True

    p: Annotated[Any, Number()] = 2.0
    dim: int = 1
    eps: float = 1e-12

    def output_shape(self, *shapes: Shape) -> Shape:
        axis_of(self.dim, len(shapes[0]))
        return shapes[0]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        others = [f"{name}={spell_number(value)}" for name, value in self.changed().items()]
        return f"F.normalize({', '.join([arguments[0], *others])})"

    def saved(self, run: OpRun) -> Saved:
        """The input, its lengths, and those that are divided by."""
        shape = run.inputs[0].shape
        axis = axis_of(self.dim, len(shape))
        lengths = Tensor((*shape[:axis], 1, *shape[axis + 1 :]), run.inputs[0].dtype)
        return Saved((0,), made=(lengths, lengths))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        axis = axis_of(self.dim, len(tensors[0].shape))
        found = length(builder, inputs[0], float(self.p), [axis], dtype, True)
        return builder.op("Div", inputs[0], builder.op("Max", found, builder.constant(self.eps, dtype)))

    def access_windows(self, rank: int) -> None:
        return None

    def detail(self) -> str:
        return f"dim {self.dim}" + ("" if self.p == 2 else f", p {spell_number(self.p)}")


class VectorComparison(Op):
    """Base of what compares vectors of two inputs."""

    family = "arithmetic"
    ports = ("x1", "x2")
    autocast = "float32"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)


class CosineSimilarity(VectorComparison):
    """Cosine of the angle between vectors along dim (``F.cosine_similarity``): (…, A, …) twice -> (…, …)."""

    name = "cosine_similarity"
    functional = "F.cosine_similarity"
    covers = ("nn.CosineSimilarity",)
    main = "dim"
    keyword_main = True

    dim: int = 1
    eps: float = 1e-8

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs])

    def output_shape(self, *shapes: Shape) -> Shape:
        made = broadcast(self.name, *shapes)
        axis = axis_of(self.dim, len(made))
        return (*made[:axis], *made[axis + 1 :])

    def saved(self, run: OpRun) -> Saved:
        """For each input that needs it: itself, its length before and after eps, and the other's unit vectors."""
        made = broadcast(self.name, *(tensor.shape for tensor in run.inputs))
        axis = axis_of(self.dim, len(made))
        dtype = run.outputs[0].dtype
        lengths = Tensor((*made[:axis], 1, *made[axis + 1 :]), dtype)
        needed = tuple(at for at in (0, 1) if run.needs[at])
        return Saved(needed, made=(lengths, lengths, Tensor(made, dtype)) * len(needed))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        rank = max(len(tensor.shape) for tensor in tensors)
        axis, units = axis_of(self.dim, rank) - rank, []
        shape = broadcast(self.name, *(tensor.shape for tensor in tensors))
        for x, tensor, other in zip(inputs, tensors, reversed(inputs)):
            if tensor.shape != shape:
                x = builder.op("Expand", x, builder.op("Shape", other))
            found = builder.op("Max", length(builder, x, 2.0, [axis], dtype, True), builder.constant(self.eps, dtype))
            units.append(builder.op("Div", x, found))
        return builder.op("ReduceSum", builder.op("Mul", *units), builder.constant([axis]), keepdims=0)

    def detail(self) -> str:
        return f"dim {self.dim}"


class PairwiseDistance(VectorComparison):
    """Distance between vectors of the last dimension (``F.pairwise_distance``): (…, A) twice -> (…)."""

    name = "pairwise_distance"
    functional = "F.pairwise_distance"
    covers = ("nn.PairwiseDistance",)
    main = "p"
    keyword_main = True

    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs])

    def output_shape(self, *shapes: Shape) -> Shape:
        made = broadcast(self.name, *shapes)
        if not made:
            raise ShapeError("pairwise_distance takes at least one dimension, but its inputs are scalars")
        return (*made[:-1], 1) if self.keepdim else made[:-1]

    def saved(self, run: OpRun) -> Saved:
        made = broadcast(self.name, *(tensor.shape for tensor in run.inputs))
        return Saved((), (0,), (Tensor(made, run.outputs[0].dtype),))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        apart = builder.op("Add", builder.op("Sub", *inputs), builder.constant(self.eps, dtype))
        return length(builder, apart, self.p, [-1], dtype, self.keepdim)


class CDist(VectorComparison):
    """Distances of all rows of the one from all of the other (``torch.cdist``): (…, P, A), (…, R, A) -> (…, P, R)."""

    name = "cdist"
    without = ("compute_mode",)
    functional = "torch.cdist"
    main = "p"
    keyword_main = True
    torch_lacks = HALVES
    onnx_lacks = ("float64",)

    p: Annotated[Any, Number()] = 2.0

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        left, right = map(self.guard, (tensor.shape for tensor in inputs))
        yield left[-1], right[-1], "cdist takes rows of one length"
        yield from repeated(self.name, [left[:-2], right[:-2]])

    def guard(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"cdist takes at least two dimensions, but an input is {pretty_shape(shape)}")
        return shape

    def output_shape(self, *shapes: Shape) -> Shape:
        left, right = map(self.guard, shapes)
        if differ(left[-1], right[-1]):
            raise ShapeError(f"cdist takes rows of one length, but got {pretty_shape(left)} and {pretty_shape(right)}")
        return (*broadcast(self.name, left[:-2], right[:-2]), left[-2], right[-2])

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        power = "" if self.p == 2 else f", p={spell_number(self.p)}"
        exact = ', compute_mode="donot_use_mm_for_euclid_dist"' if self.p == 2 else ""
        return f"torch.cdist({', '.join(arguments)}{power}{exact})"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0, 1), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        left, right = (builder.op("Unsqueeze", x, builder.constant([at])) for x, at in zip(inputs, (-2, -3)))
        apart = builder.op("Sub", left, right)
        return length(builder, apart, float(self.p), [-1], tensors[0].dtype, False)

    def detail(self) -> str:
        return "" if self.p == 2 else f"p {spell_number(self.p)}"


class Det(Op):
    """Determinants of square matrices (``torch.linalg.det``): (…, A, A) -> (…)."""

    name = "det"
    onnx_exact = True
    family = "linear"
    functional = "torch.linalg.det"
    covers = ("Tensor.det",)
    torch_lacks = HALVES
    onnx_lacks = ("float64",)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        shape = square(self.name, inputs[0].shape)
        yield shape[-2], shape[-1], "det takes square matrices"

    def output_shape(self, *shapes: Shape) -> Shape:
        return square(self.name, shapes[0])[:-2]

    def saved(self, run: OpRun) -> Saved:
        """The matrices, their LU factors and the rows that these exchange."""
        x = run.inputs[0]
        return Saved((0,), (0,), (Tensor(x.shape, x.dtype), Tensor(x.shape[:-1], "int32")))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Det", inputs[0])


class Inverse(Op):
    """Inverses of square matrices (``torch.linalg.inv``): (…, A, A), kept.

    ONNX has none: the file runs Newton's iteration (Schulz 1933), which doubles the right digits in each of its steps.
    """

    name = "inverse"
    onnx_exact = True
    family = "linear"
    functional = "torch.linalg.inv"
    covers = ("Tensor.inverse",)
    torch_lacks = HALVES
    saved_for_backward = "output"

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        shape = square(self.name, inputs[0].shape)
        yield shape[-2], shape[-1], "inverse takes square matrices"

    def output_shape(self, *shapes: Shape) -> Shape:
        return square(self.name, shapes[0])

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """Column by column, as LAPACK writes it."""
        shape = run.outputs[0].shape
        *steps, rows, columns = strides_of(shape, None)
        return (OutputLayout(None, shortened(shape, (*steps, columns, rows))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """X ← X·(2 − A·X), from Aᵀ / (‖A‖₁·‖A‖∞) on; 2·log₂ of the condition steps bring it near, a few more home."""
        x, rank = inputs[0], len(tensors[0].shape)
        sizes = builder.op("Abs", x)
        sums = [builder.op("ReduceSum", sizes, builder.constant([axis]), keepdims=1) for axis in (-2, -1)]
        norms = [builder.op("ReduceMax", total, builder.constant([-2, -1]), keepdims=1) for total in sums]
        turned = builder.op("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])
        made = builder.op("Div", builder.op("Div", turned, norms[0]), norms[1])
        two = builder.constant(2.0, tensors[0].dtype)
        for _ in range(STEPS):
            again = builder.op("MatMul", made, builder.op("MatMul", x, made))
            made = builder.op("Sub", builder.op("Mul", made, two), again)
        return made


STEPS = 40
"""Steps of Newton's iteration: enough for matrices whose condition single precision can bear."""


def square(name: str, shape: Shape) -> Shape:
    """Guard: the last two dimensions are equal, as far as that is known."""
    if len(shape) < 2 or differ(shape[-1], shape[-2]):
        raise ShapeError(f"{name} takes square matrices, but its input is {pretty_shape(shape)}")
    return shape
