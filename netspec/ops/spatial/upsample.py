"""Interpolation: another size for the spatial dimensions."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from netspec.dims import Dim, Shape, Size, floor_div, pretty_shape, times_shape
from netspec.ops.core.arguments import OneOrMany
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_scalar, size_vectors, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.core.window import LAYOUT

INTERPOLATIONS = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "trilinear": (5,),
}
FINEST = 1024
"""The largest denominator of a factor that scales a symbolic size."""
SMALL = 128
"""Up to this sum of an image's height and width torch takes the nearest neighbour in a way of its own on a CPU."""

FLOAT, INT64, DOUBLE = 1, 7, 11
"""ONNX's numbers of three types."""


ATEN = {
    **{f"upsample_nearest{rank}d": "nearest" for rank in (1, 2, 3)},
    **{f"_upsample_nearest_exact{rank}d": "nearest-exact" for rank in (1, 2, 3)},
    "upsample_linear1d": "linear",
    "upsample_bilinear2d": "bilinear",
    "upsample_bicubic2d": "bicubic",
    "upsample_trilinear3d": "trilinear",
}
"""ATen's operators and what each interpolates by."""


def one_of(values: Any) -> Any:
    """Return the number that all of a list are, where they are equal; else the list."""
    return values[0] if isinstance(values, list) and len(set(values)) == 1 else values


@cache
def ratio(factor: float) -> tuple[int, int]:
    """Return the simple fraction that a factor stands for: 7 and 10 for 0.7. Raises ``ShapeError`` where it is none."""
    for below in range(1, FINEST + 1):
        above = round(factor * below)
        if factor in (above / below, math.nextafter(above / below, math.inf)):
            return above, below
    repair = "give a factor that is a simple fraction, such as 1.5 or 0.7, or a size"
    raise ShapeError(f"a symbolic size scaled by {factor} has no exact size", argument="scale_factor", help=repair)


@cache
def rounded_up(factor: float) -> float:
    """Return the least number of double precision that is not below the simple fraction that a factor stands for.

    With it ``⌊size · factor⌋`` is exact: 90 · 0.7 is 62.99999999999999 in double precision, and so 62 pixels.
    """
    try:
        above, below = ratio(factor)
    except ShapeError:
        return factor
    held, by = factor.as_integer_ratio()
    return math.nextafter(factor, math.inf) if held * below < above * by else factor


class Factors(OneOrMany):
    """A number above 0, or a list of such (kept as a tuple), of which each scales a size by a simple fraction."""

    def __init__(self) -> None:
        super().__init__(0, whole=False, optional=True)

    def read(self, value: Any) -> Any:
        held = super().read(value)
        if isinstance(held, tuple):
            return tuple(map(self.upwards, held))
        return self.upwards(held)

    def upwards(self, factor: Any) -> Any:
        """Return a factor with which sizes are exact."""
        return rounded_up(factor) if isinstance(factor, float) else factor


