"""Convolutions by a given weight, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase

SIZES = ({"N": 2, "L": 9, "D": 3, "H": 5, "W": 6}, {"N": 1, "L": 7, "D": 2, "H": 3, "W": 3})


@each(
    several("filter1d", "N 4 L", "6 4 3", "6", at=SIZES),
    several("filter1d", "N 4 L", "6 2 4", None, stride=3, padding=2, dilation=2, groups=2, at=SIZES),
    several("filter2d", "N 3 H W", "4 3 3 3", "4", padding=1, at=SIZES),
    several("filter2d", "N 4 H W", "4 1 3 2", None, stride=[2, 1], padding=[1, 0], groups=4, at=SIZES),
    several("filter3d", "N 2 D H W", "3 2 2 3 1", "3", stride=[1, 2, 1], padding=1, at=SIZES),
)
def test_filter_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("shapes", "groups"),
    [
        (["2 4 8", "6 3 3", None], 1),
        (["2 4 8", "6 4 3", "5"], 1),
        (["2 4 8", "5 2 3", None], 2),
        (["2 4 8", "6 4 9", None], 1),
        (["2 4 8", "6 4", None], 1),
        (["2 4 8", "6 4 K", None], 1),
    ],
)
def test_filter_refuses_what_does_not_fit(shapes: list[str | None], groups: int) -> None:
    case = several("filter1d", *shapes, groups=groups)
    with pytest.raises(ShapeError):
        case.op().infer(*case.tensors())
