"""Data sets and transforms, as far as they can be described before anything is read."""

from netspec.recipes.data.base import DataSet, Transform

__all__ = ["DataSet", "Transform"]
