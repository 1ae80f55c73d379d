"""Augmentations: torchvision's transforms of single images, and the mixing of whole batches."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from netspec.ops.core.arguments import Argument, PerDimension, Positive, Probability, spread
from netspec.recipes.base import Column
from netspec.recipes.data.base import Mixing, Transform


class Interval(Argument):
    """Two numbers from ``low`` to ``high``, the smaller one first (kept as a tuple).

    ``alone`` takes one number of at least 0, which stands for an interval around a middle.
    """

    def __init__(self, low: float, high: float | None = None, *, alone: bool = False):
        self.low, self.high, self.alone = low, high, alone
        bounds = f"of at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        self.wanted = f"a list of two numbers {bounds}, the smaller one first"
        self.wanted = f"a number of at least 0, or {self.wanted}" if alone else self.wanted

    def read(self, value: Any) -> Any:
        if self.alone and (value is None or (_is_number(value) and 0 <= value <= (self.high or value))):
            return value
        if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_number, value)):
            raise ValueError(self.wanted)
        if not self.low <= value[0] <= value[1] or (self.high is not None and value[1] > self.high):
            raise ValueError(self.wanted)
        return tuple(map(float, value))

    def json_schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.low, **({} if self.high is None else {"maximum": self.high})}
        pair = {"type": "array", "items": {"type": "number", **bounds}, "minItems": 2, "maxItems": 2}
        return {"anyOf": [{"type": "number", "minimum": 0}, pair, {"type": "null"}]} if self.alone else pair


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


Share = Annotated[Any, Interval(0, 1)]
Aspect = Annotated[Any, Interval(0.01)]
Factor = Annotated[Any, Interval(0, alone=True)]
Turn = Annotated[Any, Interval(-0.5, 0.5, alone=True)]
Interpolation = Literal["nearest", "bilinear"]


class TorchvisionTransform(Transform):
    """Base of torchvision's own, done to each image with random numbers of its own; ``of`` is the full name.

    The fields are the arguments of torchvision's class.
    """

    torch = "netspec.train.data.augmentations.by_torchvision"
    draws = 1
    of: ClassVar[str]

    @property
    def apart(self) -> bool:
        return True

    def keywords(self, height: int, width: int) -> dict[str, Any]:
        """Return the arguments of torchvision's class, for images of that size."""
        return self.model_dump()

    def infer(self, column: Column) -> Column:
        if self.of_colours and column.shape[0] not in (1, 3):
            raise ValueError(f"`{self.name}` takes images of 1 or 3 channels, but these have {column.shape[0]}")
        return column


class RandomResizedCrop(TorchvisionTransform):
    """A part of the image, of a random area and aspect ratio, brought to one size; needs the package torchvision.

    Without `size` it is the image's own. With another, the network is trained at a size and judged at another.
    """

    name = "random_resized_crop"
    main = "size"
    of = "torchvision.transforms.v2.RandomResizedCrop"

    size: Annotated[Any, PerDimension(2, 1, optional=True)] = None
    """the height and width, one number for both or two; default: those of the image"""
    scale: Share = (0.08, 1.0)
    """the least and the largest share of the area"""
    ratio: Aspect = (3 / 4, 4 / 3)
    """the least and the largest width divided by the height"""
    interpolation: Interpolation = "bilinear"
    """the way to numbers between pixels"""
    antialias: bool = True
    """smooth what is made smaller"""

    def keywords(self, height: int, width: int) -> dict[str, Any]:
        size = (height, width) if self.size is None else spread(self.size, 2)
        return {**self.model_dump(), "size": size}

    def infer(self, column: Column) -> Column:
        if self.size is None:
            return column
        return Column((column.shape[0], *spread(self.size, 2)), column.dtype)


