"""Transforms of the data: what prepares every row (``prepare``), and what varies the training rows (``augment``)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from netspec.ops.core.arguments import Natural, PerDimension, Positive, Probability, spread
from netspec.recipes.base import Column
from netspec.recipes.data.base import Transform


def resized(builder: Any, images: Any, size: Sequence[int]) -> Any:
    """Return images, [n, C, H, W], in another height and width by an ONNX node, smoothed as Pillow and torch do."""
    sizes = builder.constant([*size])
    ways = {"mode": "linear", "antialias": 1, "exclude_outside": 1}  # at the border, weights are those of pixels alone
    return builder.op("Resize", images, None, None, sizes, axes=[2, 3], **ways)


def rescaled(builder: Any, rows: Any, dtype: str, mean: Any, std: Any) -> Any:
    """Return (rows − mean)/std by ONNX nodes."""
    centred = builder.op("Sub", rows, builder.constant(mean, dtype))
    return builder.op("Div", centred, builder.constant(std, dtype))


def _by_channel(values: float | list[float]) -> list[list[list[float]]]:
    return [[[value]] for value in (values if isinstance(values, list) else [values])]


Side = Annotated[Any, PerDimension(2, 1)]


def _order(dims: list[int]) -> list[int]:
    if sorted(dims) != [*range(len(dims))] or len(dims) < 2:
        raise ValueError("each dimension of a row once, from 0 on")
    return dims


class Resize(Transform):
    """Images to another height and width, bilinearly."""

    name = "resize"
    main = "size"
    torch = "netspec.train.data.transforms.resize"

    size: Side
    """the height and width, one number for both or two"""

    def infer(self, column: Column) -> Column:
        height, width = spread(self.size, 2)
        return Column((column.shape[0], height, width), column.dtype)

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        return resized(builder, rows, spread(self.size, 2))


class Channels(Transform):
    """Grey images as `count` equal channels."""

    name = "channels"
    main = "count"
    torch = "netspec.train.data.transforms.channels"

    count: Positive = 3
    """the number of equal channels"""

    def infer(self, column: Column) -> Column:
        if column.shape[0] != 1:
            raise ValueError(f"`channels` takes grey images, but these have {column.shape[0]} channels")
        return Column((self.count, *column.shape[1:]), column.dtype)

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        return builder.op("Expand", rows, builder.constant([1, self.count, 1, 1]))


class PermuteDims(Transform):
    """The dimensions of a row in another order: `[2, 0, 1]` puts the channels of images [H, W, C] first."""

    name = "permute"
    main = "dims"
    torch = "netspec.train.data.transforms.permute"

    dims: Annotated[list[Natural], AfterValidator(_order)]
    """the dimensions of a row in their new order, from 0 on"""

    def takes(self, column: Column) -> bool:
        return not column.target and len(column.shape) == len(self.dims)

    def infer(self, column: Column) -> Column:
        return replace(column, shape=tuple(column.shape[dim] for dim in self.dims))

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        return builder.op("Transpose", rows, perm=[0, *(dim + 1 for dim in self.dims)])


class Normalize(Transform):
    """(x − mean)/std, a channel at a time: a number for all, or one for each."""

    name = "normalize"
    torch = "netspec.train.data.transforms.normalize"
    rescales = True

    mean: float | list[float] = 0.5
    """the number that is subtracted, for all channels or one for each"""
    std: Annotated[float, Field(gt=0)] | list[Annotated[float, Field(gt=0)]] = 0.5
    """the number that is divided by, for all channels or one for each"""

    def infer(self, column: Column) -> Column:
        for values in (self.mean, self.std):
            if isinstance(values, list) and len(values) != column.shape[0]:
                raise ValueError(f"`normalize` has {len(values)} numbers for images of {column.shape[0]} channels")
        return column

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        return rescaled(builder, rows, dtype, _by_channel(self.mean), _by_channel(self.std))


class Standardize(Transform):
    """Features to mean 0 and standard deviation 1, as they are in the training rows: in a sample of a gigabyte of those
    that lie on disk.
    """

    name = "standardize"
    torch = "netspec.train.data.transforms.standardize"
    fits = True
    rescales = True

    def takes(self, column: Column) -> bool:
        return not column.target and column.dtype.startswith("float")

    def onnx(self, builder: Any, rows: Any, dtype: str, state: Any = None) -> Any:
        return rescaled(builder, rows, dtype, *state)


class StandardizeTargets(Transform):
    """Targets that are numbers to mean 0 and standard deviation 1, as they are in the training rows.

    The loss is in that scale; metrics and predictions are in the targets' own.
    """

    name = "standardize_targets"
    torch = "netspec.train.data.transforms.standardize"
    fits = True
    for_targets = True

    def takes(self, column: Column) -> bool:
        return column.target and column.dtype.startswith("float")


class RandomCrop(Transform):
    """A window of the image's own size, somewhere in it and the `padding` zeros around it."""

    name = "random_crop"
    main = "padding"
    torch = "netspec.train.data.transforms.random_crop"
    draws = 2

    padding: Positive = 4
    """the width of the border of zeros"""


class HorizontalFlip(Transform):
    """Left and right exchanged, with probability `p`."""

    name = "horizontal_flip"
    main = "p"
    torch = "netspec.train.data.transforms.horizontal_flip"
    draws = 1

    p: Probability = 0.5
    """the probability that an image is flipped"""
