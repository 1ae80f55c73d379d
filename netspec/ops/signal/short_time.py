"""Fourier transforms of short stretches of a signal, and the signal back from them."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Shape, Size, floor_div, pretty_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import Extent, Positive
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import count_up, find, size_vector, spell_size
from netspec.ops.core.tensors import HALVES, Bound, ShapeError, Tensor, need_rank
from netspec.ops.core.window import PADDING_MODES, padded
from netspec.ops.signal.matrices import backward_matrix, forward_matrix

COSINES = {"hann": (0.5, 0.5, 0.0), "hamming": (0.54, 0.46, 0.0), "blackman": (0.42, 0.5, 0.08)}
"""The coefficients of windows that are sums of cosines."""


class ShortTime(Op):
    """Base of the transforms of stretches ``n_fft`` long, ``hop_length`` apart (default: a quarter), under a window."""

    family = "sequence"
    main = "n_fft"
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    autocast = "float32"

    n_fft: Positive
    hop_length: Positive | None = None
    win_length: Positive | None = None
    window: Literal["hann", "hamming", "blackman", "bartlett"] | None = None
    center: bool = True
    normalized: bool = False

    def hop(self) -> int:
        return self.n_fft // 4 if self.hop_length is None else self.hop_length

    def guard(self) -> None:
        """Raise ``ShapeError`` where the arguments do not go together."""
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ShapeError(f"win_length {self.win_length} is above n_fft {self.n_fft}", argument="win_length")
        if self.hop() < 1:
            raise ShapeError("hop_length must be given for an n_fft below 4", argument="hop_length")

    def frequencies(self) -> int:
        return self.n_fft // 2 + 1

    def margin(self) -> int:
        """The number of elements added at each end, so that stretches are centred."""
        return self.n_fft // 2 if self.center else 0

    def window_values(self) -> list[float]:
        """The window, as long as a stretch."""
        length = self.win_length or self.n_fft
        values = [self.window_value(at / length) for at in range(length)]
        before = (self.n_fft - length) // 2
        return [0.0] * before + values + [0.0] * (self.n_fft - length - before)

    def window_value(self, place: float) -> float:
        """The window at a place from 0 to 1."""
        if self.window is None:
            return 1.0
        if self.window == "bartlett":
            return 1 - abs(2 * place - 1)
        whole, first, second = COSINES[self.window]
        return whole - first * math.cos(2 * math.pi * place) + second * math.cos(4 * math.pi * place)

    def keywords(self, x: str) -> list[str]:
        """The arguments of torch's function that both have, after the first."""
        names = ("hop_length", "win_length", "center", "normalized")
        changed = self.changed()
        named = [f"{name}={changed[name]!r}" for name in names if name in changed]
        size = self.win_length or self.n_fft
        made = "torch.ones" if self.window is None else f"torch.{self.window}_window"  # torch warns where it has none
        return [repr(self.n_fft), *named, f"window={made}({size}, dtype={x}.dtype, device={x}.device)"]

    def window_made(self, tensor: Tensor) -> Tensor:
        """The window as torch makes it: a periodic one is cut off one that is longer by one."""
        padded_out = (self.win_length or self.n_fft) < self.n_fft
        return Tensor((self.n_fft + (self.window is not None and not padded_out),), tensor.dtype)

    def detail(self) -> str:
        return f"{self.n_fft}, /{self.hop()}"


class STFT(ShortTime):
    """Fourier transforms of stretches of a signal (``torch.stft``): (N, T) -> (N, ⌊n_fft/2⌋ + 1, stretches, 2).

    A complex number is a pair, real and imaginary part, at the end.
    """

    name = "stft"
    functional = "torch.stft"
    covers = ("Tensor.stft",)
    without = ("onesided", "return_complex", "align_to_window")

    pad_mode: Literal["constant", "reflect", "replicate", "circular"] = "reflect"

    def output_shape(self, *shapes: Shape) -> Shape:
        self.guard()
        need_rank(self.name, shapes[0], 1, 2, layout="[N, T] or [T]")
        count = floor_div(shapes[0][-1] + 2 * self.margin() - self.n_fft, self.hop()) + 1
        if isinstance(count, int) and count < 1:
            text = f"a stretch of {self.n_fft} does not fit into {shapes[0][-1]}"
            raise ShapeError(text, argument="n_fft")
        return (*shapes[0][:-1], self.frequencies(), count, 2)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        least = self.n_fft - 2 * self.margin()
        if self.center and self.pad_mode in ("reflect", "circular"):
            least = self.margin() + (self.pad_mode == "reflect")
        yield Bound(inputs[0].shape[-1], f"stft takes a length of at least {least}", least=least, argument="n_fft")

    def saved(self, run: OpRun) -> Saved:
        """The stretches under the window, the window, and the input where it pads itself."""
        x = run.inputs[0]
        stretches = Tensor((*x.shape[:-1], run.outputs[0].shape[-2], self.n_fft), x.dtype)
        repeats = self.center and self.pad_mode in ("reflect", "replicate")
        return Saved((0,) if repeats else (), made=(self.window_made(x), stretches))

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        x = arguments[0]
        named = self.keywords(x)
        named += [f'pad_mode="{self.pad_mode}"'] if self.pad_mode != "reflect" else []
        return f"torch.view_as_real(torch.stft({x}, {', '.join(named)}, return_complex=True)).contiguous()"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """The product of the stretches with a matrix of the transform under the window."""
        x, rank, margin = inputs[0], len(tensors[0].shape), self.margin()
        if margin:
            amounts = [0] * (rank - 1) + [margin] + [0] * (rank - 1) + [margin]
            x = padded(builder, x, amounts, mode=PADDING_MODES[self.pad_mode])
        length = builder.op("Shape", x, start=-1)
        hop = builder.constant([self.hop()])
        count = builder.op("Div", builder.op("Add", length, builder.constant([self.hop() - self.n_fft])), hop)
        starts = builder.op("Unsqueeze", builder.op("Mul", count_up(builder, count), hop), builder.constant([1]))
        places = builder.op("Add", starts, builder.constant(list(range(self.n_fft))))
        stretches = builder.op("Gather", x, places, axis=rank - 1)
        matrix = forward_matrix(builder, builder.constant([self.n_fft]), builder.constant([self.frequencies()]))
        scale = self.n_fft**-0.5 if self.normalized else 1.0
        weights = builder.constant([[value * scale] for value in self.window_values()], "float32")
        made = builder.op("MatMul", stretches, builder.op("Mul", matrix, weights))
        leading = [builder.op("Shape", x, start=0, end=1)] if rank == 2 else []
        sizes = builder.op("Concat", *leading, builder.constant([-1, self.frequencies(), 2]), axis=0)
        order = [0, 2, 1, 3] if rank == 2 else [1, 0, 2]
        return builder.op("Transpose", builder.op("Reshape", made, sizes), perm=order)


