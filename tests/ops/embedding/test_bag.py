"""Bags of embeddings, against torch and onnxruntime."""

from __future__ import annotations

from typing import Any

import pytest
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import SIZES, OpCase, Values


def ordered(values: Values) -> Values:
    """Bags begin one after the other, the first at 0."""
    x, offsets, *weights = values
    assert offsets is not None
    offsets = offsets.sort().values
    offsets[0] = 0
    return [x, offsets, *weights]


def closed(values: Values) -> Values:
    """The last bag ends where the input does."""
    x, offsets, *weights = ordered(values)
    assert x is not None
    assert offsets is not None
    offsets[-1] = len(x)
    return [x, offsets, *weights]


def bag(*inputs: str | None, **arguments: Any) -> OpCase:
    values = arguments.pop("values", ordered if inputs[1] else None)
    return several("embedding_bag", *inputs, num_embeddings=9, embedding_dim=4, at=SIZES, values=values, **arguments)


ROWS, FLAT, OFFSETS = "N T int64<9", "L int64<9", "S int64<L"


@each(
    *(bag(ROWS, None, None, mode=mode) for mode in ("sum", "mean", "max")),
    *(bag(FLAT, OFFSETS, None, mode=mode, padding_idx=2) for mode in ("sum", "mean", "max")),
    bag(FLAT, OFFSETS, None, mode="sum"),
    bag(FLAT, OFFSETS, None, include_last_offset=True, values=closed),
    bag(FLAT, OFFSETS, None, mode="max", include_last_offset=True, values=closed),
    bag(ROWS, None, "N T", mode="sum"),
    bag(FLAT, OFFSETS, "L", mode="sum"),
    bag(ROWS, None, None, mode="mean", padding_idx=-1),
)
def test_bags_match_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (bag("N 3 4 int64<9", None, None), r"embedding_bag takes \[N, B\], or \[L\] with offsets"),
        (bag("N 3", None, None), "embedding_bag takes int64, but got float32"),
        (bag(ROWS, None, "N T", mode="mean"), "embedding_bag takes weights, which are real, for the mode `sum` only"),
        (bag(ROWS, None, None, padding_idx=9), "padding_idx 9 is not one of the 9 rows"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