class Upsample(Op):
    """Interpolates to ``size``, or by ``scale_factor`` (``torch.nn.Upsample``): (N, C, H, W) -> (N, C, H', W').

    With ``like`` the size is that of another tensor's spatial dimensions. A factor scales as the simple fraction that
    it stands for: 0.7 makes 63 of 90.
    """

    name = "upsample"
    onnx_lacks = ("float64",)
    family = "shape"
    torch = "nn.Upsample"
    functional = "F.interpolate"
    main = "scale_factor"
    keyword_main = True
    ports = ("input", "like")
    optional = ("like",)
    without = ("recompute_scale_factor", "antialias")
    saved_for_backward = "nothing"

    size: Annotated[Any, OneOrMany(1, optional=True, symbolic=True)] = None
    scale_factor: Annotated[Any, Factors()] = None
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: bool | None = None

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        return tuple(ATEN)

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        x, mode = call.tensor("input"), ATEN[call.name]
        if x is None:
            return None
        corners = call.arguments.get("align_corners") if "nearest" not in mode else None
        factors = [
            int(each) if each == int(each) else each for each in call.arguments.get("scale_factors") or ()
        ] or None
        said = {"size": one_of(call.arguments.get("output_size")), "scale_factor": one_of(factors)}
        return OpReading({}, (x, None), {}, call.outputs).saying(**said, mode=mode, align_corners=corners or None)

    @property
    def has_module(self) -> bool:
        fixed = not any(isinstance(size, Dim) for size in self.sizes_read())
        return fixed and (self.size, self.scale_factor) != (None, None)  # with neither, its size is that of `like`

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield from self.size if isinstance(self.size, tuple) else () if self.size is None else (self.size,)

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = [tensor for tensor in inputs if tensor is not None]
        for size in self.sizes_read():
            find(self.name, size, given)
        super().infer(given[0])
        return (Tensor(self.made(inputs), given[0].dtype),)

    def made(self, inputs: Sequence[Tensor | None]) -> Shape:
        """Return the shape of the output."""
        given, like = inputs[0], inputs[1] if len(inputs) > 1 else None
        assert given is not None
        self.guard(given.shape, like)
        spatial = given.shape[2:]
        if like is not None:
            if len(like.shape) != len(given.shape):
                found = f"{pretty_shape(given.shape)} and {pretty_shape(like.shape)}"
                raise ShapeError(f"upsample takes a `like` with the same number of dimensions, but got {found}")
            return (*given.shape[:2], *like.shape[2:])
        wanted = self.size if self.scale_factor is None else self.scale_factor
        wanted = wanted if isinstance(wanted, tuple) else (wanted,) * len(spatial)
        argument = "size" if self.scale_factor is None else "scale_factor"
        if len(wanted) != len(spatial):
            raise ShapeError(f"{len(wanted)} numbers for {len(spatial)} spatial dimensions", argument=argument)
        made = tuple(wanted if self.scale_factor is None else map(scaled, spatial, wanted))
        if self.mode == "bicubic" and any(map(is_inexact, spatial, self.factors(len(spatial)))):
            repair = "give a factor that is exact in binary, such as 1.5, or a size"
            raise ShapeError(f"bicubic takes no factor of {self.scale_factor}", argument="scale_factor", help=repair)
        if self.mode == "bicubic" and made == spatial and set(wanted) != {1} and self.scale_factor is not None:
            text = f"scaled by {self.scale_factor}, {pretty_shape(spatial)} does not change, and bicubic would blur it"
            raise ShapeError(text, argument="scale_factor", help="give a factor of 1, or a larger one")
        return (*given.shape[:2], *made)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        like = inputs[1] if len(inputs) > 1 else None
        if like is None and self.has_module:
            return super().call(arguments[:1], ())
        if like is not None:
            size = f"{arguments[1]}.shape[2:]"
        else:
            sizes = [spell_size(self.name, size, arguments, inputs) for size in self.sizes_read()]
            size = f"({', '.join(sizes)})" if isinstance(self.size, tuple) and len(sizes) > 1 else sizes[0]
        keywords = [f", {name}={value!r}" for name, value in self.changed().items() if name != "size"]
        return f"F.interpolate({arguments[0]}, size={size}{''.join(keywords)})"

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        if self.scale_factor is None or self.mode != "nearest":
            return ()
        factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,) * rank
        return tuple(AccessWindow(1 / factor, 1 / factor - 1, 0) for factor in factors)

    def guard(self, shape: Shape, like: Tensor | None) -> None:
        """Raise ``ShapeError`` where torch refuses the arguments together, or the input's rank."""
        if [self.size, self.scale_factor, like].count(None) != 2:
            raise ShapeError("upsample takes either size, scale_factor or like", argument="scale_factor")
        if self.align_corners is not None and self.mode.startswith("nearest"):
            raise ShapeError(f"align_corners does not apply to mode {self.mode}", argument="align_corners")
        ranks = INTERPOLATIONS[self.mode]
        if len(shape) not in ranks:
            layout = " or ".join(LAYOUT[rank - 2] for rank in ranks)
            raise ShapeError(
                f"mode {self.mode} takes {layout}, but its input is {pretty_shape(shape)}", argument="mode"
            )

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        shape = tensors[0].shape
        made = self.made(tensors)
        count = len(shape) - 2
        factors = self.factors(count)
        if self.mode.startswith("nearest") and not all(map(_agrees, factors)):
            x = inputs[0]
            for axis, factor in enumerate(factors, start=2):
                left = self.is_left(builder, x, axis, shape, made)
                if left is True:
                    continue
                known = factor is None or isinstance(made[axis], int)
                to = size_scalar(builder, self.name, made[axis], inputs, tensors) if known else None
                index = self.nearest(builder, x, axis, to, factor)
                if left is not False:
                    own = builder.op("Range", builder.constant(0), builder.op("Size", index), builder.constant(1))
                    index = builder.op("Where", left, own, index)
                x = builder.op("Gather", x, index, axis=axis)
            return x
        inexact = any(map(is_inexact, shape[2:], factors))
        scales = sizes = None
        if inexact and not self.align_corners:
            return self.blended(builder, inputs[0], factors)
        if inexact:
            lengths = [builder.op("Shape", inputs[0], start=axis, end=axis + 1) for axis in range(2, 2 + count)]
            sizes = builder.op("Concat", *(_count(builder, *each) for each in zip(lengths, factors)), axis=0)
        elif self.scale_factor is None or all(map(_divides, shape[2:], made[2:], factors)):
            sizes = size_vectors(builder, self.name, made[2:], inputs, tensors)
        else:
            scales = self.scales(builder, inputs[0], shape, factors)
        axes = list(range(2, 2 + count))
        return builder.op("Resize", inputs[0], None, scales, sizes, axes=axes, **self.interpolation())

    def blended(self, builder: OnnxBuilder, x: Any, factors: Sequence[float]) -> Any:
        """Return the linear interpolation by factors that single precision does not hold, one dimension at a time."""
        half, one = builder.constant(0.5, "float32"), builder.constant(1)
        for axis, factor in enumerate(factors, start=2):
            length = builder.op("Squeeze", builder.op("Shape", x, start=axis, end=axis + 1), builder.constant([0]))
            count = _count(builder, length, factor)
            own = builder.op("Cast", builder.op("Range", builder.constant(0), count, one), to=FLOAT)
            places = builder.op("Mul", builder.op("Add", own, half), builder.constant(1 / factor, "float32"))
            places = builder.op("Max", builder.op("Sub", places, half), builder.constant(0.0, "float32"))
            places = builder.op("Where", builder.op("Equal", count, length), own, places)
            first = builder.op("Cast", builder.op("Floor", places), to=INT64)
            second = builder.op("Min", builder.op("Add", first, one), builder.op("Sub", length, one))
            share = builder.op("Sub", places, builder.op("Cast", first, to=FLOAT))
            behind = [*range(1, 2 + len(factors) - axis)]
            share = builder.op("Unsqueeze", share, builder.constant(behind)) if behind else share
            near, far = (builder.op("Gather", x, index, axis=axis) for index in (first, second))
            x = builder.op("Add", near, builder.op("Mul", builder.op("Sub", far, near), share))
        return x

    def scales(self, builder: OnnxBuilder, x: Any, shape: Shape, factors: Sequence[float]) -> Any:
        """The factor of each dimension: 1 where torch, interpolating linearly, leaves one as it is whose size stays."""
        if self.mode == "bicubic":
            return builder.constant(list(map(float, factors)), "float32")
        made: list[Any] = []
        for axis, (size, factor) in enumerate(zip(shape[2:], factors), start=2):
            same = self.stays(builder, x, axis, size, factor)
            scale = builder.constant([1.0 if same is True else float(factor)], "float32")
            if not isinstance(same, bool):
                scale = builder.op("Where", same, builder.constant([1.0], "float32"), scale)
            made.append(scale)
        return builder.op("Concat", *made, axis=0)

    def stays(self, builder: OnnxBuilder, x: Any, axis: int, size: Size, factor: float) -> Any:
        """Return whether a dimension keeps its size, as an ONNX value of one element where it depends on a symbol."""
        if isinstance(size, int) or not 1 <= factor < 2:
            return isinstance(size, int) and scaled(size, factor) == size
        length = builder.op("Shape", x, start=axis, end=axis + 1)
        return builder.op("Equal", _count(builder, length, factor), length)

    def nearest(self, builder: OnnxBuilder, x: Any, axis: int, to: Any, factor: float | None) -> Any:
        """Return the input that each output along ``axis`` copies, in single precision as torch computes it.

        There are as many as the value ``to`` says, or as the factor gives.
        """
        length = builder.op("Squeeze", builder.op("Shape", x, start=axis, end=axis + 1), builder.constant([0]))
        count = _count(builder, length, factor or 1) if to is None else to
        places = builder.op("Range", builder.constant(0), count, builder.constant(1))
        if factor is None:
            step = builder.op("Div", builder.op("Cast", length, to=FLOAT), builder.op("Cast", count, to=FLOAT))
        else:
            step = builder.constant(1 / factor, "float32")
        if self.mode == "nearest":
            places = builder.op("Mul", builder.op("Cast", places, to=FLOAT), step)
        else:
            # (place + 0.5) · step − 0.5 is one fused operation in torch: double precision, rounded once.
            half = builder.constant(0.5, "float64")
            places = builder.op("Add", builder.op("Cast", places, to=DOUBLE), half)
            places = builder.op("Sub", builder.op("Mul", places, builder.op("Cast", step, to=DOUBLE)), half)
            places = builder.op("Add", builder.op("Cast", places, to=FLOAT), builder.constant(0.5, "float32"))
        index = builder.op("Cast", builder.op("Floor", places), to=INT64)
        return builder.op("Min", index, builder.op("Sub", length, builder.constant(1)))

    def is_left(self, builder: OnnxBuilder, x: Any, axis: int, shape: Shape, made: Shape) -> Any:
        """Return whether torch, taking the nearest neighbour, leaves a dimension as it is: a truth, or an ONNX value.

        It does so in its way for small images, where the size stays.
        """
        factor = self.factors(len(shape) - 2)[axis - 2]
        if factor is None:
            return shape[axis] == made[axis]
        if factor == 1 or self.mode != "nearest" or len(shape) != 4:
            return factor == 1
        same = self.stays(builder, x, axis, shape[axis], factor)
        known = [size for size in made[2:] if isinstance(size, int)]
        if same is False or len(known) == 2:
            return same is True and sum(known) <= SMALL
        lengths = [builder.op("Shape", x, start=at, end=at + 1) for at in (2, 3)]
        counts = [_count(builder, length, each) for length, each in zip(lengths, self.factors(2))]
        small = builder.op("LessOrEqual", builder.op("Add", *counts), builder.constant([SMALL]))
        return small if same is True else builder.op("And", same, small)

    def factors(self, rank: int) -> tuple[Any, ...]:
        """The factor of each spatial dimension; ``None`` where a size is given."""
        return self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,) * rank

    def interpolation(self) -> dict[str, Any]:
        """Return the attributes with which ONNX's Resize interpolates as torch does."""
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
            amount = "→" + times_shape(tuple(self.sizes_read())) if self.size is not None else "→ like"
        else:
            factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,)
            amount = "×" + "×".join(f"{factor:.12g}" for factor in factors)
        return amount if self.mode == "nearest" else f"{amount}, {self.mode}"


