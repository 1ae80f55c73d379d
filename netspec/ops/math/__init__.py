"""Arithmetic element by element, comparisons, and reductions."""
