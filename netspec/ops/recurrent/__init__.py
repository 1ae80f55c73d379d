"""Ops over sequences: recurrent layers, cells, encodings of position."""
