"""Max unpooling and power-average pooling, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded, case, cases, check, check_refused, refused
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import SIZES, OpCase, Values


def apart(values: Values) -> Values:
    """No two values go to one place, as where windows do not overlap."""
    x, indices, *like = values
    assert indices is not None
    return [x, indices.flatten(2).argsort(-1).view_as(indices), *like]


def positive(values: Values) -> Values:
    return [value if value is None else value.abs() + 0.1 for value in values]


@each(
    several("max_unpool1d", "N 3 L", "N 3 L int64<2*L", None, kernel_size=2, at=SIZES, values=apart),
    several("max_unpool1d", "N 3 L", "N 3 L int64<3*L", "N 3 3*L", kernel_size=3, stride=3, at=SIZES, values=apart),
    several(
        "max_unpool2d", "N 3 H W", "N 3 H W int64<11", None, kernel_size=3, stride=2, padding=1, at=SIZES, values=apart
    ),
    several("max_unpool2d", "N 3 H W", "N 3 H W int64<11", "N 1 2*H 3*W", kernel_size=[2, 3], at=SIZES, values=apart),
    several("max_unpool3d", "N 2 D H W", "N 2 D H W int64<9", None, kernel_size=[2, 1, 2], at=SIZES, values=apart),
)
def test_unpooling_matches_torch(case: OpCase) -> None:
    check_several(case)


@cases(
    case("lp_pool1d", "N 3 L", norm_type=2, kernel_size=3),
    case("lp_pool2d", "N 3 H W", norm_type=2, kernel_size=[2, 3], stride=2, ceil_mode=True),
    case("lp_pool3d", "N 2 D H W", norm_type=4, kernel_size=2, stride=1),
)
def test_power_pooling_matches_torch(case: OpCase) -> None:
    check(case)


@each(several("lp_pool2d", "N 3 H W", norm_type=1.5, kernel_size=2, at=SIZES, values=positive))
def test_broken_powers_match_torch(case: OpCase) -> None:
    check_several(case)


@cases(
    refused("lp_pool2d", "2 3 8 8", norm_type=2, kernel_size=9),
    refused("lp_pool1d", "2 3 4 8 8", norm_type=2, kernel_size=2),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (
            several("max_unpool2d", "1 2 3 3", "1 2 3 4 int64<9", None, kernel_size=2),
            "takes indices of the shape of its input",
        ),
        (
            several("max_unpool2d", "1 2 3 3", "1 2 3 3 int64<9", "1 2 8 6", kernel_size=2),
            "whose size is less than a stride off",
        ),
        (several("max_unpool1d", "1 2 3", "1 2 3", None, kernel_size=2), "takes floating-point numbers and int64"),
        (several("lp_pool1d", "1 2 3", norm_type=0, kernel_size=2), "norm_type must not be 0"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
