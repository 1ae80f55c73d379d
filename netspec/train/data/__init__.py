"""Data sets as they are read: columns of rows, in memory or on disk."""

from netspec.train.data.base import Data, DataFault, Rows, TensorRows
from netspec.train.data.meaning import Meaning

__all__ = ["Data", "DataFault", "Meaning", "Rows", "TensorRows"]
