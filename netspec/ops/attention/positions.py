"""Encodings of position: learned, sinusoidal, rotary. Positions count from 0 along the last dimension but one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.dims import Shape, pretty_shape
from netspec.ops.core.arguments import Positive, spell_number
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, known, need_rank
from netspec.ops.tensors.create import count_up


class Positions(Op):
    """Base of the encodings of position: (…, T, C), kept."""

    family = "sequence"
    saved_for_backward = "nothing"

    def width(self, shape: Shape) -> int:
        """The size of the last dimension; guards the input's rank."""
        if len(shape) < 2:
            need_rank(self.name, shape, 2, layout="[…, T, C]")
        return known(shape[-1], f"the last dimension that {self.name} takes")

    def even_width(self, shape: Shape) -> int:
        width = self.width(shape)
        if width % 2:
            raise ShapeError(f"{self.name} takes an even last dimension, but its input is {pretty_shape(shape)}")
        return width


class LearnedPositions(Positions):
    """Adds a learned vector to each position, up to ``max_length`` of them: (…, T, C), kept."""

    name = "learned_positions"
    torch = "nn.Embedding"
    main = "max_length"
    elementwise = True

    max_length: Positive

    def output_shape(self, *shapes: Shape) -> Shape:
        self.width(shapes[0])
        return shapes[0]

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        reason = f"learned_positions takes a length of at most {self.max_length}"
        yield Bound(inputs[0].shape[-2], reason, most=self.max_length, argument="max_length")

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (self.max_length, self.width(inputs[0].shape))}

    def module(self, *inputs: Tensor) -> Constructor:
        sizes = {"max_length": self.max_length, "embedding_dim": self.width(inputs[0].shape)}
        return Constructor(self.torch, sizes, {})

    def statements(self, forward: ForwardCall) -> list[str]:
        x = forward.arguments[0]
        return [f"{forward.targets[0]} = {x} + {forward.module}(torch.arange({x}.size(-2), device={x}.device))"]

    def saved(self, run: OpRun) -> Saved:
        positions = Tensor((run.inputs[0].shape[-2],), "int64")
        return Saved(made=(positions,) if run.learns else ())

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        length = builder.op("Shape", inputs[0], start=-2, end=-1)
        bounds = builder.constant([0]), length, builder.constant([0])
        return builder.op("Add", inputs[0], builder.op("Slice", builder.parameter("weight"), *bounds))


class Waves(Positions):
    """Base of the encodings by sine and cosine: position t turns pair i by the angle t · base^(−2·i/C)."""

    base: float = 10_000.0

    def output_shape(self, *shapes: Shape) -> Shape:
        self.even_width(shapes[0])
        return shapes[0]

    def angle(self, x: str, width: int) -> str:
        """The angles (T, C/2) in PyTorch."""
        steps = f"torch.arange(0, {width}, 2, device={x}.device) / -{width}"
        return f"torch.arange({x}.size(-2), device={x}.device).unsqueeze(1) * {spell_number(self.base)} ** ({steps})"

    def sine_and_cosine(self, builder: OnnxBuilder, x: Any, tensor: Tensor) -> tuple[Any, Any]:
        """The angles' sine and cosine in ONNX, each (T, C/2)."""
        width = self.even_width(tensor.shape)
        speeds = builder.constant([self.base ** (-at / width) for at in range(0, width, 2)], "float32")
        times = builder.cast(count_up(builder, builder.op("Shape", x, start=-2, end=-1)), "float32")
        angle = builder.op("Mul", builder.op("Unsqueeze", times, builder.constant([1])), speeds)
        result = [builder.op("Sin", angle), builder.op("Cos", angle)]
        if tensor.dtype != "float32":
            result = [builder.cast(each, tensor.dtype) for each in result]
        return result[0], result[1]

    def interleave(self, builder: OnnxBuilder, first: Any, second: Any, rank: int, like: Any) -> Any:
        """Two halves taken in turns along the last dimension, in the shape of ``like``."""
        pairs = [builder.op("Unsqueeze", each, builder.constant([rank])) for each in (first, second)]
        return builder.op("Reshape", builder.op("Concat", *pairs, axis=rank), like)


class SinusoidalPositions(Waves):
    """Adds sines and cosines of each position in turns (Vaswani et al. 2017): (…, T, C), kept."""

    name = "sinusoidal_positions"
    elementwise = True

    def statements(self, forward: ForwardCall) -> list[str]:
        x, angle = str(forward.arguments[0]), forward.fresh("angle")
        waves = f"torch.stack(({angle}.sin(), {angle}.cos()), dim=-1).flatten(1)"
        return [
            f"{angle} = {self.angle(x, self.even_width(forward.inputs[0].shape))}",
            f"{forward.targets[0]} = {x} + {waves}.to({x}.dtype)",
        ]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        waves = self.sine_and_cosine(builder, inputs[0], tensors[0])
        return builder.op("Add", inputs[0], self.interleave(builder, *waves, 2, builder.constant([0, -1])))


class RotaryEmbedding(Waves):
    """Turns pairs of elements by the angle of their position (Su et al. 2021): (…, T, C), kept.

    A pair is an element of the first half and its like in the second, or two neighbours if ``interleaved``.
    """

    name = "rotary_embedding"

    interleaved: bool = False

    def statements(self, forward: ForwardCall) -> list[str]:
        x = str(forward.arguments[0])
        angle, sine, cosine, first, second = map(forward.fresh, ("angle", "sine", "cosine", "first", "second"))
        halves = f"{x}[..., 0::2], {x}[..., 1::2]" if self.interleaved else f"{x}.chunk(2, dim=-1)"
        turned = f"({first} * {cosine} - {second} * {sine}, {second} * {cosine} + {first} * {sine})"
        joined = f"torch.stack({turned}, dim=-1).flatten(-2)" if self.interleaved else f"torch.cat({turned}, dim=-1)"
        return [
            f"{angle} = {self.angle(x, self.even_width(forward.inputs[0].shape))}",
            f"{sine}, {cosine} = {angle}.sin().to({x}.dtype), {angle}.cos().to({x}.dtype)",
            f"{first}, {second} = {halves}",
            f"{forward.targets[0]} = {joined}",
        ]

    def saved(self, run: OpRun) -> Saved:
        *_, length, width = run.inputs[0].shape
        return Saved(made=(Tensor((length, width // 2), run.inputs[0].dtype),) * 2)  # sine and cosine

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        sine, cosine = self.sine_and_cosine(builder, inputs[0], tensors[0])
        rank = len(tensors[0].shape)
        if self.interleaved:
            ends = builder.constant([2**63 - 1]), builder.constant([rank - 1]), builder.constant([2])
            first, second = (builder.op("Slice", inputs[0], builder.constant([at]), *ends) for at in (0, 1))
        else:
            first, second = builder.op("Split", inputs[0], outputs=2, axis=rank - 1, num_outputs=2)
        ahead = builder.op("Sub", builder.op("Mul", first, cosine), builder.op("Mul", second, sine))
        behind = builder.op("Add", builder.op("Mul", second, cosine), builder.op("Mul", first, sine))
        if self.interleaved:
            return self.interleave(builder, ahead, behind, rank, builder.op("Shape", inputs[0]))
        return builder.op("Concat", ahead, behind, axis=rank - 1)
