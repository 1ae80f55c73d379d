"""Ops that enlarge or shrink the spatial dimensions: padding, interpolation, pixel shuffling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Shape, Size, floor_div, pretty_shape
from netspec.ops.arguments import Integers, OneOrMany, Positive
from netspec.ops.base import OnnxBuilder, Op, ShapeError, Tensor, known, need_rank
from netspec.ops.window import LAYOUT, PADDING_MODES, guard_padding


class Pad(Op):
    """Pads the last dimensions (``F.pad``); amounts come in pairs, the last dimension first: (…, H, W) -> (…, H', W').

    Negative amounts crop; only ``constant`` takes them.
    """

    name = "pad"
    family = "shape"
    functional = "F.pad"
    main = "pad"
    any_dtype = True

    pad: Integers
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: float | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(size + before + after for size, (before, after) in zip(shapes[0], self.amounts(shapes[0])))

    def amounts(self, shape: Shape) -> list[tuple[int, int]]:
        """What each dimension gets before and after it."""
        if len(self.pad) % 2 or len(self.pad) > 2 * len(shape):
            wanted = f"at most {len(shape)} pairs of amounts, the last dimension first"
            raise ShapeError(f"pad takes {wanted}, but got {len(self.pad)} numbers", argument="pad")
        pairs = list(zip(self.pad[::2], self.pad[1::2]))
        if self.mode != "constant":
            self.guard_mode(shape, pairs)
        amounts = [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]
        for size, (before, after) in zip(shape, amounts):
            guard_padding(self.mode, size, before, after)
            if isinstance(size, int) and size + before + after < 1:
                raise ShapeError(f"pad leaves nothing of a size of {size}", argument="pad")
        return amounts

    def guard_mode(self, shape: Shape, pairs: Sequence[tuple[int, int]]) -> None:
        """What torch asks of the modes that repeat the input."""
        if len(pairs) > 3 or len(shape) not in (len(pairs) + 1, len(pairs) + 2):
            raise ShapeError(f"{self.mode} padding pads all dimensions but [N, C] or [C], at most 3", argument="pad")
        if min(self.pad) < 0:
            raise ShapeError(f"{self.mode} padding takes amounts of at least 0", argument="pad")
        if self.value is not None:
            raise ShapeError(f"{self.mode} padding takes no value", argument="value")

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        before, after = (list(side) for side in zip(*self.amounts(tensors[0].shape)))
        value = builder.constant(self.value, tensors[0].dtype) if self.value else None
        return builder.op("Pad", inputs[0], builder.constant([*before, *after]), value, mode=PADDING_MODES[self.mode])

    def detail(self) -> str:
        mode = "" if self.mode == "constant" else f", {self.mode}"
        return " ".join(map(str, self.pad)) + mode


INTERPOLATIONS = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "trilinear": (5,),
}
FINEST = 1024


class Upsample(Op):
    """Interpolates to ``size``, or by ``scale_factor`` (``torch.nn.Upsample``): (N, C, H, W) -> (N, C, H', W')."""

    name = "upsample"
    family = "shape"
    torch = "nn.Upsample"
    functional = "F.interpolate"
    main = "scale_factor"
    keyword_main = True

    size: Annotated[Any, OneOrMany(1, optional=True)] = None
    scale_factor: Annotated[Any, OneOrMany(0, whole=False, optional=True)] = None
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: bool | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        self.guard(shapes[0])
        spatial = shapes[0][2:]
        wanted = self.size if self.scale_factor is None else self.scale_factor
        wanted = wanted if isinstance(wanted, tuple) else (wanted,) * len(spatial)
        argument = "size" if self.scale_factor is None else "scale_factor"
        if len(wanted) != len(spatial):
            raise ShapeError(f"{len(wanted)} numbers for {len(spatial)} spatial dimensions", argument=argument)
        made = wanted if self.scale_factor is None else map(scaled, spatial, wanted)
        return (*shapes[0][:2], *made)

    def guard(self, shape: Shape) -> None:
        """What torch asks of the arguments together, and of the input's rank."""
        if (self.size is None) == (self.scale_factor is None):
            raise ShapeError("upsample takes either size or scale_factor", argument="scale_factor")
        if self.align_corners is not None and self.mode.startswith("nearest"):
            raise ShapeError(f"align_corners does not go with mode {self.mode}", argument="align_corners")
        ranks = INTERPOLATIONS[self.mode]
        if len(shape) not in ranks:
            layout = " or ".join(LAYOUT[rank - 2] for rank in ranks)
            raise ShapeError(
                f"mode {self.mode} takes {layout}, but its input is {pretty_shape(shape)}", argument="mode"
            )

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        made = self.output_shape(tensors[0].shape)[2:]
        axes = list(range(2, 2 + len(made)))
        factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,) * len(made)
        scales = sizes = None
        if self.scale_factor is None or all(map(_divides, tensors[0].shape[2:], made, factors)):
            sizes = builder.constant(list(made))
        else:
            scales = builder.constant([float(factor) for factor in factors], "float32")
        return builder.op("Resize", inputs[0], None, scales, sizes, axes=axes, **self.interpolation())

    def interpolation(self) -> dict[str, Any]:
        """How ONNX's Resize is told to interpolate as torch does."""
        match self.mode:
            case "nearest":
                return {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            case "nearest-exact":
                places = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
                return {"mode": "nearest", **places}
        corners = "align_corners" if self.align_corners else "half_pixel"
        if self.mode == "bicubic":
            return {"mode": "cubic", "coordinate_transformation_mode": corners, "cubic_coeff_a": -0.75}
        return {"mode": "linear", "coordinate_transformation_mode": corners}

    def detail(self) -> str:
        if self.scale_factor is None:
            amount = "→" + "×".join(map(str, self.size if isinstance(self.size, tuple) else (self.size,)))
        else:
            factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,)
            amount = "×" + "×".join(map(str, factors))
        return amount if self.mode == "nearest" else f"{amount}, {self.mode}"


