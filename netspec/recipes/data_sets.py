"""Data sets that come with netspec: they need no network, and their sources and licences stand beside them."""

from collections.abc import Mapping

from netspec.recipes.base import Column
from netspec.recipes.data import DataSet


class MNIST(DataSet):
    """Handwritten digits, 28×28: 5,000 of MNIST's images, 500 of each digit (LeCun et al. 1998)."""

    name = "mnist"
    torch = "netspec.train.data.built_in.read"

    def columns(self) -> Mapping[str, Column]:
        return {"image": Column((1, 28, 28)), "label": Column((), "int64", 10, target=True)}
