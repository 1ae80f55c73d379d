"""From the tree of levels to phrases: blocks, loops, residuals and parameters, where the tree repeats itself."""

from netspec.importer.fold.fold import fold
from netspec.importer.fold.phrasing import phrase

__all__ = ["fold", "phrase"]
