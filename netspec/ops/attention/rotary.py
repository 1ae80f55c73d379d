"""Rotary embedding of positions, and its scaling to sequences longer than those of training."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from netspec.dims import Shape
from netspec.ops.attention.positions import Positions
from netspec.ops.core.arguments import Positive, spell_number
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import ShapeError, Tensor

Above = Annotated[float, Field(gt=0)]


class RotaryEmbedding(Positions):
    """Turns pairs of elements by the angle of their position (Su et al. 2021): (…, T, C), kept.

    A pair is an element of the first half and its like in the second, or two neighbours if ``interleaved``; position t
    turns pair i by t · base^(−2·i/C). Positions count from 0, or are ``positions`` (T), or (N, T).

    ``rope_type`` slows the turning, as Hugging Face's of that name: ``linear`` divides all angles by ``factor``;
    ``llama3`` only those that turn less than ``low_freq_factor`` times within the original length, and up to
    ``high_freq_factor`` some of it; ``yarn`` (Peng et al. 2023) passes over between ``beta_fast`` and ``beta_slow``
    turns, and multiplies sine and cosine by ``attention_factor``.
    """

    name = "rotary_embedding"

    base: Above = 10_000.0
    interleaved: bool = False
    rotary_dim: Positive | None = None
    rope_type: Literal["default", "linear", "llama3", "yarn"] = "default"
    factor: Above = 1.0
    original_max_position_embeddings: Positive = 8192
    low_freq_factor: Above = 1.0
    high_freq_factor: Above = 4.0
    beta_fast: Above = 32.0
    beta_slow: Above = 1.0
    attention_factor: Above | None = None

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x = self.guard_positions(*inputs)
        self.turned(x.shape)
        if self.low_freq_factor >= self.high_freq_factor:
            raise ShapeError("low_freq_factor must be below high_freq_factor", argument="low_freq_factor")
        return (x,)

    def turned(self, shape: Shape) -> int:
        """The number of elements that are turned, the first ones."""
        if self.rotary_dim is None:
            return self.even_width(shape)
        width = self.width(shape)
        if self.rotary_dim > width or self.rotary_dim % 2:
            raise ShapeError(f"rotary_dim must be even, and at most {width}", argument="rotary_dim")
        return self.rotary_dim

    def passage(self, count: int) -> tuple[float, float]:
        """The pairs, of ``count``, between which yarn passes from the plain speed to the slower one."""
        first, last = (
            count * math.log(self.original_max_position_embeddings / (turns * 2 * math.pi)) / math.log(self.base)
            for turns in (self.beta_fast, self.beta_slow)
        )
        least, most = max(math.floor(first), 0), min(math.ceil(last), 2 * count - 1)
        return least, most + 0.001 if least == most else most

    def speeds(self, width: int) -> list[float]:
        """The angle by which one position turns each pair."""
        made = [self.base ** (-at / width) for at in range(0, width, 2)]
        if self.rope_type == "default":
            return made
        shares = [self.share(at, speed, width) for at, speed in enumerate(made)]
        return [speed * (share + (1 - share) / self.factor) for speed, share in zip(made, shares)]

    def share(self, at: int, speed: float, width: int) -> float:
        """The share of a pair's plain speed that stays, from 0 to 1."""
        if self.rope_type == "llama3":
            turns = speed * self.original_max_position_embeddings / (2 * math.pi)
            share = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)
        elif self.rope_type == "yarn":
            least, most = self.passage(width // 2)
            share = 1 - (at - least) / (most - least)
        else:
            share = 0.0
        return min(max(share, 0.0), 1.0)

    def amplitude(self) -> float:
        """The factor of sine and cosine, which is yarn's alone."""
        if self.rope_type != "yarn":
            return 1.0
        if self.attention_factor is not None:
            return self.attention_factor
        return 0.1 * math.log(self.factor) + 1 if self.factor > 1 else 1.0

    def statements(self, forward: ForwardCall) -> list[str]:
        x, tensor = str(forward.arguments[0]), forward.inputs[0]
        angle, sine, cosine, first, second = map(forward.fresh, ("angle", "sine", "cosine", "first", "second"))
        width = self.turned(tensor.shape)
        rest = "" if width == tensor.shape[-1] else forward.fresh("rest")
        part = f"{x}[..., :{width}]" if rest else x
        halves = f"{x}[..., 0:{width}:2], {x}[..., 1:{width}:2]" if self.interleaved else f"{part}.chunk(2, dim=-1)"
        if self.interleaved and not rest:
            halves = f"{x}[..., 0::2], {x}[..., 1::2]"
        turned = [f"{first} * {cosine} - {second} * {sine}", f"{second} * {cosine} + {first} * {sine}"]
        if self.interleaved:
            turned = [f"torch.stack(({', '.join(turned)}), dim=-1).flatten(-2)"]
        turned += [f"{x}[..., {width}:]"] if rest else []
        joined = f"torch.cat(({', '.join(turned)}), dim=-1)" if len(turned) > 1 else turned[0]
        scale = "" if self.amplitude() == 1 else f" * {spell_number(self.amplitude())}"
        return [
            *self.angle_lines(forward, angle, width),
            f"{sine}, {cosine} = {angle}.sin().to({x}.dtype){scale}, {angle}.cos().to({x}.dtype){scale}",
            f"{first}, {second} = {halves}",
            f"{forward.targets[0]} = {joined}",
        ]

    def angle_lines(self, forward: ForwardCall, angle: str, width: int) -> list[str]:
        """The lines that make the angles (…, T, C/2)."""
        device = f"device={forward.arguments[0]}.device"
        times = f"{self.times(forward.arguments, forward.inputs)}.unsqueeze(-1)"
        plain = f"{spell_number(self.base)} ** (torch.arange(0, {width}, 2, {device}) / -{width})"
        if self.rope_type == "default":
            return [f"{angle} = {times} * {plain}"]
        if self.rope_type == "linear":
            return [f"{angle} = {times} * ({plain} / {spell_number(self.factor)})"]
        speed, share = forward.fresh("speed"), forward.fresh("share")
        if self.rope_type == "llama3":
            turns = f"{speed} * {self.original_max_position_embeddings / (2 * math.pi)!r}"
            least, gap = self.low_freq_factor, self.high_freq_factor - self.low_freq_factor
            kept = f"(({turns} - {spell_number(least)}) / {spell_number(gap)}).clamp(0, 1)"
        else:
            least, most = self.passage(width // 2)
            pairs = f"torch.arange({width // 2}, {device})"
            kept = f"1 - (({pairs} - {spell_number(least)}) / {spell_number(most - least)}).clamp(0, 1)"
        return [
            f"{speed} = {plain}",
            f"{share} = {kept}",
            f"{angle} = {times} * ({speed} * ({share} + (1 - {share}) / {spell_number(self.factor)}))",
        ]

    def saved(self, run: OpRun) -> Saved:
        x, positions = run.inputs
        leading = () if positions is None or len(positions.shape) == 1 else (x.shape[0],)
        return Saved(made=(Tensor((*leading, x.shape[-2], self.turned(x.shape) // 2), x.dtype),) * 2)  # sine, cosine

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Any]) -> Any:
        x, rank, width = inputs[0], len(tensors[0].shape), self.turned(tensors[0].shape)
        sine, cosine = self.sine_and_cosine(builder, inputs, tensors, width)
        part, rest = x, None
        if width != tensors[0].shape[-1]:
            sizes = builder.constant([width, tensors[0].shape[-1] - width])
            part, rest = builder.op("Split", x, sizes, outputs=2, axis=rank - 1)
        if self.interleaved:
            ends = builder.constant([2**63 - 1]), builder.constant([rank - 1]), builder.constant([2])
            first, second = (builder.op("Slice", part, builder.constant([at]), *ends) for at in (0, 1))
        else:
            first, second = builder.op("Split", part, outputs=2, axis=rank - 1, num_outputs=2)
        ahead = builder.op("Sub", builder.op("Mul", first, cosine), builder.op("Mul", second, sine))
        behind = builder.op("Add", builder.op("Mul", second, cosine), builder.op("Mul", first, sine))
        turned = [ahead, behind]
        if self.interleaved:
            pairs = [builder.op("Unsqueeze", each, builder.constant([rank])) for each in turned]
            turned = [builder.op("Reshape", builder.op("Concat", *pairs, axis=rank), builder.op("Shape", part))]
        turned += [] if rest is None else [rest]
        return builder.op("Concat", *turned, axis=rank - 1) if len(turned) > 1 else turned[0]

    def sine_and_cosine(
        self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Any], width: int
    ) -> tuple[Any, Any]:
        """The angles' sine and cosine in ONNX, which are computed once for all layers."""
        x, positions = tensors[0], inputs[1]
        read = x.shape[-2] if positions is None else (positions, len(x.shape))
        key = "rotary", read, (*self.speeds(width),), self.amplitude(), x.dtype
        sine, cosine = builder.once(key, lambda: self.made_waves(builder, inputs, tensors, width))
        return sine, cosine

    def made_waves(
        self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Any], width: int
    ) -> tuple[Any, Any]:
        """Write the nodes of the angles, of their sine and of their cosine."""
        times = self.times_onnx(builder, inputs, tensors)
        times = builder.op("Unsqueeze", builder.cast(times, "float32"), builder.constant([-1]))
        angle = builder.op("Mul", times, builder.constant(self.speeds(width), "float32"))
        made = [builder.op("Sin", angle), builder.op("Cos", angle)]
        if self.amplitude() != 1:
            made = [builder.op("Mul", each, builder.constant(self.amplitude(), "float32")) for each in made]
        if tensors[0].dtype != "float32":
            made = [builder.cast(each, tensors[0].dtype) for each in made]
        return made[0], made[1]

    def detail(self) -> str:
        return "" if self.rope_type == "default" else f"{self.rope_type}, ×{self.factor:.6g}"
