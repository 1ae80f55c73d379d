"""Ops over spatial dimensions: convolution, interpolation, padding."""
