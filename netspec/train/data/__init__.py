"""Data sets as they are read: columns of rows, in memory or on disk."""

from netspec.train.data.base import Data, DataFault, Rows, TensorRows

__all__ = ["Data", "DataFault", "Rows", "TensorRows"]
