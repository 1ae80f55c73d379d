"""Discrete Fourier transforms along one dimension. A complex number is a pair, real and imaginary part, at the end."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from netspec.dims import Shape, Size, floor_div, pretty_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import Extent
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_vector, spell_size
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, axis_of
from netspec.ops.signal.matrices import backward_matrix, complex_matrix, forward_matrix


class Fourier(Op):
    """Base of the transforms; ``takes_pairs`` and ``gives_pairs`` say where numbers are complex.

    ``dim`` counts the dimensions without that of the pairs.
    """

    family = "linear"
    main = "dim"
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    saved_for_backward = "nothing"
    autocast = "float32"
    takes_pairs: ClassVar[bool] = True
    gives_pairs: ClassVar[bool] = True

    dim: int = -1
    norm: Literal["backward", "ortho", "forward"] = "backward"

    def sizes_of(self, shape: Shape) -> Shape:
        """The sizes without that of the pairs."""
        if not self.takes_pairs:
            return shape
        if not shape or differ(shape[-1], 2):
            raise ShapeError(f"{self.name} takes pairs, real and imaginary part, at the end: not {pretty_shape(shape)}")
        return shape[:-1]

    def output_shape(self, *shapes: Shape) -> Shape:
        sizes = list(self.sizes_of(shapes[0]))
        axis = axis_of(self.dim, len(sizes))
        sizes[axis] = self.length_made(sizes[axis])
        return (*sizes, 2) if self.gives_pairs else tuple(sizes)

    def length_made(self, size: Size) -> Size:
        """The size that the dimension becomes."""
        return size

    def keywords(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        """The keywords of torch's function."""
        assert inputs[0] is not None
        axis = axis_of(self.dim, len(self.sizes_of(inputs[0].shape)))
        return f"dim={axis}" + ("" if self.norm == "backward" else f', norm="{self.norm}"')

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        x = f"torch.view_as_complex({arguments[0]}.contiguous())" if self.takes_pairs else arguments[0]
        made = f"{self.functional}({x}, {self.keywords(arguments, inputs)})"
        return f"torch.view_as_real({made}).contiguous()" if self.gives_pairs else f"{made}.contiguous()"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """A product with the transform's matrix, for which the dimension goes to the end and back."""
        x, tensor = inputs[0], tensors[0]
        assert tensor is not None
        rank = len(self.sizes_of(tensor.shape))
        axis = axis_of(self.dim, rank)
        there = [*range(axis), *range(axis + 1, rank), axis]
        length = builder.op("Shape", x, start=axis, end=axis + 1)
        if axis != rank - 1:
            x = builder.op("Transpose", x, perm=[*there, *([rank] if self.takes_pairs else [])])
        leading = [builder.op("Shape", x, start=0, end=rank - 1)] if rank > 1 else []
        if self.takes_pairs:
            x = builder.op("Reshape", x, builder.op("Concat", *leading, builder.constant([-1]), axis=0))
        matrix, points = self.matrix(builder, length, inputs, tensors)
        x = self.scaled(builder, builder.op("MatMul", x, matrix), points)
        if self.gives_pairs:
            x = builder.op("Reshape", x, builder.op("Concat", *leading, builder.constant([-1, 2]), axis=0))
        if axis == rank - 1:
            return x
        back = [*range(axis), rank - 1, *range(axis, rank - 1)]
        return builder.op("Transpose", x, perm=[*back, *([rank] if self.gives_pairs else [])])

    def scaled(self, builder: OnnxBuilder, x: Any, points: Any) -> Any:
        """The result divided by the number of points, or its root, as ``norm`` says."""
        if self.norm == ("backward" if not self.is_inverse() else "forward"):
            return x
        count = builder.cast(points, "float32")
        return builder.op("Div", x, builder.op("Sqrt", count) if self.norm == "ortho" else count)

    def is_inverse(self) -> bool:
        return self.name.startswith("i")

    def matrix(
        self, builder: OnnxBuilder, length: Any, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
    ) -> tuple[Any, Any]:
        """The transform's matrix in ONNX, and the number of its points."""
        return complex_matrix(builder, length, self.is_inverse()), length

    def detail(self) -> str:
        return f"dim {self.dim}"


class RealFFT(Fourier):
    """Fourier transform of real numbers (``torch.fft.rfft``): (…, T, …) -> (…, ⌊T/2⌋ + 1, …, 2)."""

    name = "rfft"
    functional = "torch.fft.rfft"
    takes_pairs = False
    saved_for_backward = "input"

    def length_made(self, size: Size) -> Size:
        return floor_div(size, 2) + 1

    def matrix(
        self, builder: OnnxBuilder, length: Any, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
    ) -> tuple[Any, Any]:
        half = builder.op("Div", length, builder.constant([2]))
        return forward_matrix(builder, length, builder.op("Add", half, builder.constant([1]))), length


class InverseRealFFT(Fourier):
    """Inverse Fourier transform to ``n`` real numbers (``torch.fft.irfft``): (…, ⌊n/2⌋ + 1, …, 2) -> (…, n, …).

    Without ``n`` there are 2·(F − 1) for F pairs; ``like`` has one that is symbolic.
    """

    name = "irfft"
    functional = "torch.fft.irfft"
    gives_pairs = False
    ports = ("input", "like")
    optional = ("like",)

    n: Annotated[Any, Extent(1, optional=True)] = None

    def length_made(self, size: Size) -> Size:
        return (size - 1) * 2 if self.n is None else self.n

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x = inputs[0]
        assert x is not None
        if self.n is not None:
            find(self.name, self.n, inputs)
            sizes, pairs = self.sizes_of(x.shape), floor_div(self.n, 2) + 1
            if differ(sizes[axis_of(self.dim, len(sizes))], pairs):
                text = f"irfft makes {self.n} numbers of {pairs} pairs, but its input is {pretty_shape(x.shape)}"
                raise ShapeError(text, argument="n")
        return super().infer(x)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x = inputs[0]
        if x is not None and self.n is not None and len(x.shape) > 1 and -len(x.shape) < self.dim < len(x.shape) - 1:
            yield x.shape[:-1][self.dim], floor_div(self.n, 2) + 1, f"irfft makes {self.n} numbers of ⌊{self.n}/2⌋ + 1"

    def keywords(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        made = super().keywords(arguments, inputs)
        return made if self.n is None else f"n={spell_size(self.name, self.n, arguments, inputs)}, {made}"

    def matrix(
        self, builder: OnnxBuilder, length: Any, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
    ) -> tuple[Any, Any]:
        if self.n is None:
            count = builder.op("Mul", builder.op("Sub", length, builder.constant([1])), builder.constant([2]))
        else:
            count = size_vector(builder, self.name, self.n, inputs, tensors)
        return backward_matrix(builder, length, count), count


class FFT(Fourier):
    """Fourier transform of complex numbers (``torch.fft.fft``): (…, T, …, 2), kept."""

    name = "fft"
    functional = "torch.fft.fft"


class InverseFFT(Fourier):
    """Inverse Fourier transform of complex numbers (``torch.fft.ifft``): (…, T, …, 2), kept."""

    name = "ifft"
    functional = "torch.fft.ifft"
