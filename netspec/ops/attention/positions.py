"""Encodings of position: learned and sinusoidal. They stand along the last dimension but one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape
from netspec.ops.core.arguments import Positive, spell_number
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.sizes import count_up
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, known, need_rank


class Positions(Op):
    """Base of the encodings of position: (…, T, C), kept."""

    family = "sequence"
    ports = ("input", "positions")
    optional = ("positions",)
    saved_for_backward = "nothing"

    def guard_positions(self, *inputs: Tensor | None) -> Tensor:
        """Return the input; guards its dtype and the positions, (T) or (N, T) whole numbers."""
        x, positions = inputs
        assert x is not None
        if "float" not in x.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {x.dtype}")
        if positions is not None and (positions.dtype != "int64" or len(positions.shape) not in (1, 2)):
            found = f"{pretty_shape(positions.shape)} of {positions.dtype}"
            raise ShapeError(f"{self.name} takes positions [T] or [N, T] of int64, but got {found}")
        return x

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x, positions = inputs
        if x is None or positions is None or not positions.shape or len(x.shape) < 2:
            return
        yield x.shape[-2], positions.shape[-1], f"{self.name} takes a position for each place"
        if len(positions.shape) == 2:
            yield x.shape[0], positions.shape[0], f"{self.name} takes positions for each sample"

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(below=inputs[0].shape[-2]) if port == "positions" and inputs[0] is not None else None

    def lift(self, inputs: Sequence[Any]) -> str:
        """The text that gives positions (N, T) the dimensions between batch and time."""
        x, positions = inputs
        return ".unsqueeze(1)" * (len(x.shape) - 3) if len(positions.shape) == 2 else ""

    def times(self, arguments: Sequence[str | None], inputs: Sequence[Any]) -> str:
        """The positions (…, T) in PyTorch."""
        x, positions = arguments
        return f"torch.arange({x}.size(-2), device={x}.device)" if positions is None else positions + self.lift(inputs)

    def times_onnx(self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Any]) -> Any:
        """The positions (…, T) in ONNX."""
        x, positions = inputs
        if positions is None:
            return count_up(builder, builder.op("Shape", x, start=-2, end=-1))
        lifted = list(range(1, len(tensors[0].shape) - 2)) if len(tensors[1].shape) == 2 else []
        return builder.op("Unsqueeze", positions, builder.constant(lifted)) if lifted else positions

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
    """Adds a learned vector to each position, up to ``max_length`` of them: (…, T, C), kept.

    Positions count from 0, or are ``positions`` (T), or (N, T).
    """

    name = "learned_positions"
    torch = "nn.Embedding"
    main = "max_length"
    elementwise = True

    max_length: Positive

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x = self.guard_positions(*inputs)
        self.width(x.shape)
        return (x,)

    def bounds(self, *inputs: Tensor | None) -> Iterable[Bound]:
        x, positions = inputs
        if x is not None and positions is None:
            reason = f"learned_positions takes a length of at most {self.max_length}"
            yield Bound(x.shape[-2], reason, most=self.max_length, argument="max_length")

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(below=self.max_length) if port == "positions" else None

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        assert inputs[0] is not None
        return {"weight": (self.max_length, self.width(inputs[0].shape))}

    def module(self, *inputs: Tensor | None) -> Constructor:
        assert inputs[0] is not None
        sizes = {"max_length": self.max_length, "embedding_dim": self.width(inputs[0].shape)}
        return Constructor(self.torch, sizes, {})

    def statements(self, forward: ForwardCall) -> list[str]:
        times = self.times(forward.arguments, forward.inputs)
        return [f"{forward.targets[0]} = {forward.arguments[0]} + {forward.module}({times})"]

    def saved(self, run: OpRun) -> Saved:
        if run.inputs[1] is not None:
            return Saved((1,) if run.learns else ())
        positions = Tensor((run.inputs[0].shape[-2],), "int64")
        return Saved(made=(positions,) if run.learns else ())

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        times = self.times_onnx(builder, inputs, tensors)  # a Slice of a length would have a size unknown to tools
        return builder.op("Add", inputs[0], builder.op("Gather", builder.parameter("weight"), times))


class SinusoidalPositions(Positions):
    """Adds sines and cosines of each position in turns (Vaswani et al. 2017): (…, T, C), kept.

    Position t turns pair i by the angle t · base^(−2·i/C). Positions count from 0, or are ``positions`` (T), or (N, T).
    """

    name = "sinusoidal_positions"
    elementwise = True

    base: float = 10_000.0

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x = self.guard_positions(*inputs)
        self.even_width(x.shape)
        return (x,)

    def sine_and_cosine(self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Any]) -> tuple[Any, Any]:
        """The angles' sine and cosine in ONNX, each (…, T, C/2)."""
        width = self.even_width(tensors[0].shape)
        speeds = builder.constant([self.base ** (-at / width) for at in range(0, width, 2)], "float32")
        times = builder.cast(self.times_onnx(builder, inputs, tensors), "float32")
        angle = builder.op("Mul", builder.op("Unsqueeze", times, builder.constant([-1])), speeds)
        result = [builder.op("Sin", angle), builder.op("Cos", angle)]
        if tensors[0].dtype != "float32":
            result = [builder.cast(each, tensors[0].dtype) for each in result]
        return result[0], result[1]

    def statements(self, forward: ForwardCall) -> list[str]:
        x, angle, width = forward.arguments[0], forward.fresh("angle"), self.even_width(forward.inputs[0].shape)
        times = self.times(forward.arguments, forward.inputs)
        steps = f"torch.arange(0, {width}, 2, device={x}.device) / -{width}"
        waves = f"torch.stack(({angle}.sin(), {angle}.cos()), dim=-1).flatten(-2)"
        return [
            f"{angle} = {times}.unsqueeze(-1) * {spell_number(self.base)} ** ({steps})",
            f"{forward.targets[0]} = {x} + {waves}.to({x}.dtype)",
        ]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        waves = self.sine_and_cosine(builder, inputs, tensors)
        pairs = [builder.op("Unsqueeze", each, builder.constant([-1])) for each in waves]
        assert tensors[0] is not None
        rank = 1 if tensors[1] is None or len(tensors[1].shape) == 1 else len(tensors[0].shape) - 1
        joined = builder.op("Concat", *pairs, axis=rank + 1)
        return builder.op("Add", inputs[0], builder.op("Reshape", joined, builder.constant([0] * rank + [-1])))
