"""The page of a difference: two networks as one diagram, their costs side by side, their texts as a diff."""

from netspec.emit.explorer.compared.data import compared_data

__all__ = ["compared_data"]
