"""Data sets and transforms, as far as they can be described before anything is read."""
