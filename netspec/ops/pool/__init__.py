"""Pooling: over windows, to a given size, over everything; and its undoing."""
