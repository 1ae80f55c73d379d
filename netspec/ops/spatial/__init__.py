"""Ops over spatial dimensions: convolution, pooling, interpolation, padding."""
