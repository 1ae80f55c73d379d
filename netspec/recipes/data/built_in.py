"""Data sets that come with netspec: they need no network, and their sources and licences stand beside them."""

from collections.abc import Mapping
from typing import ClassVar

from netspec.ops.core.arguments import Positive
from netspec.recipes.base import Column
from netspec.recipes.data.base import DataSet


class BuiltIn(DataSet):
    """Base of those that lie as arrays in `netspec/train/data/files`. ``words`` says what the numbers stand for."""

    torch = "netspec.train.data.readers.built_in.read"

    target: ClassVar[str] = "label"
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    note: ClassVar[str] = ""
    """what a run says of rows that are not those one expects by the name"""


class MNIST(BuiltIn):
    """Handwritten digits, 28×28: 5,000 of MNIST's images, 500 of each digit (LeCun et al. 1998)."""

    name = "mnist"
    note = "5,000 of MNIST's 70,000 images, 500 of each digit"

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, 28, 28)), "label": Column((), "int64", 10, target=True)}


class Digits(BuiltIn):
    """Handwritten digits, 8×8: 1,797 images (Alpaydin and Kaynak 1998)."""

    name = "digits"

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, 8, 8)), "label": Column((), "int64", 10, target=True)}


class BreastCancer(BuiltIn):
    """Tumours, malignant or benign, by 30 measures of their cells: 569 patients (Street et al. 1993)."""

    name = "breast_cancer"
    words = {"label": ("malignant", "benign")}

    def columns(self) -> Mapping[str, Column]:
        return {"features": Column((30,)), "label": Column((), "int64", 2, target=True)}


class Diabetes(BuiltIn):
    """The progress of diabetes in a year, 25 to 346, by 10 measures before it: 442 patients (Efron et al. 2004)."""

    name = "diabetes"
    target = "progress"

    def columns(self) -> Mapping[str, Column]:
        return {"features": Column((10,)), "progress": Column((), target=True)}


class Alice(DataSet):
    """Alice's Adventures in Wonderland by its characters: windows of `length`, each with what comes next.

    The 26 letters and the space, 0, are all there is of it; the last tenth is for the test (Carroll 1865).
    """

    name = "alice"
    main = "length"
    torch = "netspec.train.data.readers.texts.read_alice"

    length: Positive = 35
    """the number of characters in a window"""

    def columns(self) -> Mapping[str, Column]:
        column = Column((self.length,), "int64", 27)
        return {"tokens": column, "next": Column((self.length,), "int64", 27, target=True, shifted="tokens")}


class Dates(DataSet):
    """Dates in English and the same in French, by their characters: 10,000 pairs, and 2,000 others for the test.

    0 stands for nothing, after the end of a text, where ``source_padding`` is true; ``target`` begins with 1, ``next``
    ends with 2.
    """

    name = "dates"
    torch = "netspec.train.data.readers.pairs.read_dates"

    def columns(self) -> Mapping[str, Column]:
        return {
            "source": Column((41,), "int64", 55, padding=0),
            "source_padding": Column((41,), "bool", padding=1),
            "lengths": Column((), "int64"),
            "target": Column((40,), "int64", 55, padding=0),
            "next": Column((40,), "int64", 55, target=True, padding=0, shifted="target"),
        }
