"""The bilinear layer, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase


@each(
    several("bilinear", "N 4", "N 5", out_features=3, counted=False),
    several("bilinear", "N T 4", "N T 6", out_features=2, bias=False, counted=False),
)
def test_bilinear_matches_torch(case: OpCase) -> None:
    """Torch's counter leaves out this product."""
    check_several(case)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (
            several("bilinear", "2 4", "3 5", out_features=3),
            "takes equal sizes before the last, but got",
        ),
        (
            several("bilinear", "2 N", "2 5", out_features=3),
            "the last dimension that bilinear takes must be",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
