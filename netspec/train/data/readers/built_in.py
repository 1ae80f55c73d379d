"""Reads the data sets that come with netspec."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from netspec.recipes.data.built_in import BuiltIn
from netspec.train.data.arrays import from_arrays
from netspec.train.data.base import Data

FILES = Path(__file__).parent.parent / "files"


def read(data_set: BuiltIn, folder: Path) -> Data:
    """The data set's arrays; ``folder`` does not matter."""
    file = f"{data_set.name}.npz"
    with np.load(FILES / file, allow_pickle=False) as arrays:
        data = from_arrays(dict(arrays), (data_set.target,), file, data_set.words)
    return replace(data, notes=(data_set.note,)) if data_set.note else data