class ColorJitter(TorchvisionTransform):
    """Other brightness, contrast, saturation and hue, in a random order; needs the package torchvision.

    A number b stands for factors from 1 − b to 1 + b, of the hue for turns from −b to b of the whole circle.
    """

    name = "color_jitter"
    of = "torchvision.transforms.v2.ColorJitter"
    of_colours = True

    brightness: Factor = None
    """the change of the brightness, or the least and the largest factor"""
    contrast: Factor = None
    """the change of the contrast, or the least and the largest factor"""
    saturation: Factor = None
    """the change of the saturation, or the least and the largest factor"""
    hue: Turn = None
    """the change of the hue, at most half a turn, or the least and the largest turn"""


class RandAugment(TorchvisionTransform):
    """Some of fourteen changes of an image, all equally strong (Cubuk et al. 2019); needs the package torchvision."""

    name = "rand_augment"
    of = "torchvision.transforms.v2.RandAugment"
    of_colours = True

    num_ops: Positive = 2
    """the number of changes, one after another"""
    num_magnitude_bins: Annotated[int, Field(ge=2)] = 31
    """the number of strengths that there are"""
    magnitude: Annotated[int, Field(ge=0)] = 9
    """the strength of the changes, from 0 to `num_magnitude_bins` − 1"""
    interpolation: Interpolation = "nearest"
    """the way to numbers between pixels"""
    fill: Probability | None = None
    """the number of what lies outside of the image; default: 0"""

    @field_validator("magnitude")
    @classmethod
    def _is_a_bin(cls, value: int, info: ValidationInfo) -> int:
        bins = info.data.get("num_magnitude_bins", value + 1)
        if value >= bins:
            raise ValueError(f"a number below `num_magnitude_bins`, which is {bins}")
        return value


class TrivialAugment(TorchvisionTransform):
    """One of fourteen changes of an image, of any strength (Müller and Hutter 2021); needs the package torchvision."""

    name = "trivial_augment"
    of = "torchvision.transforms.v2.TrivialAugmentWide"
    of_colours = True

    num_magnitude_bins: Annotated[int, Field(ge=2)] = 31
    """the number of strengths that there are"""
    interpolation: Interpolation = "nearest"
    """the way to numbers between pixels"""
    fill: Probability | None = None
    """the number of what lies outside of the image; default: 0"""


class RandomErasing(Transform):
    """A rectangle somewhere in the image that is erased, with probability `p` (Zhong et al. 2017).

    Its area and aspect ratio are random, as torchvision's, whose package it needs. With `size`, which needs no package,
    it is a square of zeros whose centre may lie anywhere, cut off at the border (DeVries and Taylor 2017).
    """

    name = "random_erasing"
    main = "size"
    torch = "netspec.train.data.augmentations.random_erasing"
    draws = 3

    size: Positive | None = None
    """the side of a square of zeros; default: a rectangle by `scale` and `ratio`"""
    p: Probability = 0.5
    """the probability that an image gets one"""
    scale: Share = (0.02, 0.33)
    """the least and the largest share of the image's area"""
    ratio: Aspect = (0.3, 3.3)
    """the least and the largest height divided by the width"""
    value: float | list[float] | Literal["random"] = 0.0
    """the number that erases, one for each channel, or `random` for normal noise"""

    @property
    def apart(self) -> bool:
        return self.size is None

    def infer(self, column: Column) -> Column:
        if isinstance(self.value, list) and len(self.value) not in (1, column.shape[0]):
            channels = column.shape[0]
            raise ValueError(f"`random_erasing` has {len(self.value)} numbers for images of {channels} channels")
        return column


class MixUp(Mixing):
    """Each row as the mean of itself and the row before it in the batch, by a random share (Zhang et al. 2017).

    Their targets are mixed alike: of classes, the network is to give each its share of the probability.
    """

    name = "mixup"
    torch = "netspec.train.data.mixing.mixup"

    def takes(self, column: Column) -> bool:
        return not column.target and column.dtype.startswith("float")


class CutMix(Mixing):
    """Each image with a rectangle from the image before it in the batch, at the same place (Yun et al. 2019).

    Their targets are mixed by the rectangle's share of the area.
    """

    name = "cutmix"
    torch = "netspec.train.data.mixing.cutmix"
