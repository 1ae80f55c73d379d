"""Encodings of position: learned and sinusoidal. Positions count from 0 along the last dimension but one."""

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


class SinusoidalPositions(Positions):
    """Adds sines and cosines of each position in turns (Vaswani et al. 2017): (…, T, C), kept.

    Position t turns pair i by the angle t · base^(−2·i/C).
    """

    name = "sinusoidal_positions"
    elementwise = True

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
