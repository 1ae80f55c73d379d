"""Ops that move elements without computing: padding, and shuffling of pixels and channels."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Shape, Size, floor_div, pretty
from netspec.ops.core.arguments import Number, Positive, Sizes, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading, number_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_vectors, spell_size
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, known, need_rank
from netspec.ops.core.window import LAYOUT, NAMED_AXES, PADDING_MODES, enough_to_repeat, padded

ROUND = 19
"""The first opset whose Pad goes round, by amounts that may be symbolic."""


class Pad(Op):
    """Pads the last dimensions (``F.pad``); amounts come in pairs, the last dimension first: (…, H, W) -> (…, H', W').

    Negative amounts crop; only ``constant`` takes them.
    """

    name = "pad"
    family = "shape"
    functional = "F.pad"
    main = "pad"
    any_dtype = True

    onnx_nodes = ("Pad",)

    onnx_better = NAMED_AXES

    pad: Annotated[Any, Sizes(None)]
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: Annotated[Any, Number(optional=True)] = None

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, pads, given = call.tensor("data"), call.arguments.get("pads"), call.arguments
        if x is None or not isinstance(pads, list):
            return None
        rank, axes = len(x.shape), given.get("axes")
        places = range(rank) if axes is None else [axis % rank for axis in axes]
        amounts = {axis: pair for axis, *pair in zip(places, pads, pads[len(places) :])}
        outer = min((axis for axis, pair in amounts.items() if pair != [0, 0]), default=rank)
        listed = tuple(size for axis in reversed(range(outer, rank)) for size in amounts.get(axis, (0, 0)))
        value = number_of(given.get("constant_value", given.get("value", 0.0)))
        mode = {name: mode for mode, name in PADDING_MODES.items() if name}.get(given.get("mode", "constant"))
        mode = "constant" if given.get("mode", "constant") == "constant" else mode
        if mode is None or value is None or not listed:
            return None
        return OpReading({"pad": listed, "mode": mode, "value": value or None}, (x,), {}, call.outputs)

    def onnx_opset(self, *inputs: Tensor | None) -> int:
        symbolic = any(not isinstance(amount, int) for amount in self.pad)
        return ROUND if self.mode == "circular" and symbolic else 0

    def sizes_read(self, *inputs: Tensor) -> Iterable[Size]:
        yield from self.pad

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for size in self.pad:
            find("pad", size, inputs)
        if self.mode in ("reflect", "replicate") and inputs[0].dtype == "bool":
            raise ShapeError(
                f"torch does not support {self.mode} padding of bool",
                argument="mode",
                help="write `- cast: int64` before it",
            )
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(size + before + after for size, (before, after) in zip(shapes[0], self.amounts(shapes[0])))

    def amounts(self, shape: Shape) -> list[tuple[Size, Size]]:
        """Return the padding before and after each dimension."""
        if len(self.pad) % 2 or len(self.pad) > 2 * len(shape):
            wanted = f"at most {len(shape)} pairs of amounts, the last dimension first"
            raise ShapeError(f"pad takes {wanted}, but got {len(self.pad)} numbers", argument="pad")
        pairs = list(zip(self.pad[::2], self.pad[1::2]))
        if self.mode != "constant":
            self.guard_mode(shape, pairs)
        return [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        shape = inputs[0].shape
        for amount in self.pad if self.mode != "constant" else ():
            reason = f"{self.mode} padding takes amounts of at least 0"
            yield Bound(amount, reason, least=0, argument="pad")
        for size, (before, after) in zip(shape, self.amounts(shape)):
            yield from enough_to_repeat(self.mode, size, (before, after), "pad")
            cropped = sum(max(-amount, 0) for amount in (before, after) if isinstance(amount, int))
            if cropped:
                yield Bound(size, f"pad takes a size of at least {cropped} to crop", least=cropped, argument="pad")

    def guard_mode(self, shape: Shape, pairs: Sequence[tuple[Size, Size]]) -> None:
        """Raise ``ShapeError`` where torch refuses a mode that repeats the input."""
        if len(pairs) > 3 or len(shape) not in (len(pairs) + 1, len(pairs) + 2):
            raise ShapeError(f"{self.mode} padding pads all dimensions except [N, C] or [C], at most 3", argument="pad")
        if any(isinstance(amount, int) and amount < 0 for amount in self.pad):
            raise ShapeError(f"{self.mode} padding takes amounts of at least 0", argument="pad")
        if self.value is not None:
            raise ShapeError(f"{self.mode} padding takes no value", argument="value")

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        pads = ", ".join(spell_size("pad", amount, arguments, inputs) for amount in self.pad)
        mode = f", mode={self.mode!r}" if self.mode != "constant" else ""
        value = f", value={spell_number(self.value)}" if self.value is not None else ""
        return f"F.pad({arguments[0]}, ({pads}){mode}{value})"

    def saved(self, run: OpRun) -> Saved:
        return Saved((0,) if self.mode in ("reflect", "replicate") else ())

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        before, after = (list(side) for side in zip(*self.amounts(tensors[0].shape)))
        value = builder.constant(float(self.value), tensors[0].dtype) if self.value else None
        mode = PADDING_MODES[self.mode]
        if all(isinstance(amount, int) for amount in self.pad):
            return padded(builder, inputs[0], [*before, *after], value, mode)
        amounts = size_vectors(builder, "pad", [*before, *after], inputs, tensors)
        return builder.op("Pad", inputs[0], amounts, value, builder.constant([*range(len(before))]), mode=mode)

    def detail(self) -> str:
        mode = "" if self.mode == "constant" else f", {self.mode}"
        return " ".join(f"({text})" if " " in (text := pretty(amount)) else text for amount in self.pad) + mode


class PixelShuffle(Op):
    """Moves channels into space (``torch.nn.PixelShuffle``): (N, C·r², H, W) -> (N, C, H·r, W·r)."""

    name = "pixel_shuffle"
    onnx_nodes = ("DepthToSpace",)
    family = "shape"
    torch = "nn.PixelShuffle"
    functional = "F.pixel_shuffle"
    main = "upscale_factor"
    any_dtype = True
    saved_for_backward = "nothing"

    upscale_factor: Positive

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        if call.arguments.get("mode", "DCR") != "CRD":
            return None
        return OpReading({"upscale_factor": call.arguments["blocksize"]}, (call.tensor("input"),), {}, call.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 4, layout=LAYOUT[2])
        batch, channels, height, width = shapes[0]
        factor = self.upscale_factor
        channels = known(channels, "the number of channels that pixel_shuffle takes")
        if channels % factor**2:
            raise ShapeError(f"{channels} channels are not a multiple of {factor}²", argument="upscale_factor")
        return (batch, channels // factor**2, height * factor, width * factor)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if "float" in tensors[0].dtype:
            return builder.op("DepthToSpace", inputs[0], blocksize=self.upscale_factor, mode="CRD")
        x, factor, channels = inputs[0], self.upscale_factor, self.output_shape(tensors[0].shape)[1]
        lengths = builder.op("Shape", x, start=2, end=4)
        split = builder.op("Concat", builder.constant([0, channels, factor, factor]), lengths, axis=0)
        x = builder.op("Transpose", builder.op("Reshape", x, split), perm=[0, 1, 4, 2, 5, 3])
        larger = builder.op("Mul", lengths, builder.constant([factor, factor]))
        return builder.op("Reshape", x, builder.op("Concat", builder.constant([0, channels]), larger, axis=0))


class PixelUnshuffle(Op):
    """Moves space into channels (``torch.nn.PixelUnshuffle``): (N, C, H·r, W·r) -> (N, C·r², H, W)."""

    name = "pixel_unshuffle"
    onnx_nodes = ("SpaceToDepth",)
    family = "shape"
    torch = "nn.PixelUnshuffle"
    functional = "F.pixel_unshuffle"
    main = "downscale_factor"
    any_dtype = True
    saved_for_backward = "nothing"

    downscale_factor: Positive

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        if call.arguments["input"].shape[1] != 1:  # else its channels come in another order
            return None
        return OpReading({"downscale_factor": call.arguments["blocksize"]}, (call.tensor("input"),), {}, call.outputs)

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        for size in inputs[0].shape[2:]:
            factor = self.downscale_factor
            yield size, floor_div(size, factor) * factor, f"pixel_unshuffle takes a multiple of {factor}"

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 4, layout=LAYOUT[2])
        factor = self.downscale_factor
        for size in shapes[0][2:]:
            if isinstance(size, int) and size % factor:
                raise ShapeError(f"a size of {size} is not a multiple of {factor}", argument="downscale_factor")
        batch, channels, height, width = shapes[0]
        return (batch, channels * factor**2, floor_div(height, factor), floor_div(width, factor))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        channels = known(tensors[0].shape[1], "the number of channels that pixel_unshuffle takes")
        factor, area = self.downscale_factor, self.downscale_factor**2
        if "float" not in tensors[0].dtype:
            parts = builder.constant([factor])
            sizes = [builder.op("Div", builder.op("Shape", inputs[0], start=at, end=at + 1), parts) for at in (2, 3)]
            split = [builder.constant([0, channels]), sizes[0], parts, sizes[1], parts]
            result = builder.op("Reshape", inputs[0], builder.op("Concat", *split, axis=0))
            result = builder.op("Transpose", result, perm=[0, 1, 3, 5, 2, 4])
            joined = builder.op("Concat", builder.constant([0, channels * area]), *sizes, axis=0)
            return builder.op("Reshape", result, joined)
        result = builder.op("SpaceToDepth", inputs[0], blocksize=self.downscale_factor)
        order = [place * channels + channel for channel in range(channels) for place in range(area)]
        return builder.op("Gather", result, builder.constant(order), axis=1)


class ChannelShuffle(Op):
    """Takes the channels of each group in turns (``torch.nn.ChannelShuffle``): (N, C, …), kept."""

    name = "channel_shuffle"
    family = "shape"
    torch = "nn.ChannelShuffle"
    functional = "F.channel_shuffle"
    main = "groups"
    any_dtype = True
    saved_for_backward = "nothing"

    groups: Positive

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 3:
            need_rank(self.name, shapes[0], 3, layout="[N, C, …] with at least one spatial dimension")
        channels = known(shapes[0][1], "the number of channels that channel_shuffle takes")
        if channels % self.groups:
            found = f"{channels} channels cannot be divided into {self.groups} groups"
            raise ShapeError(found, argument="groups")
        return shapes[0]

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        channels = known(tensors[0].shape[1], "the number of channels that channel_shuffle takes")
        split = builder.constant([0, self.groups, channels // self.groups, -1])
        x = builder.op("Transpose", builder.op("Reshape", inputs[0], split), perm=[0, 2, 1, 3])
        return builder.op("Reshape", x, builder.op("Shape", inputs[0]))
