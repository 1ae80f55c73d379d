"""Loops: runs of steps that do the same, what is collected of them, and the letters of their indices."""
