"""From a program to the tree of its levels: where each step stands, in which order, and what each level reads."""

from netspec.importer.nest.nest import nest

__all__ = ["nest"]
