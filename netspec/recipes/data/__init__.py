"""Data sets and transforms, as far as they can be described before anything is read."""

from netspec.recipes.data.base import DataSet, Mixing, Transform

__all__ = ["DataSet", "Mixing", "Transform"]
