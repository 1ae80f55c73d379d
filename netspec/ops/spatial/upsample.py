"""Interpolation: another size for the spatial dimensions."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from netspec.dims import Shape, Size, floor_div, pretty_shape
from netspec.ops.core.arguments import OneOrMany
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.onnx_form import OnnxBuilder
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
SMALL = 128
"""Up to this sum of an image's height and width torch takes the nearest neighbour in a way of its own on a CPU."""

FLOAT, INT64, DOUBLE = 1, 7, 11
"""ONNX's numbers of three types."""


class Upsample(Op):
    """Interpolates to ``size``, or by ``scale_factor`` (``torch.nn.Upsample``): (N, C, H, W) -> (N, C, H', W')."""

    name = "upsample"
    onnx_lacks = ("float64",)
    family = "shape"
    torch = "nn.Upsample"
    functional = "F.interpolate"
    main = "scale_factor"
    keyword_main = True
    without = ("recompute_scale_factor", "antialias")
    saved_for_backward = "nothing"

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
        made = tuple(wanted if self.scale_factor is None else map(scaled, spatial, wanted))
        if self.mode == "bicubic" and made == spatial and set(wanted) != {1} and self.scale_factor is not None:
            text = f"scaled by {self.scale_factor}, {pretty_shape(spatial)} does not change, and bicubic would blur it"
            raise ShapeError(text, argument="scale_factor", help="give a factor of 1, or a larger one")
        return (*shapes[0][:2], *made)

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        if self.scale_factor is None or self.mode != "nearest":
            return ()
        factors = self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,) * rank
        return tuple(AccessWindow(1 / factor, 1 / factor - 1, 0) for factor in factors)

    def guard(self, shape: Shape) -> None:
        """Raise ``ShapeError`` where torch refuses the arguments together, or the input's rank."""
        if (self.size is None) == (self.scale_factor is None):
            raise ShapeError("upsample takes either size or scale_factor", argument="scale_factor")
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
        made = self.output_shape(shape)
        count = len(shape) - 2
        factors = self.factors(count)
        if self.mode.startswith("nearest") and not all(map(_agrees, factors)):
            x = inputs[0]
            for axis, factor in enumerate(factors, start=2):
                left = self.is_left(builder, x, axis, shape)
                if left is True:
                    continue
                index = self.nearest(builder, x, axis, made[axis], factor)
                if left is not False:
                    own = builder.op("Range", builder.constant(0), builder.op("Size", index), builder.constant(1))
                    index = builder.op("Where", left, own, index)
                x = builder.op("Gather", x, index, axis=axis)
            return x
        scales = sizes = None
        if self.scale_factor is None or all(map(_divides, shape[2:], made[2:], factors)):
            sizes = builder.constant(list(made[2:]))
        else:
            scales = self.scales(builder, inputs[0], shape, factors)
        axes = list(range(2, 2 + count))
        return builder.op("Resize", inputs[0], None, scales, sizes, axes=axes, **self.interpolation())

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

    def nearest(self, builder: OnnxBuilder, x: Any, axis: int, to: Size, factor: float | None) -> Any:
        """Return the input that each output along ``axis`` copies, in single precision as torch computes it."""
        length = builder.op("Squeeze", builder.op("Shape", x, start=axis, end=axis + 1), builder.constant([0]))
        count = builder.constant(to) if isinstance(to, int) else _count(builder, length, factor or 1)
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

    def is_left(self, builder: OnnxBuilder, x: Any, axis: int, shape: Shape) -> Any:
        """Return whether torch, taking the nearest neighbour, leaves a dimension as it is: a truth, or an ONNX value.

        It does so in its way for small images, where the size stays.
        """
        made, factor = self.output_shape(shape), self.factors(len(shape) - 2)[axis - 2]
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
            raise ShapeError(f"a size of {size} scaled by {factor} is empty", argument="scale_factor")
        return made
    above, below = factor.as_integer_ratio()
    if below > FINEST:
        repair = "give a factor that is exact in binary, such as 1.5, or a size"
        raise ShapeError(f"{size} scaled by {factor} has no exact size", argument="scale_factor", help=repair)
    return floor_div(size * above, below)


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
    above, below = factor.as_integer_ratio()
    return builder.op("Div", builder.op("Mul", length, builder.constant(above)), builder.constant(below))
