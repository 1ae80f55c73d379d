"""Small data sets that are made up: each shows one thing, and is the same for the same seed."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.core.arguments import Natural, Positive
from netspec.recipes.base import Column
from netspec.recipes.data.base import DataSet

Margin = Annotated[float, Field(gt=0, le=1)]
Seed = Natural
"""the seed of the numbers drawn at random"""
Spread = Annotated[float, Field(ge=0)]
"""the standard deviation of the noise"""


class LogicPoints(DataSet):
    """The four points of a function of two truths: `and`, `or`, or `xor`, which no line separates."""

    name = "logic"
    main = "of"
    torch = "netspec.train.data.readers.points.logic"

    of: Literal["and", "or", "xor"]
    """the function"""

    def columns(self) -> Mapping[str, Column]:
        return {"x": Column((2,)), "label": Column((), "int64", 2, target=True)}


class Separable(DataSet):
    """Points of the unit disc on both sides of a line, none of them closer to it than `margin`."""

    name = "separable"
    torch = "netspec.train.data.readers.points.separable"

    rows: Annotated[int, Field(ge=2)] = 200
    """the number of points"""
    margin: Margin = 0.1
    """the least distance of a point from the line"""
    seed: Seed = 0

    def columns(self) -> Mapping[str, Column]:
        return {"x": Column((2,)), "label": Column((), "int64", 2, target=True)}


class LinePoints(DataSet):
    """y = 2·x₁ − 3.4·x₂ + 4.2, and normal noise."""

    name = "line"
    torch = "netspec.train.data.readers.points.line"

    rows: Positive = 1000
    """the number of points"""
    noise: Spread = 0.01
    seed: Seed = 0

    def columns(self) -> Mapping[str, Column]:
        return {"x": Column((2,)), "y": Column((), target=True)}


class Polynomial(DataSet):
    """y = 5 + 1.2·x − 3.4·x²/2! + 5.6·x³/3!, and normal noise, for x from −1 to 1; half of the rows are for the test.

    What the network sees is x, or x, x², … up to `degree`: fewer than 3 cannot fit, many more fit the noise.
    """

    name = "polynomial"
    main = "degree"
    torch = "netspec.train.data.readers.points.polynomial"

    degree: Annotated[int, Field(ge=1, le=20)] = 1
    """the highest power of x that the network sees"""
    rows: Annotated[int, Field(ge=2)] = 200
    """the number of points, half of them for the test"""
    noise: Spread = 0.1
    seed: Seed = 0

    def columns(self) -> Mapping[str, Column]:
        return {"x": Column((self.degree,)), "y": Column((), target=True)}


class Noise(DataSet):
    """Bytes at random as images, or as tensors of any `shape`, and a class at random: nothing to learn, all to time."""

    name = "noise"
    main = "shape"
    torch = "netspec.train.data.readers.points.noise"

    shape: Annotated[list[Positive], Field(min_length=1)]
    """the sizes of a row"""
    classes: Positive = 10
    """the number of classes"""
    rows: Positive = 1000
    """the number of rows"""
    seed: Seed = 0

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column(tuple(self.shape)), "label": Column((), "int64", self.classes, target=True)}


class Edges(DataSet):
    """Images of 6×8 with a black band of four columns, and where its edges are: 1 into the black, −1 out of it.

    The five places of the band are its rows; a 1×2 convolution with the weights 1 and −1 finds the edges.
    """

    name = "edges"
    torch = "netspec.train.data.readers.points.edges"

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, 6, 8)), "edge": Column((1, 6, 7), target=True)}