def scaled(size: Size, factor: float) -> Size:
    """``⌊size · factor⌋``, as torch rounds it."""
    if isinstance(size, int):
        made = math.floor(size * factor)
        if made < 1:
            raise ShapeError(f"a size of {size} scaled by {factor} is empty", argument="scale_factor")
        return made
    above, below = ratio(factor)
    return floor_div(size * above, below)


def is_inexact(size: Size, factor: float | None) -> bool:
    """Return whether single precision, in which ONNX has a factor, may give a symbolic size another number."""
    return isinstance(size, Dim) and factor is not None and factor.as_integer_ratio()[1] > FINEST


def _divides(size: Size, made: Size, factor: float) -> bool:
    """Return whether the known sizes alone say the factor."""
    return isinstance(size, int) and isinstance(made, int) and made == size * factor


def _agrees(factor: float | None) -> bool:
    """Return whether torch and ONNX take the same neighbour: torch multiplies by the factor's inverse, ONNX divides.

    That was so for every whole factor up to 40 at the first 2^20 positions.
    """
    return factor is not None and factor <= 40 and factor == int(factor)


def _count(builder: OnnxBuilder, length: Any, factor: float) -> Any:
    """Return how many outputs a symbolic length scaled by a factor gives."""
    above, below = ratio(factor)
    return builder.op("Div", builder.op("Mul", length, builder.constant(above)), builder.constant(below))