def scaled(size: Size, factor: float) -> Size:
    """``⌊size · factor⌋``, as torch rounds it."""
    if isinstance(size, int):
        made = math.floor(size * factor)
        if made < 1:
            raise ShapeError(f"a size of {size} scaled by {factor} leaves nothing", argument="scale_factor")
        return made
    above, below = factor.as_integer_ratio()
    if below > FINEST:
        help = "give a factor that is exact in binary, such as 1.5, or a size"
        raise ShapeError(f"{size} scaled by {factor} has no exact size", argument="scale_factor", help=help)
    return floor_div(size * above, below)


def _divides(size: Size, made: Size, factor: float) -> bool:
    """Whether the known sizes alone say the factor."""
    return isinstance(size, int) and isinstance(made, int) and made == size * factor


class PixelShuffle(Op):
    """Moves channels into space (``torch.nn.PixelShuffle``): (N, C·r², H, W) -> (N, C, H·r, W·r)."""

    name = "pixel_shuffle"
    family = "shape"
    torch = "nn.PixelShuffle"
    functional = "F.pixel_shuffle"
    main = "upscale_factor"
    any_dtype = True

    upscale_factor: Positive

    def output_shape(self, *shapes: Shape) -> Shape:
        need_rank(self.name, shapes[0], 4, layout=LAYOUT[2])
        batch, channels, height, width = shapes[0]
        factor = self.upscale_factor
        channels = known(channels, "the number of channels that pixel_shuffle takes")
        if channels % factor**2:
            raise ShapeError(f"{channels} channels are not a multiple of {factor}²", argument="upscale_factor")
        return (batch, channels // factor**2, height * factor, width * factor)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("DepthToSpace", inputs[0], blocksize=self.upscale_factor, mode="CRD")


class PixelUnshuffle(Op):
    """Moves space into channels (``torch.nn.PixelUnshuffle``): (N, C, H·r, W·r) -> (N, C·r², H, W)."""

    name = "pixel_unshuffle"
    family = "shape"
    torch = "nn.PixelUnshuffle"
    functional = "F.pixel_unshuffle"
    main = "downscale_factor"
    any_dtype = True

    downscale_factor: Positive

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
        area = self.downscale_factor**2
        made = builder.op("SpaceToDepth", inputs[0], blocksize=self.downscale_factor)
        order = [place * channels + channel for channel in range(channels) for place in range(area)]
        return builder.op("Gather", made, builder.constant(order), axis=1)
