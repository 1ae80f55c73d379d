"""The colours of a diagram: its texts, the families of ops, what a comparison marks, and the edges."""

from __future__ import annotations

from typing import NamedTuple

INK, GREY, PALE, MIST = "#0F172A", "#64748B", "#94A3B8", "#CBD5E1"
PILL = "#B45309"

SKIP, CARRY, TIE = "#F59E0B", "#7C3AED", "#15803D"
"""Edges: a residual's shortcut, a state that goes to the next step of a scan, and parameters that are shared."""


class Colours(NamedTuple):
    """Of a card: its bar, its ground and its border."""

    bar: str
    ground: str
    border: str


PALETTE = {
    "convolution": Colours("#2563EB", "#EFF6FF", "#BFDBFE"),
    "linear": Colours("#7C3AED", "#F5F3FF", "#DDD6FE"),
    "norm": Colours("#0D9488", "#F0FDFA", "#99F6E4"),
    "activation": Colours("#D97706", "#FFFBEB", "#FDE68A"),
    "pooling": Colours("#DB2777", "#FDF2F8", "#FBCFE8"),
    "shape": Colours("#0891B2", "#ECFEFF", "#A5F3FC"),
    "arithmetic": Colours("#475569", "#FFFFFF", "#CBD5E1"),
    "dropout": Colours("#A16207", "#FEFCE8", "#FEF08A"),
    "sequence": Colours("#4F46E5", "#EEF2FF", "#C7D2FE"),
    "input": Colours("#64748B", "#F1F5F9", "#CBD5E1"),
    "level": Colours("#334155", "#E2E8F0", "#CBD5E1"),
}

MARKS = {
    "added": Colours("#15803D", "#DCFCE7", "#16A34A"),
    "removed": Colours("#B91C1C", "#FEE2E2", "#DC2626"),
    "changed": Colours("#CA8A04", "#FEF9C3", "#EAB308"),
}

CLASSES = {
    "convolution": "#DBEAFE",
    "linear": "#EDE9FE",
    "norm": "#CCFBF1",
    "activation": "#FEF3C7",
    "dropout": "#FEF3C7",
    "pooling": "#FCE7F3",
    "sequence": "#E0E7FF",
    "shape": "#CFFAFE",
    "arithmetic": "#F1F5F9",
    "input": "#F1F5F9",
    "level": "#E2E8F0",
}
"""The fills of the families in Mermaid, as pale as on the cards."""
