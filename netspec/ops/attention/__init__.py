"""Attention, its masks, and encodings of position."""
