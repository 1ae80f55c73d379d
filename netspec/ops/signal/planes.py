"""Discrete Fourier transforms along two dimensions, which are those along one, twice."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from netspec.ops.core.arguments import INTEGER, Listed, is_integer
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, axis_of
from netspec.ops.signal.fourier import FFT, Fourier, InverseFFT, InverseRealFFT, RealFFT


class PlaneFourier(Op):
    """Base of the transforms of planes; ``steps`` are those along the dimensions that ``order`` counts in ``dim``.

    A complex number is a pair, real and imaginary part, at the end; ``dim`` counts the dimensions without it.
    """

    family = "linear"
    main = "dim"
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    saved_for_backward = "nothing"
    autocast = "float32"
    without: ClassVar[tuple[str, ...]] = ("s",)
    steps: ClassVar[tuple[type[Fourier], type[Fourier]]]
    order: ClassVar[tuple[int, int]] = (0, 1)

    dim: Annotated[Any, Listed("a list of two dimensions", is_integer, INTEGER, least=2)] = (-2, -1)
    norm: Literal["backward", "ortho", "forward"] = "backward"

    def axes(self, tensor: Tensor) -> list[int]:
        """The two dimensions, counted from 0."""
        rank = len(tensor.shape) - self.steps[0].takes_pairs
        axes = [axis_of(dim, rank) for dim in self.dim]
        if len(axes) != 2 or axes[0] == axes[1]:
            raise ShapeError(f"{self.name} takes two dimensions", argument="dim")
        return axes

    def along(self, tensor: Tensor) -> list[Fourier]:
        """The transforms along one dimension."""
        axes = self.axes(tensor)
        return [step(dim=axes[at], norm=self.norm) for step, at in zip(self.steps, self.order)]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tensor = inputs[0]
        for step in self.along(tensor):
            (tensor,) = step.infer(tensor)
        return (tensor,)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        first, last = self.steps
        x = f"torch.view_as_complex({arguments[0]}.contiguous())" if first.takes_pairs else arguments[0]
        norm = "" if self.norm == "backward" else f', norm="{self.norm}"'
        made = f"{self.functional}({x}, dim={tuple(self.axes(inputs[0]))}{norm})"
        return f"torch.view_as_real({made}).contiguous()" if last.gives_pairs else f"{made}.contiguous()"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, tensor = inputs[0], tensors[0]
        for step in self.along(tensor):
            x = step.onnx(builder, x, tensors=[tensor])
            (tensor,) = step.infer(tensor)
        return x

    def detail(self) -> str:
        return "dims " + ", ".join(map(str, self.dim))


class FFT2(PlaneFourier):
    """Fourier transform of planes of complex numbers (``torch.fft.fft2``): (…, H, W, 2), kept."""

    name = "fft2"
    functional = "torch.fft.fft2"
    steps = (FFT, FFT)


class InverseFFT2(PlaneFourier):
    """Inverse Fourier transform of planes of complex numbers (``torch.fft.ifft2``): (…, H, W, 2), kept."""

    name = "ifft2"
    functional = "torch.fft.ifft2"
    steps = (InverseFFT, InverseFFT)


class RealFFT2(PlaneFourier):
    """Fourier transform of planes of real numbers (``torch.fft.rfft2``): (…, H, W) -> (…, H, ⌊W/2⌋ + 1, 2)."""

    name = "rfft2"
    functional = "torch.fft.rfft2"
    steps = (RealFFT, FFT)
    order = (1, 0)
    saved_for_backward = "input"


class InverseRealFFT2(PlaneFourier):
    """Inverse Fourier transform to planes of real numbers (``torch.fft.irfft2``): (…, H, F, 2) -> (…, H, 2·(F − 1))."""

    name = "irfft2"
    functional = "torch.fft.irfft2"
    steps = (InverseFFT, InverseRealFFT)