class InverseSTFT(ShortTime):
    """A signal from the transforms of its stretches (``torch.istft``): (N, ⌊n_fft/2⌋ + 1, stretches, 2) -> (N, T).

    ``length`` is how much of it there is to be; ``like`` has one that is symbolic.
    """

    name = "istft"
    functional = "torch.istft"
    covers = ("Tensor.istft",)
    onnx_since = 18
    without = ("onesided", "return_complex")
    ports = ("input", "like")
    optional = ("like",)

    length: Annotated[Any, Extent(1, optional=True)] = None

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        if self.length is not None:
            find(self.name, self.length, inputs)
        assert inputs[0] is not None
        return super().infer(inputs[0])

    def output_shape(self, *shapes: Shape) -> Shape:
        self.guard()
        need_rank(self.name, shapes[0], 4, layout="[N, F, stretches, 2]")
        if differ(shapes[0][-1], 2) or differ(shapes[0][1], self.frequencies()):
            text = f"istft takes [N, {self.frequencies()}, stretches, 2], but its input is {pretty_shape(shapes[0])}"
            raise ShapeError(text, argument="n_fft")
        return (shapes[0][0], self.whole(shapes[0][2]) if self.length is None else self.length)

    def whole(self, count: Size) -> Size:
        """The length that so many stretches cover, less the margins."""
        return (count - 1) * self.hop() + self.n_fft - 2 * self.margin()

    def bounds(self, *inputs: Tensor | None) -> Iterable[Bound]:
        if self.length is None or inputs[0] is None:
            return
        there = self.whole(inputs[0].shape[2]) + self.margin()
        yield Bound(there - self.length, f"istft makes at most {there} of a signal", least=0, argument="length")

    def saved(self, run: OpRun) -> Saved:
        """The window, and the sum of its squares at each place."""
        x = run.inputs[0]
        weight = Tensor(((x.shape[2] - 1) * self.hop() + self.n_fft,), x.dtype)
        return Saved(made=(self.window_made(x), weight) if run.needs[0] else ())

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        x = arguments[0]
        named = self.keywords(x)
        named += [] if self.length is None else [f"length={spell_size(self.name, self.length, arguments, inputs)}"]
        return f"torch.istft(torch.view_as_complex({x}.contiguous()), {', '.join(named)}).contiguous()"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """Stretches under the window are added up where they lie, and divided by the windows' squares."""
        x = builder.op("Transpose", inputs[0], perm=[0, 2, 1, 3])
        x = builder.op("Reshape", x, builder.constant([0, 0, 2 * self.frequencies()]))
        count = builder.op("Shape", inputs[0], start=2, end=3)
        length = builder.constant([self.n_fft])
        matrix = backward_matrix(builder, builder.constant([self.frequencies()]), length)
        values = self.window_values()
        scale = self.n_fft**-0.5 if self.normalized else 1 / self.n_fft
        weights = builder.constant([value * scale for value in values], "float32")
        stretches = builder.op("Transpose", builder.op("MatMul", x, builder.op("Mul", matrix, weights)), perm=[0, 2, 1])
        squares = builder.constant([[[value**2] for value in values]], "float32")
        ones = builder.op("Concat", builder.constant([1, 1]), count, axis=0)
        signal, weight = (self.added(builder, each, count) for each in (stretches, builder.op("Expand", squares, ones)))
        end = builder.constant([-self.margin() or 2**63 - 1])
        if self.length is not None:
            size = size_vector(builder, self.name, self.length, inputs, tensors)
            end = builder.op("Add", size, builder.constant([self.margin()]))
        bounds = builder.constant([self.margin()]), end, builder.constant([1])
        signal, weight = (builder.op("Slice", each, *bounds) for each in (signal, weight))
        return builder.op("Div", signal, weight)

    def added(self, builder: OnnxBuilder, stretches: Any, count: Any) -> Any:
        """The stretches (N, n_fft, count) added up, (N, T)."""
        hop = builder.constant([self.hop()])
        total = builder.op("Add", builder.op("Mul", count, hop), builder.constant([self.n_fft - self.hop()]))
        image = builder.op("Concat", builder.constant([1]), total, axis=0)
        made = builder.op("Col2Im", stretches, image, builder.constant([1, self.n_fft]), strides=[1, self.hop()])
        return builder.op("Squeeze", made, builder.constant([1, 2]))
