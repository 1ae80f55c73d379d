"""Passes over finished levels: hoisting, input ranges, sizes, initialisation."""
