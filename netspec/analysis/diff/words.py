"""A difference in words."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.analysis.diff.changes import Facet, said, shapes_text
from netspec.dims import Shape, Size, times_shape


def facet_text(facet: Facet) -> str:
    """``kernel_size 3×3 → 5×5``."""
    name, old, new, _ = facet
    match name:
        case "output":
            return shape_change(old, new)
        case "name" | "op" | "block" if old:
            return f"was {old}"
        case "training only":
            return "in training only now" if new else "no longer in training only"
        case "frozen":
            return "frozen now" if new else "no longer frozen"
        case "recomputed":
            return "recomputed now" if new else "no longer recomputed"
    return f"{name} {said(old)} → {said(new)}"


def shape_change(old: Sequence[Shape], new: Sequence[Shape]) -> str:
    """``N×(64→128)×H×W``; both in full where they have other numbers of dimensions."""
    if [len(shape) for shape in old] != [len(shape) for shape in new]:
        return f"{shapes_text(old)} → {shapes_text(new)}"
    changed = ((was, now) for was, now in zip(old, new) if was != now)
    return ", ".join("×".join(map(_size_change, was, now)) for was, now in changed)


def _size_change(old: Size, new: Size) -> str:
    before, after = times_shape((old,)), times_shape((new,))
    return before if old == new else f"({before}→{after})"
